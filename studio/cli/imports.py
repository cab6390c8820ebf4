"""`handpicked import`: subscribers, products, signals and orders from CSV files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace, open_workspace
from studio.cli.output import complain, listed, progress, say, say_json

if TYPE_CHECKING:
    from campaigns.execute import World
    from subscribers.import_report import ImportReport

app = typer.Typer(help="Bring in subscribers, products, signals or orders from a CSV file.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file, plain or gzip.")]
Map = Annotated[
    list[str] | None, typer.Option("--map", metavar="COLUMN=FIELD", help="A column of the file, and our name for it.")
]
Encoding = Annotated[str | None, typer.Option(help="The file's encoding, when it is not UTF-8: cp1252, utf-16.")]
Vouched = Annotated[
    str,
    typer.Option(
        "--consent",
        metavar="PURPOSES",
        help="Purposes everybody in the file has agreed to, when it has no columns for them: mail,personalise,track.",
    ),
]
Preset = Annotated[str, typer.Option(help="How to read the shop's order file.")]


@app.command()
def subscribers(
    file: File,
    consent: Vouched = "",
    mapping: Map = None,
    encoding: Encoding = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """People: address, given_name, language, time_zone, country, mail, personalise, track, consented_at, how."""
    presumed = purposes_in(consent)
    report, facts = import_file(
        open_workspace(workspace), "subscribers", file, mapping=mapping, encoding=encoding, presumed=presumed
    )
    _tell(report, as_json, **facts)


@app.command()
def products(
    file: File,
    complete: Annotated[
        bool, typer.Option("--complete", help="The file is the whole assortment: what it does not name is withdrawn.")
    ] = False,
    mapping: Map = None,
    encoding: Encoding = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Products, under Google Merchant's names: id, title, description, link, image_link, price, availability, …"""
    world = open_workspace(workspace)
    report, facts = import_file(world, "products", file, mapping=mapping, encoding=encoding, complete=complete)
    _tell(report, as_json, pictures_drawn=draw_pictures(world), **facts)


@app.command()
def signals(
    file: File,
    mapping: Map = None,
    encoding: Encoding = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """What people did: address, product, kind (view, click, cart, purchase), at, and id, quantity, price."""
    report, facts = import_file(open_workspace(workspace), "signals", file, mapping=mapping, encoding=encoding)
    _tell(report, as_json, **facts)


@app.command()
def orders(
    file: File,
    preset: Preset = "online-retail",
    mapping: Map = None,
    encoding: Encoding = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """A shop's order lines: customers, purchases, cancellations, and the products in them."""
    world = open_workspace(workspace)
    report, facts = import_orders(world, file, preset, mapping, encoding)
    _tell(report, as_json, **facts)


def import_orders(
    world: "World", file: Path, preset_name: str, mapping: list[str] | None = None, encoding: str | None = None
) -> tuple["ImportReport", dict[str, int]]:
    """Orders and the products in them; (the report, further figures). Raises FileRejected."""
    report, facts = import_file(world, "orders", file, mapping=mapping, encoding=encoding, preset=preset_name)
    return report, facts | {"pictures_drawn": draw_pictures(world)}


def import_file(
    world: "World",
    kind: str,
    file: Path,
    *,
    mapping: list[str] | None = None,
    encoding: str | None = None,
    **how: Any,
) -> tuple["ImportReport", dict[str, int]]:
    """Run the import with a progress bar; (the report, further figures). how: as in `campaigns.imports.Asked`.

    Raises FileRejected.
    """
    from campaigns import imports

    renames = renames_in(mapping or [])
    stamp = world.clock().strftime("%Y%m%d-%H%M%S")
    rejects = world.settings.rejects / f"{stamp}-{file.name.removesuffix('.gz').removesuffix('.csv')}.csv"
    asked = imports.Asked(imports.FileKind(kind), file, rejects, renames, encoding, **how)
    with progress(f"importing {file.name}") as show:
        return imports.import_file(world, asked, show)


def draw_pictures(world: "World") -> int:
    """Draw what products lack a picture; returns how many."""
    from campaigns import imports

    with progress("drawing pictures") as show:
        return imports.draw_pictures(world, show)


def renames_in(mapping: list[str]) -> dict[str, str]:
    """The --map options as a mapping. Raises FileRejected."""
    from subscribers.errors import FileRejected

    renames: dict[str, str] = {}
    for pair in mapping:
        theirs, equals, ours = pair.rpartition("=")
        if not (equals and theirs and ours):
            raise FileRejected(f"--map {pair}: write it as COLUMN=FIELD, for example --map email=address")
        renames[theirs] = ours
    return renames


def purposes_in(text: str) -> frozenset[Any]:
    """The purposes in a comma-separated option. Raises FileRejected."""
    from subscribers.errors import FileRejected
    from subscribers.models import Purpose

    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in set(Purpose)]
    if unknown:
        raise FileRejected(f"--consent {unknown[0]}: there is no such purpose; there are: {', '.join(Purpose)}")
    return frozenset(Purpose(name) for name in names)


def describe(report: "ImportReport", **facts: int) -> list[str]:
    """The report in lines for a person."""
    rows = sum(report.counts.values())
    lines = [f"{report.file}: {rows:,} rows: {listed(dict(report.counts))}"]
    known = {name.replace("_", " "): count for name, count in facts.items() if count}
    if known:
        lines.append(f"  {listed(known)}")
    if report.unused_columns:
        lines.append(f"  columns not used: {', '.join(report.unused_columns)}")
    lines += [f"  {example}" for example in report.examples]
    if report.rejects_file:
        lines.append(f"  all rejected rows, to correct and import again: {report.rejects_file}")
    return lines


def _tell(report: "ImportReport", as_json: bool, **facts: int) -> None:
    """Say what became of the file; exit code 1 when rows were rejected."""
    if as_json:
        say_json(report.summary() | facts)
    else:
        first, *rest = describe(report, **facts)
        say(first)
        for line in rest:
            (complain if report.rejected else say)(line)
    if report.rejected:
        raise typer.Exit(1)
