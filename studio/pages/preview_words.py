"""Why somebody gets these products, in words a marketer reads: what they did, what that says, what a rule decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.preview import PickRow, Preview
from engine.catalog import Product
from engine.recommend import guardrails
from engine.recommend.explain import Reason
from engine.recommend.portrait import Proof, Rhythm
from engine.recommend.why import FullAccount
from studio.pages.pictures import picture
from subscribers.models import Kind

BECAUSE = {
    Reason.BOUGHT: "It goes with what they have bought.",
    Reason.LOOKED_AT: "It goes with what they have looked at.",
    Reason.PROFILE: "It suits what they keep coming back to.",
    Reason.TREND: "Many people are buying it at the moment.",
    Reason.NEW: "It is new. A few people are shown something new by chance, so that it gets known.",
    Reason.RULE: "This campaign puts such products forward.",
}
DID = {Kind.VIEW: "looked at", Kind.CLICK: "clicked", Kind.CART: "put in the basket", Kind.PURCHASE: "bought"}
RULES = {
    guardrails.BOUGHT: "they have it already",
    guardrails.SHOWN: "it stood in one of their last mails",
    guardrails.TOO_FRESH: "they looked at it only just now",
    guardrails.OUT: "it is out of stock",
    guardrails.NO_IMAGE: "it has no picture",
    guardrails.GONE: "it is no longer sold",
    guardrails.SENSITIVE: "it is of a sensitive kind",
    guardrails.PRICE: "its price is outside this campaign’s limits",
    guardrails.NOT_INCLUDED: "this campaign does not include it",
    guardrails.EXCLUDED: "this campaign leaves it out",
}
RHYTHMS = {
    Rhythm.NEW: "New: first seen in the last 30 days.",
    Rhythm.ACTIVE: "Comes by regularly.",
    Rhythm.LAPSED: "Has not come by for a long time.",
    Rhythm.GIFT_BUYER: "Buys in bursts with quiet months between, as for presents.",
    Rhythm.UNKNOWN: "",
}
_KINDS = {"type": "", "brand": "brand ", "label": "", "price": ""}


@dataclass(frozen=True)
class Sign:
    """Something a person did. at: None where only the run's plan tells of it."""

    did: str
    title: str
    at: datetime | None = None


@dataclass(frozen=True)
class ShownPick:
    """A pick. sentence: what the mail says. because: why it is there. signs: what spoke most for it."""

    title: str
    picture: str
    score: float
    reason: str
    sentence: str
    because: str
    signs: tuple[Sign, ...]


@dataclass(frozen=True)
class Taste:
    """What a person keeps coming back to. share: of their interest, in per cent."""

    name: str
    share: int
    signs: tuple[Sign, ...]


@dataclass(frozen=True)
class Story:
    """Why a mail holds what it holds. moved_from: what would be the hero if not too many had it already."""

    picks: tuple[ShownPick, ...]
    moved_from: str = ""
    runner_up: str = ""
    kept_out: tuple[tuple[str, str], ...] = ()
    tastes: tuple[Taste, ...] = ()
    rhythm: str = ""
    price_band: str = ""


class Names:
    """Titles and pictures of products, read in one look."""

    def __init__(self, session: Session, wanted: Iterable[int]) -> None:
        query = select(col(Product.sku_id), col(Product.title), col(Product.image_link))
        self._rows = {row.sku_id: row for row in session.execute(query.where(col(Product.sku_id).in_(set(wanted))))}

    def title(self, sku_id: int) -> str:
        row = self._rows.get(sku_id)
        return row.title if row else "a product that is no longer in the catalogue"

    def picture(self, sku_id: int) -> str:
        """Where the studio finds it."""
        row = self._rows.get(sku_id)
        return picture(row.image_link) if row else ""

    def sign(self, proof: Proof) -> Sign:
        return Sign(DID.get(proof.kind, "did something with"), self.title(proof.sku_id), _moment(proof.at))


def story_of(session: Session, preview: Preview) -> Story:
    """The whole story of a preview, as far as it is known."""
    if preview.account is not None:
        return _told_now(session, preview, preview.account)
    return _told_then(session, preview, preview.why or {})


def _told_now(session: Session, preview: Preview, account: FullAccount) -> Story:
    picks, portrait = account.picks, account.portrait
    wanted = {pick.sku_id for pick in picks.picks} | {each.sku_id for each in account.filtered} | {picks.moved_from}
    wanted |= {proof.sku_id for label in portrait.labels for proof in label.evidence}
    wanted |= {matter.signal.sku_id for matters in account.matters for matter in matters}
    names = Names(session, wanted | ({picks.runner_up[0]} if picks.runner_up else set()))
    signs = [_once(names.sign(matter.signal) for matter in matters) for matters in account.matters]
    return Story(
        tuple(_pick(names, row, found) for row, found in zip(preview.picks, signs, strict=True)),
        moved_from=names.title(picks.moved_from) if picks.moved_from else "",
        runner_up=names.title(picks.runner_up[0]) if picks.runner_up else "",
        kept_out=tuple((names.title(each.sku_id), RULES.get(each.rule, each.rule)) for each in account.filtered),
        tastes=tuple(
            Taste(_of_label(label.name), round(label.share * 100), _once(map(names.sign, label.evidence)))
            for label in portrait.labels
        ),
        rhythm=RHYTHMS[portrait.rhythm],
        price_band=portrait.price_band,
    )


def _told_then(session: Session, preview: Preview, why: dict[str, Any]) -> Story:
    """What the run's row has kept: no times, and nothing of the profile."""
    evidence = why.get("evidence") or [[] for _ in preview.picks]
    kept_out, runner_up, moved_from = why.get("filtered", []), why.get("runner_up"), why.get("moved_from", 0)
    wanted = {row[0] for row in preview.picks} | {proof[0] for proofs in evidence for proof in proofs}
    wanted |= {each[0] for each in kept_out} | {moved_from} | ({runner_up[0]} if runner_up else set())
    names = Names(session, wanted)
    signs = [_once(Sign(proof[1], names.title(proof[0])) for proof in proofs) for proofs in evidence]
    return Story(
        tuple(_pick(names, row, found) for row, found in zip(preview.picks, signs, strict=True)),
        moved_from=names.title(moved_from) if moved_from else "",
        runner_up=names.title(runner_up[0]) if runner_up else "",
        kept_out=tuple((names.title(sku_id), RULES.get(rule, rule)) for sku_id, rule in kept_out),
    )


def _pick(names: Names, row: PickRow, signs: tuple[Sign, ...]) -> ShownPick:
    sku_id, score, reason, sentence, _ = row
    because = BECAUSE.get(Reason(reason), "") if reason in set(Reason) else ""
    personal = reason in (Reason.BOUGHT, Reason.LOOKED_AT, Reason.PROFILE)
    return ShownPick(
        names.title(sku_id), names.picture(sku_id), score, reason, sentence, because, signs if personal else ()
    )


def _once(signs: Iterable[Sign]) -> tuple[Sign, ...]:
    """Each product and deed once, the strongest first, three at most."""
    found: dict[tuple[str, str], Sign] = {}
    for sign in signs:
        found.setdefault((sign.did, sign.title), sign)
    return tuple(found.values())[:3]


def _of_label(name: str) -> str:
    """A label as people read it.

    >>> _of_label("label:dry skin"), _of_label("brand:maren")
    ('dry skin', 'brand maren')
    """
    kind, _, value = name.partition(":")
    return _KINDS.get(kind, "") + value


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
