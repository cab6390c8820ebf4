"""Keeps the catalogues of the shipped templates complete: `python tools/messages.py`, or `--check` to only look.

What the templates say comes from four places: texts in the pages and text parts, subjects and preheaders of the sheets,
the defaults of their variables, and the sentences that explain a pick. New texts are added empty, to be translated;
translations of texts that are said no more are named and dropped. Translations are never changed.
"""

import argparse
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import normalize, read_po
from jinja2 import nodes

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a file, not as a module

from engine.render.environment import SHIPPED, Sandbox, TemplateFolders  # noqa: E402

Message = str | tuple[str, str]
"""A text, or its singular and plural."""

# said by engine/recommend/explain.py; a shop's own word takes the place of the value
SENTENCES = (
    "New in our shop",
    "A favourite of the last weeks",
    "Chosen to suit you",
    "Good to have at hand",
    "One of our %(value)s picks",
    "New ideas from %(value)s",
    "A good choice for %(value)s",
    "Made with %(value)s in mind",
)


def messages(folder: Path = SHIPPED) -> dict[Message, list[str]]:
    """Every text there is to translate, in the order it is met, and the files that say it."""
    found: dict[Message, list[str]] = {}

    def note(message: Message, place: str) -> None:
        if place not in found.setdefault(message, []):
            found[message].append(place)

    folders = TemplateFolders((folder,))
    for path in sorted([*folder.rglob("*.html"), *folder.rglob("*.txt")]):
        place = path.relative_to(folder).as_posix()
        for message in spoken_in(path.read_text("utf-8-sig"), place):
            note(message, place)
    for name in folders.names():
        sheet = folders.sheet(name)
        for line in (sheet.subject, sheet.preheader):
            for message in spoken_in(line, f"{name}.toml"):
                note(message, f"{name}.toml")
        for variable in sheet.variables:
            if variable.default:
                note(variable.default, f"{name}.toml")
    for sentence in SENTENCES:
        note(sentence, "explain.py")
    return found


def spoken_in(source: str, place: str) -> Iterator[Message]:
    """The texts given to `_` and `ngettext`. Raises SystemExit for one that is put together: nobody could translate it.

    Read from the syntax tree and not through jinja2.ext.babel_extract, which passes over such texts in silence.
    """
    for call in Sandbox().parse(source).find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name not in ("_", "ngettext"):
            continue
        wanted = 1 if call.node.name == "_" else 2
        texts = [argument.value for argument in call.args[:wanted] if isinstance(argument, nodes.Const)]
        if len(texts) < wanted or not all(isinstance(text, str) for text in texts):
            raise SystemExit(
                f"{place}, line {call.lineno}: {call.node.name}() takes texts in quotes, put together nowhere"
            )
        yield texts[0] if wanted == 1 else (texts[0], texts[1])


def brought_up_to_date(text: str, wanted: dict[Message, list[str]]) -> tuple[str, list[str], list[str]]:
    """(the catalogue with what is wanted and nothing else, texts it has no translation of, texts said no more)."""
    catalogue = read_po(BytesIO(text.encode()), charset="utf-8", abort_invalid=True)
    header = text[: text.index("\n\n") + 2]
    entries, missing = [], []
    for message, places in wanted.items():
        singular = message if isinstance(message, str) else message[0]
        translation = _translation(catalogue, message)
        if not all(translation):
            missing.append(singular)
        lines = [f"#: {place}" for place in places] + [f"msgid {normalize(singular)}"]
        if isinstance(message, str):
            lines.append(f"msgstr {normalize(translation[0])}")
        else:
            lines.append(f"msgid_plural {normalize(message[1])}")
            lines += [f"msgstr[{number}] {normalize(form)}" for number, form in enumerate(translation)]
        entries.append("\n".join(lines) + "\n")
    known = {message if isinstance(message, str) else message[0] for message in wanted}
    obsolete = [_singular(entry.id) for entry in catalogue if entry.id and _singular(entry.id) not in known]
    return header + "\n".join(entries), missing, obsolete


def _singular(identity: Message) -> str:
    return identity if isinstance(identity, str) else identity[0]


def _translation(catalogue: Catalog, message: Message) -> tuple[str, ...]:
    """What the catalogue says for a message, in as many forms as it takes; empty texts where it says nothing."""
    entry = catalogue.get(_singular(message))
    said = () if entry is None else (entry.string,) if isinstance(entry.string, str) else tuple(entry.string)
    forms = 1 if isinstance(message, str) else catalogue.num_plurals
    same = entry is not None and isinstance(entry.id, str) == isinstance(message, str)
    return said if same and len(said) == forms else ("",) * forms


def main() -> int:
    """Write the catalogues anew. With --check nothing is written, and what is missing is a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when something is missing or left over"
    )
    check = parser.parse_args().check
    wanted, complete = messages(), True
    for path in sorted((SHIPPED / "locale").glob("*.po")):
        text = path.read_text("utf-8")
        renewed, missing, obsolete = brought_up_to_date(text, wanted)
        for what, names in (("has no translation of", missing), ("is no longer said", obsolete)):
            for name in names:
                print(f"{path.relative_to(ROOT)}: {what}: {name!r}")
        complete = complete and renewed == text and not missing
        if not check:
            path.write_text(renewed, "utf-8")
        elif renewed != text and not missing and not obsolete:
            print(f"{path.relative_to(ROOT)}: is not as `python tools/messages.py` would write it")
    return 0 if complete or not check else 1


if __name__ == "__main__":
    sys.exit(main())
