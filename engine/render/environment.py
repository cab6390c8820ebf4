"""The Jinja sandbox templates run in, and where templates are found: the user's own before the shipped ones."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import (
    DictLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    Undefined,
    UndefinedError,
)
from jinja2.exceptions import SecurityError
from jinja2.exceptions import TemplateNotFound as JinjaTemplateNotFound
from jinja2.filters import do_wordwrap
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import TemplateBroken, TemplateMissing

SHIPPED = Path(__file__).parent.parent.parent / "templates" / "email"
SUFFIX = ".html"
LARGEST = 1_000_000  # characters or units; a mail has 100,000 characters at most


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
    """Jinja with strict undefined and no way out to Python objects. The same values always give the same text."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(
        self, folders: Sequence[Path] = (), *, files: Mapping[str, str] | None = None, autoescape: bool = True
    ) -> None:
        super().__init__(
            loader=_Named(files) if files else FileSystemLoader([str(folder) for folder in folders], "utf-8-sig"),
            autoescape=autoescape,
            undefined=StrictUndefined,
            keep_trailing_newline=False,
            finalize=_printable,
        )
        for by_chance in (self.filters, self.globals):
            by_chance.pop("random", None)
            by_chance.pop("lipsum", None)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`card.title`: contexts are plain dicts, so look the key up first (0.1 µs against 0.6, some 70 a mail).

        `campaign.copy` then is what the marketer wrote, not dict.copy. What is no key goes the sandbox's way.
        """
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """× and ** within bounds: a number or a text that fills the memory stops one mail and not the machine."""
        if operator == "**" and not (abs(left) <= LARGEST and abs(right) <= 64):
            raise OverflowError(f"{left} ** {right} is too large a number for a mail")
        if operator == "*" and isinstance(left, int) != isinstance(right, int):
            times, repeated = (left, right) if isinstance(left, int) else (right, left)
            if hasattr(repeated, "__len__") and len(repeated) * times > LARGEST:
                raise OverflowError(f"a text of {len(repeated) * times} characters is too long for a mail")
        return super().call_binop(context, operator, left, right)


class _Named(DictLoader):
    """Files in memory that keep their names, for the sentence about a mistake in one of them."""

    def get_source(  # type: ignore[override]
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, _, up_to_date = super().get_source(environment, template)
        return source, template, up_to_date


def _printable(value: Any) -> Any:
    """What may be printed: plain values. A method prints its place in memory, which is another one in each process."""
    if type(value) is str or isinstance(value, (str, int, float)) or value is None:  # nearly all are, 70 a mail
        return value
    if isinstance(value, Undefined):
        str(value)  # raises, also within a list, which would print it as "Undefined"
    elif isinstance(value, (list, tuple, dict)):
        for inner in (*value, *(value.values() if isinstance(value, dict) else ())):
            _printable(inner)
    else:
        raise TypeError(f"{type(value).__name__} cannot be printed; a call needs (), a filter such as map needs |list")
    return value


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
            plain = name.removesuffix(SUFFIX).removesuffix(".toml")
            raise TemplateMissing(f"there is no template {plain!r}; there are: {known}") from None
        except UnicodeDecodeError as error:
            raise TemplateBroken(f"template {name}: is not UTF-8 ({error.reason}); save it as UTF-8") from None

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


def explain_error(error: Exception, name: str) -> TemplateBroken:
    """What is wrong with a template in one sentence: which template, which line, what is missing."""
    if isinstance(error, TemplateSyntaxError):
        return TemplateBroken(f"template {error.name or name}, line {error.lineno}: {error.message}")
    name, line = _place_in_template(error, name)
    where = f"template {name}, line {line}" if line else f"template {name}"
    if isinstance(error, UndefinedError):
        return TemplateBroken(f"{where}: {error.message}; check the spelling, or give it a default")
    if isinstance(error, JinjaTemplateNotFound):
        return TemplateBroken(f"{where}: there is no file {error.message!r} to extend or include")
    if isinstance(error, SecurityError):
        return TemplateBroken(f"{where}: {error.message}")
    return TemplateBroken(f"{where}: {error or type(error).__name__}")


def _place_in_template(error: BaseException, name: str) -> tuple[str, int | None]:
    """(file, line) of the innermost frame that Jinja rewrote to point into a template."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            file = trace.tb_frame.f_code.co_filename
            name, line = name if file == "<template>" else file, trace.tb_lineno
        trace = trace.tb_next
    return name, line


@cache
def text_sandbox() -> Sandbox:
    """For subjects, preheaders and text parts: the same sandbox without HTML escaping."""
    environment = Sandbox(autoescape=False)
    # the same paragraphs in every mail of a run: wrapping them anew takes half of the text part's 70 µs
    environment.filters["wordwrap"] = lru_cache(maxsize=256)(partial(do_wordwrap, environment))
    return environment


def compiled(environment: Sandbox, source: str, name: str) -> Template:
    """A template from its source. Raises TemplateBroken."""
    try:
        return environment.from_string(source)
    except TemplateError as error:
        raise explain_error(error, name) from error
    except (SyntaxError, RecursionError, MemoryError) as error:  # Python's own limits on nesting
        raise TemplateBroken(f"template {name}: is nested too deeply ({error})") from error


def rendered(template: Template, context: Mapping[str, Any], name: str) -> str:
    """The text of a template, filled. Raises TemplateBroken, whatever its expressions raise."""
    try:
        return template.render(context)
    except Exception as error:
        raise explain_error(error, name) from error


def render_line(source: str, context: Mapping[str, Any], *, name: str) -> str:
    """A one-line text such as a subject, from a Jinja source. Raises TemplateBroken."""
    return " ".join(rendered(_compiled_line(source, name), context, name).split())


@lru_cache(1_000)
def _compiled_line(source: str, name: str) -> Template:
    return compiled(text_sandbox(), source, name)
