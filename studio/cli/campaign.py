"""`handpicked campaign`: make, list, show, schedule, pause, resume and cancel campaigns."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from studio.cli.options import (
    DEFAULT_WORKSPACE,
    AsJson,
    CampaignName,
    Late,
    LateHours,
    OwnTime,
    Workspace,
    open_workspace,
)
from studio.cli.output import say, say_json, table

if TYPE_CHECKING:
    from campaigns.models import Campaign

app = typer.Typer(help="Make, list, approve, schedule, pause, resume and cancel campaigns.", no_args_is_help=True)

At = Annotated[str, typer.Option(metavar="TIME", help="Once, at this local time: '2026-12-01 09:00'.")]
Cron = Annotated[str, typer.Option(help="Again and again: '0 9 * * 1' is Mondays at 9:00.")]
Zone = Annotated[str, typer.Option("--time-zone", help="The IANA time zone of --at or --cron.")]


@app.command()
def new(
    campaign: CampaignName,
    template: Annotated[
        str, typer.Option(help="Which template; `handpicked template list` shows them.")
    ] = "picked-for-you",
    subject: Annotated[str, typer.Option(help="Subject, with Jinja if you like; empty: the template's own.")] = "",
    preheader: Annotated[
        str, typer.Option(help="What inboxes show after the subject; empty: the template's own.")
    ] = "",
    variable: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=TEXT", help="A variable of the template; NAME.de=TEXT for German readers."),
    ] = None,
    picks: Annotated[int, typer.Option(help="Products a mail, hero included.")] = 5,
    transport: Annotated[str, typer.Option(help="outbox or smtp.")] = "outbox",
    price_from: Annotated[str, typer.Option(metavar="PRICE", help="Pick nothing cheaper.")] = "",
    price_to: Annotated[str, typer.Option(metavar="PRICE", help="Pick nothing dearer.")] = "",
    include: Annotated[
        list[str] | None, typer.Option(metavar="FILTER", help="Pick only such products: 'label:vegan', 'price<20'.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="FILTER", help="Pick no such products.")] = None,
    boost: Annotated[
        list[str] | None, typer.Option(metavar="FILTER=N", help="Pick such products more often: 'brand:Maren=0.5'.")
    ] = None,
    diversity: Annotated[float | None, typer.Option(help="0 (best first) to 1 (as many types as there are).")] = None,
    hero_share: Annotated[
        float | None, typer.Option(help="No product is hero for a larger share of the people: 0.04.")
    ] = None,
    exploration: Annotated[
        float | None, typer.Option(help="Share of the people whose last pick is a new product drawn by chance.")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only for people in this segment, or another one so named.")
    ] = None,
    not_segment: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Not for people in this segment.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make a campaign, or change the one of this name."""
    from campaigns.edit import Definition, save_campaign
    from campaigns.errors import CampaignInvalid
    from campaigns.pick_rules import PickRules
    from campaigns.segments import Segments
    from subscribers.database import writing

    variables: dict[str, str] = {}
    for pair in variable or []:
        name, equals, text = pair.partition("=")
        if not equals:
            raise CampaignInvalid(f"--set {pair}: write it as NAME=TEXT")
        variables[name] = text
    world = open_workspace(workspace)
    rules = PickRules(
        price_from or None,
        price_to or None,
        tuple(include or ()),
        tuple(exclude or ()),
        tuple(boost or ()),
        diversity=diversity,
        hero_share=hero_share,
        exploration=exploration,
    )
    segments = Segments.from_plain({"include": segment or [], "exclude": not_segment or []})
    definition = Definition(campaign, template, subject, preheader, variables, picks, transport, rules, segments)
    with writing(world.database) as session:
        saved = save_campaign(session, definition, world.settings, now=world.clock())
    say(f"campaign {saved.name} is saved ({saved.state}); next: handpicked preview {saved.name} ADDRESS")


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file with name, template, … and [schedule].")],
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make or change a campaign, and schedule it, from a TOML file kept with your other files."""
    from campaigns.edit import definition_from_file, first_due, save_campaign
    from campaigns.edit import schedule as set_schedule
    from subscribers.database import writing

    definition, planned = definition_from_file(file)
    world = open_workspace(workspace)
    if planned:
        first_due(now=world.clock(), **planned)  # a bad schedule changes nothing
    with writing(world.database) as session:
        saved = save_campaign(session, definition, world.settings, now=world.clock())
        if planned:
            saved = set_schedule(session, saved.name, now=world.clock(), **planned)
    say(f"campaign {saved.name} is saved ({_when(saved)})")


@app.command(name="list")
def list_all(workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """All campaigns, and when each is due next."""
    from campaigns.edit import list_campaigns
    from subscribers.database import reading

    with reading(open_workspace(workspace).database) as session:
        campaigns = list_campaigns(session)
    if as_json:
        say_json([_plain(campaign) for campaign in campaigns])
    elif campaigns:
        table(("campaign", "template", "state"), [(c.name, c.template, _when(c)) for c in campaigns])
    else:
        say("no campaigns yet; make one: handpicked campaign new weekly")


@app.command()
def show(campaign: CampaignName, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """One campaign and its runs."""
    from campaigns.edit import find_campaign, runs_of
    from subscribers.database import reading

    with reading(open_workspace(workspace).database) as session:
        found = find_campaign(session, campaign)
        runs = runs_of(session, found)
    if as_json:
        plain = [
            {
                "run": run.id,
                "occurrence": run.occurrence.isoformat(),
                "state": run.state,
                "stopped_because": run.stopped_because,
            }
            for run in runs
        ]
        say_json(_plain(found) | {"runs": plain})
        return
    for name, value in _plain(found).items():
        if value:
            say(f"{name}: {value}")
    rows = [(run.id, f"{run.occurrence:%Y-%m-%d %H:%M}", run.state, run.stopped_because) for run in runs]
    columns = ("run", "occurrence (UTC)", "state", "because")
    width = 4 if any(row[-1] for row in rows) else 3
    table(columns[:width], [row[:width] for row in rows])
    for run in runs:
        if run.state == "asking":
            say(f"run {run.id} waits for you: handpicked campaign decide {run.id} --send, or --skip")


@app.command()
def schedule(
    campaign: CampaignName,
    at: At = "",
    cron: Cron = "",
    time_zone: Zone = "UTC",
    own_time: OwnTime = False,
    missed: Late = "late",
    late_hours: LateHours = 24,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say when it goes out: once (--at) or again and again (--cron). `handpicked scheduler` does the rest."""
    from campaigns.edit import schedule as set_schedule
    from subscribers.database import writing

    world = open_workspace(workspace)
    with writing(world.database) as session:
        found = set_schedule(
            session,
            campaign,
            now=world.clock(),
            at=at,
            cron=cron,
            time_zone=time_zone,
            own_time=own_time,
            missed=missed,
            late_hours=late_hours,
        )
    say(f"campaign {found.name}: {_when(found)}")


@app.command()
def pause(campaign: CampaignName, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Let nothing of it go out until it is resumed."""
    _move(campaign, "pause", workspace)


@app.command()
def resume(campaign: CampaignName, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Go on with the next due time; what came due in the pause is not sent afterwards."""
    _move(campaign, "resume", workspace)


@app.command()
def cancel(campaign: CampaignName, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """End it for good."""
    _move(campaign, "cancel", workspace)


def _move(campaign: str, action: str, workspace: Path) -> None:
    from campaigns.edit import move
    from subscribers.database import writing

    world = open_workspace(workspace)
    with writing(world.database) as session:
        found = move(session, campaign, action, now=world.clock())
    say(f"campaign {found.name}: {_when(found)}")


def _when(campaign: "Campaign") -> str:
    """The state, and the next due time in the campaign's own zone."""
    if campaign.state != "scheduled" or campaign.next_due is None:
        return campaign.state
    from campaigns.calendar import FIRST_ON_EARTH

    if campaign.own_time:
        return (
            f"scheduled, next {campaign.next_due.astimezone(FIRST_ON_EARTH):%a %Y-%m-%d %H:%M} in each one's own time"
        )
    local = campaign.next_due.astimezone(ZoneInfo(campaign.time_zone))
    return f"scheduled, next {local:%a %Y-%m-%d %H:%M} {campaign.time_zone}"


def _plain(campaign: "Campaign") -> dict[str, Any]:
    import json

    timing = ("next_due", "cron", "time_zone", "own_time", "missed", "late_hours")
    names = ("name", "state", *timing, "template", "subject", "preheader", "picks", "transport", "version")
    fields = campaign.model_dump(mode="json")
    told = {name: fields[name] for name in names}
    told |= {name: json.loads(fields[name]) for name in ("variables", "rules", "segments")}
    return told | {"approved_by": campaign.approved_by, "approved_at": fields["approved_at"]}
