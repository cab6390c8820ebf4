"""Why a mail holds what it holds, as the plan's row keeps it: in numbers now, in words when somebody asks."""

from typing import Any

import orjson
from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.runs import message_of
from engine.catalog import Product
from engine.recommend.recommender import PersonPicks
from subscribers.secrets import Secrets


def frozen(picks: PersonPicks) -> dict[str, Any]:
    """What lies behind the picks, as plain data; what is empty is left out.

    evidence: for each pick [[sku_id, bought or looked at, by how much the score falls without it], …], strongest
    first, all else held as it is. runner_up: [sku_id, how far behind the last pick]. filtered: [[sku_id, rule], …] what
    would stand in the list but for a rule about this person. moved_from: the hero but for the hero cap.
    """
    evidence = [
        [[sku_id, "bought" if bought else "looked at", drop] for sku_id, bought, drop in pick.why.evidence]
        for pick in picks.picks
    ]
    plain: dict[str, Any] = {}
    if any(evidence):
        plain["evidence"] = evidence
    if picks.runner_up:
        plain["runner_up"] = picks.runner_up
    if picks.barred:
        plain["filtered"] = picks.barred
    if picks.moved_from:
        plain["moved_from"] = picks.moved_from
    return plain


def told(session: Session, run_id: int, address: str, secrets: Secrets) -> dict[str, Any]:
    """What the run's row of this person says, with the products' codes and titles as they are now.

    Raises RunUnknown, WrongState when the run has no row for this person.
    """
    message = message_of(session, run_id, address, secrets)
    picks, why = orjson.loads(message.picks), orjson.loads(message.why)
    evidence = why.get("evidence", [[]] * len(picks))
    filtered, runner_up, moved_from = why.get("filtered", []), why.get("runner_up"), why.get("moved_from")
    wanted = [pick[0] for pick in picks] + [proof[0] for proofs in evidence for proof in proofs]
    wanted += [sku_id for sku_id, _ in filtered] + ([runner_up[0]] if runner_up else []) + [moved_from or 0]
    rows = session.execute(
        select(col(Product.sku_id), col(Product.code), col(Product.title)).where(col(Product.sku_id).in_(wanted))
    )
    names = {sku_id: {"product": code, "title": title} for sku_id, code, title in rows}

    def name(sku_id: int) -> dict[str, str]:
        return names.get(sku_id, {"product": f"#{sku_id}", "title": "no longer in the catalogue"})

    return {
        "run": run_id,
        "gets_nothing": message.reason if not picks else "",
        "picks": [
            name(sku_id)
            | dict(zip(("score", "reason", "sentence", "propensity"), rest, strict=False))
            | {"evidence": [name(proof[0]) | {"how": proof[1], "drop": proof[2]} for proof in proofs]}
            for (sku_id, *rest), proofs in zip(picks, evidence, strict=True)
        ],
        "runner_up": name(runner_up[0]) | {"behind": runner_up[1]} if runner_up else None,
        "filtered": [name(sku_id) | {"rule": rule} for sku_id, rule in filtered],
        "hero_moved_from": name(moved_from) if moved_from else None,
    }
