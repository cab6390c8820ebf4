"""Where templates are found, the user's own before the shipped ones, and what is said about a mistake in one."""

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, Template, TemplateError, TemplateSyntaxError, UndefinedError, pass_environment
from jinja2.exceptions import SecurityError
from jinja2.exceptions import TemplateNotFound as JinjaTemplateNotFound
from jinja2.runtime import Context

from engine.errors import TemplateBroken, TemplateMissing
from engine.render.sandbox import LARGEST, wordwrap
from engine.render.sandbox import Sandbox as Sandbox  # noqa: PLC0414 - others take it from here

SHIPPED = Path(__file__).parent.parent.parent / "templates" / "email"
SUFFIX = ".html"
READ = {SUFFIX, ".txt", ".toml", ".po"}  # the files that a template may be made of
MOST_PIECES = 20_000  # a mail of a hundred products has 1,000
_KEPT_TEXT = 10_000  # characters of a paragraph whose wrapped form is kept: 256 of them take 5 MB at most


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

    def files(self) -> dict[str, str]:
        """Every template file with its text, such as "blocks/hero.html": the first folder wins. Raises TemplateBroken.

        All there is to know about templates, for a process that may open no file (`engine.render.bounded`).
        """
        found: dict[str, str] = {}
        for folder in self.folders:
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder).as_posix()
                if path.is_symlink() and path.is_dir():
                    _refuse_outside(path, folder, name)
                elif path.suffix in READ and name not in found and path.is_file():
                    found[name] = _text_of(path, folder, name)
        return found

    def source(self, name: str) -> str:
        """The text of a template file such as "picked-for-you.html". Raises TemplateMissing."""
        try:
            text, file, _ = self.sandbox().loader.get_source(self.sandbox(), name)  # type: ignore[union-attr]
        except JinjaTemplateNotFound:
            known = ", ".join(self.names())
            plain = name.removesuffix(SUFFIX).removesuffix(".toml")
            raise TemplateMissing(f"there is no template {plain!r}; there are: {known}") from None
        except UnicodeDecodeError as error:
            raise TemplateBroken(f"template {name}: is not UTF-8 ({error.reason}); save it as UTF-8") from None
        path = Path(file or "")
        _refuse_outside(path, next(folder for folder in self.folders if path.is_relative_to(folder)), name)
        return text

    def sheet(self, name: str) -> TemplateSheet:
        """The sheet of a template. Raises TemplateMissing, TemplateBroken."""
        try:
            plain = tomllib.loads(self.source(f"{name}.toml"))
        except tomllib.TOMLDecodeError as error:
            raise TemplateBroken(f"template {name}: {name}.toml is not TOML: {error}") from None
        entries = plain.get("variables", {})
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise TemplateBroken(f"template {name}: {name}.toml needs a table [variables.NAME] for each variable")
        variables = tuple(
            Variable(
                key, str(entry.get("label", key)), str(entry.get("default", "")).strip(), str(entry.get("help", ""))
            )
            for key, entry in entries.items()
        )
        texts = {key: str(plain.get(key, "")) for key in ("title", "description", "subject", "preheader")}
        return TemplateSheet(name=name, variables=variables, **texts)


def _refuse_outside(path: Path, folder: Path, name: str) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise TemplateBroken(f"template {name}: is a link to a place outside {folder}; put the file itself there")


def _text_of(path: Path, folder: Path, name: str) -> str:
    _refuse_outside(path, folder, name)
    if path.stat().st_size > LARGEST:
        raise TemplateBroken(f"template {name}: is larger than 1 MB; a mail has 0.1 MB at most")
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateBroken(f"template {name}: is not UTF-8 ({error.reason}); save it as UTF-8") from None


def explain_error(error: Exception, name: str, places: Callable[[int, str], str] | None = None) -> TemplateBroken:
    """What is wrong with a template in one sentence: which template, which line, what is missing.

    places: says of a line of a template that was put together from files, and of what is said about it, where that
    stands ("blocks/hero.html, line 7").
    """
    if isinstance(error, TemplateSyntaxError):
        return TemplateBroken(f"template {error.name or name}, line {error.lineno}: {error.message}")
    name, line = _place_in_template(error, name)
    where = f"template {name}, line {line}" if line else f"template {name}"
    if line and places and (place := places(line, str(error))):
        where = f"template {name}, {place}"
    if isinstance(error, UndefinedError):
        return TemplateBroken(f"{where}: {error.message}; check the spelling, or give it a default")
    if isinstance(error, JinjaTemplateNotFound):
        return TemplateBroken(f"{where}: there is no file {error.message!r} to extend or include")
    if isinstance(error, SecurityError):
        return TemplateBroken(f"{where}: {error.message}")
    if isinstance(error, RecursionError):
        return TemplateBroken(f"{where}: calls or includes itself without end, or is nested too deeply")
    if isinstance(error, MemoryError):
        return TemplateBroken(f"{where}: needs more memory than there is for a mail; look for what grows in a loop")
    return TemplateBroken(f"{where}: {str(error) or type(error).__name__}")


def _place_in_template(error: BaseException, name: str) -> tuple[str, int | None]:
    """(file, line) of the innermost frame that Jinja rewrote to point into a template."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            file = trace.tb_frame.f_code.co_filename
            name, line = name if file == "<template>" else file, trace.tb_lineno
        trace = trace.tb_next
    return name, line


def keep_wrapped(environment: Sandbox) -> None:
    """Remember what `wordwrap` made of a paragraph: the same ones stand in every mail of a run, and wrapping them anew
    takes half of the text part's 70 µs."""
    wrapped = partial(wordwrap, environment)
    kept = lru_cache(maxsize=256)(wrapped)

    @pass_environment  # as Jinja's own: compiled code of another sandbox passes it
    def kept_wordwrap(_: Environment, text: str, *args: Any, **kwargs: Any) -> Any:
        return (kept if len(text) <= _KEPT_TEXT else wrapped)(text, *args, **kwargs)

    environment.filters["wordwrap"] = kept_wordwrap


@contextmanager
def compiling(name: str) -> Iterator[None]:
    """What Jinja or Python say against a template while it is compiled, as TemplateBroken."""
    try:
        yield
    except TemplateError as error:
        raise explain_error(error, name) from error
    except (SyntaxError, RecursionError, MemoryError) as error:  # Python's own limits on nesting
        raise TemplateBroken(f"template {name}: is nested too deeply ({error})") from error


def compiled(environment: Sandbox, source: str, name: str) -> Template:
    """A template from its source. Raises TemplateBroken."""
    with compiling(name):
        return environment.from_string(source)


def printed(
    template: Template, context: Context, name: str, places: Callable[[int, str], str] | None = None
) -> list[str]:
    """What a template prints, piece by piece. Raises TemplateBroken, whatever its expressions raise."""
    try:
        pieces = list(islice(template.root_render_func(context), MOST_PIECES))
        if len(pieces) == MOST_PIECES or sum(map(len, pieces)) > LARGEST:
            raise OverflowError(f"a mail of more than {LARGEST:,} characters is too long")
        return pieces
    except Exception:
        try:
            template.environment.handle_exception()  # makes the traceback speak of the template's own lines
        except Exception as error:
            raise explain_error(error, name, places) from error
