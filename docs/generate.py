"""Writes docs/commands.md and docs/settings.md from the code they describe: the same code gives the same pages.

Run it after changing a command or a setting: .venv/bin/python docs/generate.py
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer.main
from pydantic import SecretStr

from campaigns.settings import SETTINGS_FILE, Settings
from studio.cli.main import app

HERE = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py from the code. Do not edit: change the code and run it again. -->"

_COMMANDS = f"""\
{MADE}

# Commands

Every command and option of `handpicked`. For how to use them together, see the page for
[marketers](marketer.md), [template authors](template-author.md), [QA](qa.md) or [operators](operator.md).

What they have in common: results go to stdout and errors to stderr, as one sentence. `--json` prints something that
is made for scripts. The [exit code](operator.md#exit-codes) says how it went. `NO_COLOR=1` is honoured.
"""

_SETTINGS = f"""\
{MADE}

# Settings

Each setting is looked for in three places, and the first that has it counts: the environment, then
`{SETTINGS_FILE}` in the workspace, then the default below. A name that is not in this list is refused, so that a
spelling mistake cannot pass unnoticed. The page for [operators](operator.md) says which you need, and when.
"""


def main() -> None:
    """Write both pages."""
    (HERE / "commands.md").write_text(commands_page(), encoding="utf-8")
    (HERE / "settings.md").write_text(settings_page(), encoding="utf-8")


def commands_page() -> str:
    """docs/commands.md: a table of all commands, then each with its arguments and options."""
    commands = list(all_commands())
    table = ["| Command | What it does |", "|---|---|"]
    for path, command in commands:
        anchor = f"handpicked {path}".replace(" ", "-")
        table.append(f"| [`handpicked {path}`](#{anchor}) | {_cell(_first_sentence(command.help))} |")
    parts = [_COMMANDS, "\n".join(table) + "\n"]
    parts += [_one_command(path, command) for path, command in commands]
    return "\n".join(parts)


def all_commands() -> Iterator[tuple[str, Any]]:
    """(path, command) of everything that can be run, in the order of --help: ("import orders", …)."""
    yield from _below("", typer.main.get_command(app))


def settings_page() -> str:
    """docs/settings.md: all settings in a table, then an example of the file."""
    rows = ["| Setting | In the environment | Default | What it is |", "|---|---|---|---|"]
    example = []
    for name, field in Settings.model_fields.items():
        if field.exclude:  # the workspace itself: where the file is found cannot stand in the file
            continue
        default = _plain(field.default)
        shown = f"`{default}`" if default not in ("", None) else "empty"
        kind = _choices(field.annotation)
        what = f"{field.description}{f' One of {kind}.' if kind else ''}"
        rows.append(f"| `{name}` | `HANDPICKED_{name.upper()}` | {shown} | {_cell(what)} |")
        said = f'"{default}"' if isinstance(default, str) else str(default)
        example.append(f"{name} = {said.lower() if isinstance(default, bool) else said}")
    folder = (
        f"The workspace itself ({_lower(Settings.model_fields['workspace'].description)}) is chosen with `--workspace` "
        f"or `HANDPICKED_WORKSPACE`; without either it is `{Settings.model_fields['workspace'].default}`.\n"
    )
    file = "## The file with all defaults\n\n```toml\n" + "\n".join(example) + "\n```\n"
    return "\n".join([_SETTINGS, "\n".join(rows) + "\n", folder, file])


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not getattr(command, "commands", None):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from _below(f"{path} {name}".strip(), child)


def _one_command(path: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name != "help"]
    words = [_argument(param) if param.required else f"[{_argument(param)}]" for param in arguments]
    usage = " ".join(["handpicked", path, *words, *(["[OPTIONS]"] if options else [])])
    lines = [f"## handpicked {path}", "", f"`{usage}`", "", _text(command.help), ""]
    if command.params:
        lines += ["| | | Default |", "|---|---|---|"]
        lines += [f"| `{_argument(param)}` | {_cell(param.help)} | {_default(param)} |" for param in arguments]
        lines += [f"| {_option(param)} | {_cell(_help(param))} | {_default(param)} |" for param in options]
        lines.append("")
    return "\n".join(lines)


def _argument(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _option(param: Any) -> str:
    spellings = ", ".join(f"`{name}`" for name in [*param.opts, *param.secondary_opts])
    if param.is_flag:
        return spellings
    repeated = ", may be repeated" if param.multiple else ""
    return f"{spellings} `{param.metavar or param.name.upper()}`{repeated}"


def _help(param: Any) -> str:
    least, most = getattr(param, "min", None), getattr(param, "max", None)
    bounds = f"{least} to {most}." if least is not None and most is not None else ""
    return f"{_text(param.help)} {bounds}"


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if getattr(param, "is_flag", False) or param.default in (None, "", ()):
        return "–"
    default = param.default.value if isinstance(param.default, Enum) else param.default
    environment = f", or `{param.envvar}`" if param.envvar else ""
    return f"`{default}`{environment}"


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _choices(annotation: Any) -> str:
    if typing.get_origin(annotation) is not typing.Literal:
        return ""
    return ", ".join(f"`{choice}`" for choice in typing.get_args(annotation))


def _text(words: str | None) -> str:
    return " ".join((words or "").split())


def _first_sentence(words: str | None) -> str:
    return re.split(r"(?<=[.?!]) (?=[A-Z])", _text(words), maxsplit=1)[0]


def _cell(words: str | None) -> str:
    return _text(words).replace("|", "\\|")


def _lower(sentence: str | None) -> str:
    words = _text(sentence).rstrip(".")
    return words[:1].lower() + words[1:]


if __name__ == "__main__":
    main()
