"""`handpicked recommend`: what it picks for one person, and why."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.options import DEFAULT_WORKSPACE, Address, AsJson, Workspace, open_workspace
from studio.cli.output import say, say_json, table

if TYPE_CHECKING:
    from campaigns.execute import World
    from campaigns.view import ShownPick
    from engine.catalog import Product
    from engine.recommend.portrait import Portrait, Proof
    from engine.recommend.why import FullAccount


def recommend(
    address: Address,
    count: Annotated[int, typer.Option("-k", min=1, max=100, help="How many products.")] = 6,
    why: Annotated[
        bool, typer.Option("--why", help="All there is to say: the profile, what mattered most, what a rule kept out.")
    ] = False,
    run: Annotated[
        int | None, typer.Option(metavar="RUN", help="What this run was to bring them, and why, as it was planned.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """The picks of one person, best first, and why."""
    if run is not None:
        _planned(open_workspace(workspace), run, address, as_json)
        return
    from campaigns.view import account_of_one, products_by_id, shown_picks
    from subscribers.database import reading

    world = open_workspace(workspace)
    with reading(world.database) as session:
        account = account_of_one(session, world.settings, world.secrets, address, count, now=world.clock())
        picks = shown_picks(session, account.picks.picks)
        products = products_by_id(session, _mentioned(account))
    if as_json:
        plain = [pick.summary() for pick in picks]
        say_json({"picks": plain} | _plain(account, products) if why else plain)
        return
    if not picks:
        say("nothing is left to recommend to this person")
    else:
        rows = [
            (place, pick.code, pick.title, pick.price, f"{pick.score:.3f}", pick.reason, pick.sentence)
            for place, pick in enumerate(picks, start=1)
        ]
        table(("", "product", "title", "price", "score", "reason", "in the mail"), rows)
    if why:
        _tell(account, picks, products)


def _planned(world: "World", run: int, address: str, as_json: bool) -> None:
    """What a run's row of this person says."""
    from campaigns.reasons import told
    from subscribers.database import reading

    with reading(world.database) as session:
        kept = told(session, run, address, world.secrets)
    if as_json:
        say_json(kept)
        return
    if kept["gets_nothing"]:
        say(f"run {run} had no mail for this person: {kept['gets_nothing']}")
    for place, pick in enumerate(kept["picks"], start=1):
        say(f"{place} {pick['title']} ({pick['product']}): {pick['sentence']}")
        say(f"    {pick['reason']}, score {pick['score']:.3f}")
        for proof in pick["evidence"]:
            say(f"    {proof['how']} {proof['title']} ({proof['drop']:+.3f})")
    if kept["hero_moved_from"]:
        say(f"hero moved by a rule: {kept['hero_moved_from']['title']} was the hero of as many people as may have it")
    if kept["runner_up"]:
        say(f"runner-up: {kept['runner_up']['title']}, {kept['runner_up']['behind']:.3f} behind the last pick")
    for each in kept["filtered"]:
        say(f"kept out: {each['title']} ({each['rule']})")


def _mentioned(account: "FullAccount") -> list[int]:
    """Every product the account names."""
    labels = account.portrait.labels
    found = {each.sku_id for each in account.filtered} | {proof.sku_id for label in labels for proof in label.evidence}
    found |= {matter.signal.sku_id for matters in account.matters for matter in matters}
    found |= {account.picks.runner_up[0]} if account.picks.runner_up else set()
    found |= {account.picks.moved_from} if account.picks.moved_from else set()
    return sorted(found)


def _plain(account: "FullAccount", products: Mapping[int, "Product"]) -> dict[str, Any]:
    def code(sku_id: int) -> str:
        return products[sku_id].code if sku_id in products else str(sku_id)

    def signal(proof: "Proof") -> dict[str, Any]:
        return {"product": code(proof.sku_id), "kind": proof.kind.name.lower(), "at": _day(proof.at)}

    picks, portrait = account.picks, account.portrait
    return {
        "matters": [
            [signal(matter.signal) | {"drop": matter.drop} for matter in matters] for matters in account.matters
        ],
        "runner_up": {"product": code(picks.runner_up[0]), "behind": picks.runner_up[1]} if picks.runner_up else None,
        "hero_moved_from": code(picks.moved_from) if picks.moved_from else None,
        "filtered": [
            {"product": code(each.sku_id), "rule": each.rule, "score": each.score} for each in account.filtered
        ],
        "profile": {
            "rhythm": portrait.rhythm,
            "price_band": portrait.price_band,
            "labels": [
                {
                    "label": label.name,
                    "share": label.share,
                    "age_days": label.age_days,
                    "evidence": [signal(proof) | {"strength": proof.strength} for proof in label.evidence],
                }
                for label in portrait.labels
            ],
        },
    }


def _tell(account: "FullAccount", picks: "list[ShownPick]", products: Mapping[int, "Product"]) -> None:
    def title(sku_id: int) -> str:
        return products[sku_id].title if sku_id in products else f"a product no longer in the catalogue ({sku_id})"

    _tell_profile(account.portrait, products)
    say("what mattered most, and by how much the score falls without it:")
    for pick, matters in zip(picks, account.matters, strict=True):
        told = "; ".join(
            f"{matter.signal.kind.name.lower()} of {title(matter.signal.sku_id)} on {_day(matter.signal.at)} "
            f"({matter.drop:+.3f})"
            for matter in matters[:3]
        )
        say(f"  {pick.title}: {told or 'no signal of theirs'}")
    found = account.picks
    if found.moved_from:
        say(f"hero moved by a rule: {title(found.moved_from)} is the hero of as many people as may have it")
    if found.runner_up:
        say(f"runner-up: {title(found.runner_up[0])}, {found.runner_up[1]:.3f} behind the last pick")
    if account.filtered:
        say("would stand among the picks, but for a rule:")
        for each in account.filtered:
            say(f"  {title(each.sku_id)} ({each.rule}, score {each.score:.3f})")


def _tell_profile(portrait: "Portrait", products: Mapping[int, "Product"]) -> None:
    band = f", {portrait.price_band} prices" if portrait.price_band else ""
    say(f"profile: {portrait.rhythm}{band}")
    for label in portrait.labels:
        proofs = "; ".join(
            f"{proof.kind.name.lower()} of {products[proof.sku_id].title} on {_day(proof.at)}"
            for proof in label.evidence[:3]
            if proof.sku_id in products
        )
        say(f"  {label.name}, {label.share:.0%} of the interest, {label.age_days} days old: {proofs}")


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
