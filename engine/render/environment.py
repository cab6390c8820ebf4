"""The Jinja sandbox templates run in, and where templates are found: the user's own before the shipped ones."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.exceptions import TemplateNotFound as JinjaTemplateNotFound
from jinja2.filters import do_wordwrap
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import TemplateBroken, TemplateMissing

SHIPPED = Path(__file__).parent.parent.parent / "templates" / "email"
SUFFIX = ".html"


@dataclass(frozen=True)
class Variable:
    """Something a marketer fills in for a campaign."""

    name: str
    label: str
    default: str
    help: str


@dataclass(frozen=True)
class TemplateSheet:
    """What the TOML file beside a template says: what it is for, its default lines, its variables."""

    name: str
    title: str
    description: str
    subject: str
    preheader: str
    variables: tuple[Variable, ...]

    def defaults(self) -> dict[str, str]:
        """The variables with their defaults."""
        return {variable.name: variable.default for variable in self.variables}


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja with autoescape, strict undefined, and no way out to Python objects."""

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(
            loader=FileSystemLoader([str(folder) for folder in folders]),
            autoescape=True,
            undefined=StrictUndefined,
            keep_trailing_newline=False,
        )

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`card.title`: contexts are plain dicts, so look the key up first (0.1 µs against 0.6, some 70 a mail).

        What is no key of a plain dict goes the sandbox's way.
        """
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@dataclass(frozen=True)
class TemplateFolders:
    """The folders templates are looked for in, first match first."""

    folders: tuple[Path, ...]

    def sandbox(self) -> Sandbox:
        """A Jinja environment that reads from these folders and nowhere else."""
        return Sandbox(self.folders)

    def names(self) -> list[str]:
        """The templates there are: those with a TOML sheet beside them."""
        return sorted({sheet.stem for folder in self.folders for sheet in folder.glob("*.toml")})

    def source(self, name: str) -> str:
        """The text of a template file such as "picked-for-you.html". Raises TemplateMissing."""
        try:
            return self.sandbox().loader.get_source(self.sandbox(), name)[0]  # type: ignore[union-attr]
        except JinjaTemplateNotFound:
            known = ", ".join(self.names())
            raise TemplateMissing(f"there is no template {name.removesuffix(SUFFIX)!r}; there are: {known}") from None
        except UnicodeDecodeError as error:
            raise TemplateBroken(f"template {name}: is not UTF-8 ({error.reason}); save it as UTF-8") from None

    def sheet(self, name: str) -> TemplateSheet:
        """The sheet of a template. Raises TemplateMissing, TemplateBroken."""
        try:
            plain = tomllib.loads(self.source(f"{name}.toml"))
        except tomllib.TOMLDecodeError as error:
            raise TemplateBroken(f"template {name}: {name}.toml is not TOML: {error}") from None
        variables = tuple(
            Variable(
                key, str(entry.get("label", key)), str(entry.get("default", "")).strip(), str(entry.get("help", ""))
            )
            for key, entry in plain.get("variables", {}).items()
        )
        texts = {key: str(plain.get(key, "")) for key in ("title", "description", "subject", "preheader")}
        return TemplateSheet(name=name, variables=variables, **texts)


def explain_error(error: TemplateError, name: str) -> TemplateBroken:
    """What is wrong with a template in one sentence: which template, which line, what is missing."""
    if isinstance(error, TemplateSyntaxError):
        return TemplateBroken(f"template {error.name or name}, line {error.lineno}: {error.message}")
    line = _line_in_template(error)
    where = f"template {name}, line {line}" if line else f"template {name}"
    if isinstance(error, UndefinedError):
        return TemplateBroken(f"{where}: {error.message}; check the spelling, or give it a default")
    if isinstance(error, SecurityError):
        return TemplateBroken(f"{where}: {error.message}")
    return TemplateBroken(f"{where}: {error}")


def _line_in_template(error: BaseException) -> int | None:
    """The line of the innermost frame that Jinja rewrote to point into the template."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if "__jinja_template__" in trace.tb_frame.f_globals or trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


@cache
def text_sandbox() -> ImmutableSandboxedEnvironment:
    """For subjects, preheaders and text parts: the same sandbox without HTML escaping."""
    environment = Sandbox(())
    environment.autoescape = False
    # the same paragraphs in every mail of a run: wrapping them anew takes half of the text part's 70 µs
    environment.filters["wordwrap"] = lru_cache(maxsize=256)(partial(do_wordwrap, environment))
    return environment


def render_line(source: str, context: Mapping[str, Any], *, name: str) -> str:
    """A one-line text such as a subject, from a Jinja source. Raises TemplateBroken."""
    try:
        return " ".join(_compiled_line(source).render(context).split())
    except TemplateError as error:
        raise explain_error(error, name) from error


@cache
def _compiled_line(source: str) -> Any:
    return text_sandbox().from_string(source)
