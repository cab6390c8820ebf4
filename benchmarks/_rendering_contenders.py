"""What a mail costs the way one would write it first: Jinja and then an inliner, mail by mail, in Python and node."""

import json
import logging
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import premailer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engine.render.environment import SHIPPED

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / ".bench-rendering"
CSS_INLINE, NODE_PACKAGES = "css-inline==0.24.0", ("juice@12.2.0", "nunjucks@3.2.4")

Context = Mapping[str, Any]


def said(message: str, **values: object) -> str:
    """gettext without a catalogue."""
    return message % values if values else message


def counted(singular: str, plural: str, number: int, **values: object) -> str:
    """ngettext without a catalogue."""
    return said(singular if number == 1 else plural, num=number, **values)


@cache
def plain_environment() -> Environment:
    """Jinja as it comes, over the template files as they are."""
    environment = Environment(loader=FileSystemLoader(SHIPPED), autoescape=True, undefined=StrictUndefined)
    environment.globals.update(_=said, ngettext=counted)
    return environment


def jinja(name: str, contexts: Sequence[Context]) -> Callable[[], object]:
    """Jinja alone: the CSS stays in the head."""
    template = plain_environment().get_template(f"{name}.html")
    return lambda: [template.render(context) for context in contexts]


def with_premailer(name: str, contexts: Sequence[Context], *, tuned: bool) -> Callable[[], object]:
    """Jinja and premailer, with its defaults or with what makes it faster and loses nothing."""
    template = plain_environment().get_template(f"{name}.html")
    options: dict[str, Any] = {"cssutils_logging_level": logging.CRITICAL, "allow_network": False}
    if tuned:
        options |= {"disable_validation": True, "align_floating_images": False}
    return lambda: [premailer.transform(template.render(context), **options) for context in contexts]


def with_css_inline(name: str, contexts: Sequence[Context]) -> tuple[list[str], Path]:
    """The command that measures Jinja and css-inline in an environment that has it, and its input."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "done.txt"
    if not done.exists() or done.read_text() != CSS_INLINE:
        print(f"making {ENVIRONMENT} with css-inline, for the comparison alone; it is not installed", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", CSS_INLINE, "jinja2"]
        subprocess.run(install, check=True)
        done.write_text(CSS_INLINE)
    return [str(python), str(HERE / "_css_inline.py")], _problem(name, contexts, flat=False)


def with_juice(name: str, contexts: Sequence[Context]) -> tuple[list[str], Path] | None:
    """The command that measures nunjucks and juice, and its input; None without node and npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return None
    folder = ENVIRONMENT.with_name(".bench-node")
    if not (folder / "node_modules" / "juice").exists():
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        print(f"making {folder} with {', '.join(NODE_PACKAGES)}, for the comparison alone", file=sys.stderr)
        install = [npm, "install", "--silent", "--no-audit", "--no-fund", *NODE_PACKAGES]
        subprocess.run(install, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.copy(HERE / "_juice.js", folder / "juice.js")
    return [node, str(folder / "juice.js")], _problem(name, contexts, flat=True)


def measured(command: tuple[list[str], Path], rounds: int) -> list[float]:
    """Seconds of CPU a mail, of each round: what another program says of itself."""
    program, problem = command
    answer = subprocess.run([*program, str(problem), str(rounds)], check=True, capture_output=True, text=True)
    found: list[float] = json.loads(answer.stdout)
    return found


def _problem(name: str, contexts: Sequence[Context], *, flat: bool) -> Path:
    """The template files and contexts in a folder of their own. flat: as nunjucks reads them."""
    folder = Path(tempfile.mkdtemp(prefix="handpicked-bench-"))
    shutil.copytree(SHIPPED, folder / "templates")
    if flat:
        for path in (folder / "templates").rglob("*.html"):
            path.write_text(_for_nunjucks(path.read_text()))
    problem = folder / "problem.json"
    problem.write_text(json.dumps({"folder": str(folder / "templates"), "name": f"{name}.html", "mails": contexts}))
    return problem


def _for_nunjucks(source: str) -> str:
    """What nunjucks lacks of Jinja: conditions on loops. The few methods of Python's texts are given to it by name."""
    return re.sub(r"(\{% for [^%]*?) if [^%]*?%\}", r"\1 %}", source)
