"""What is to be seen to before a campaign goes out: what keeps it from being sent, and what somebody should know.

Made to be looked at with every page: each question is one cheap look, and of the mails one is written, for a made-up
reader. Whether somebody's own mail is in order is found out by the plan, for each of them.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import exists, select
from sqlmodel import Session, col

from campaigns import approval, beats, segments
from campaigns.errors import CampaignInvalid, CampaignsError, SettingsInvalid
from campaigns.freeze import make_content
from campaigns.missed import GRACE
from campaigns.models import Campaign, CampaignState
from campaigns.pick_rules import rules_in
from campaigns.press import Press
from campaigns.sample_mails import MADE_UP_SENDER, SampleShop
from campaigns.settings import SETTINGS_FILE, Settings
from campaigns.template_check import concerns_in, hosts_in
from campaigns.transports import make_transport
from engine.catalog import Product
from engine.errors import EngineError, ModelMissing
from engine.recommend import registry
from subscribers.errors import SubscribersError
from subscribers.models import Subscriber, Suppression

LOOKED_AT = 250  # people from each end of the roster who are looked at one by one before all are
LONGEST_SUBJECT = 60  # characters; a phone shows some 40, the narrow column of a mail program some 60


class Verdict(StrEnum):
    """What an item means for sending."""

    OK = "ok"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True)
class Item:
    """One line of the checklist. says: how it is, in a sentence. mend: what to do, empty when it is in order."""

    key: str
    says: str
    state: Verdict = Verdict.OK
    mend: str = ""

    def summary(self) -> dict[str, str]:
        """As plain data, with keys that stay."""
        return asdict(self)


def checklist(session: Session, campaign: Campaign, settings: Settings, *, now: datetime) -> list[Item]:
    """All items, in the order in which somebody would see to them. Takes 10 ms, at first 0.5 s; see `_audience`."""
    return [
        _state(campaign),
        *_mail(campaign, settings, now),
        *_settings(campaign, settings),
        _model(settings),
        _products(session),
        _audience(session, campaign, now),
        _approval(session, campaign, settings),
        _schedule(campaign, now),
        _scheduler(session, now),
        _transport(campaign, settings),
    ]


def blocks(items: list[Item]) -> list[Item]:
    """Those that keep the campaign from being sent."""
    return [item for item in items if item.state is Verdict.BLOCK]


def _state(campaign: Campaign) -> Item:
    if campaign.state == CampaignState.CANCELLED:
        return Item("state", "The campaign is cancelled.", Verdict.BLOCK, "Duplicate it, and send the copy.")
    return Item("state", f"The campaign is {campaign.state}.")


def _mail(campaign: Campaign, settings: Settings, now: datetime) -> Iterator[Item]:
    """The template, and the subject and preheader of one mail."""
    mend = f"Mend it, or choose another template; `handpicked template check {campaign.template}` says more."
    try:
        rules_in(campaign.rules, settings)
        content = make_content(campaign, _with_a_sender(settings))
        shop = SampleShop(content.public_url)
        reader = shop.readers(content)[0]
        assert reader.row is not None  # a made-up reader always gets a mail
        (letter,) = Press(content, shop.cards, date=now).letters([reader.row])
        found = concerns_in([(reader, letter)], content, hosts_in(content, shop, now))
    except (EngineError, CampaignsError) as error:
        yield Item("template", f"The mail cannot be made: {error}.", Verdict.BLOCK, mend)
        return
    errors = [concern for concern in found if concern.severity == "error"]
    if errors:
        worst = f"{errors[0].check} {errors[0].examples[0]}"
        yield Item("template", f"A sample mail must not be sent: {worst}.", Verdict.BLOCK, mend)
    else:
        yield Item("template", f"A sample mail of template {campaign.template} is in order.")
    yield _subject(letter.mail.subject)
    yield _preheader(letter.mail.preheader)


def _subject(subject: str) -> Item:
    if len(subject) > LONGEST_SUBJECT:
        says = f"The subject has {len(subject)} characters; many inboxes show no more than {LONGEST_SUBJECT}."
        return Item("subject", says, Verdict.WARN, "Say it in fewer words, or put what matters first.")
    return Item("subject", f"The subject has {len(subject)} characters.")


def _preheader(preheader: str) -> Item:
    if preheader.strip():
        return Item("preheader", "There is a line for the inbox to show behind the subject.")
    says = "The preheader is empty: inboxes show whatever stands first in the mail."
    return Item("preheader", says, Verdict.WARN, "Write a line that goes on from the subject.")


def _settings(campaign: Campaign, settings: Settings) -> Iterator[Item]:
    where = f"Set it in {SETTINGS_FILE} of the workspace."
    try:
        settings.sender()
        yield Item("sender", f"Mails come from {settings.sender_name}, with a postal address.")
    except SettingsInvalid as error:
        yield Item("sender", f"It is not said who mails come from: {error}.", Verdict.BLOCK, where)
    if campaign.transport != "smtp":
        return
    try:
        make_transport("smtp", settings)
    except (SettingsInvalid, CampaignInvalid) as error:
        yield Item("smtp", f"Nothing can be sent by SMTP: {error}.", Verdict.BLOCK, where)
        return
    yield Item("smtp", f"Mails leave by {settings.smtp_host}.")


def _model(settings: Settings) -> Item:
    try:
        return Item("model", f"Picks are made with model {registry.current(settings.models)[:8]}.")
    except ModelMissing:
        return Item("model", "No model is trained yet.", Verdict.BLOCK, "Run `handpicked train`.")


def _products(session: Session) -> Item:
    if session.execute(select(col(Product.sku_id)).limit(1)).first():
        return Item("products", "There are products to pick from.")
    mend = "Import a product feed: `handpicked import products FILE`."
    return Item("products", "There are no products.", Verdict.BLOCK, mend)


def _audience(session: Session, campaign: Campaign, now: datetime) -> Item:
    """Whether there is anybody; how many is for `segments.reach`, which has to count them.

    A segment that is not rare has somebody among the first few (5 ms); to know that nobody is in it takes as long as to
    count it (up to 1.5 s for 1,000,000 people).
    """
    somebody = select(col(Subscriber.id)).where(col(Subscriber.may_mail), col(Subscriber.address) != "")
    somebody = somebody.where(~exists().where(col(Suppression.key) == col(Subscriber.key)))
    mend = "Choose other segments, or import people who agreed to get mails."
    ends = (col(Subscriber.id), col(Subscriber.id).desc())  # the oldest and the newest on the roster
    some = [who for end in ends for who in session.scalars(somebody.order_by(end).limit(LOOKED_AT)) if who is not None]
    try:
        aim = segments.segments_of(campaign)
        first = segments.people_of(session, aim, now, only=some)
        if first is not None and session.execute(first.limit(1)).first():
            return Item("audience", "There are people to send it to.")
        among = segments.people_of(session, aim, now)
    except (CampaignsError, SubscribersError) as error:
        return Item("audience", f"Whom it is for cannot be found out: {error}.", Verdict.BLOCK, mend)
    if among is not None:
        somebody = somebody.where(col(Subscriber.id).in_(among))
    if session.execute(somebody.limit(1)).first():
        return Item("audience", "There are people to send it to.")
    who = "Nobody in its segments may be mailed." if among is not None else "Nobody on the roster may be mailed."
    return Item("audience", who, Verdict.BLOCK, mend)


def _approval(session: Session, campaign: Campaign, settings: Settings) -> Item:
    if not settings.require_approval:
        return Item("approval", "No approval is needed.")
    if why := approval.missing(session, campaign, settings):
        says = why.partition("; ")[0]
        mend = "Ask an approver to look at it and to approve it."
        return Item("approval", f"{says[:1].upper()}{says[1:]}.", Verdict.BLOCK, mend)
    return Item("approval", f"{campaign.approved_by or 'Somebody'} has approved it as it stands.")


def _schedule(campaign: Campaign, now: datetime) -> Item:
    due, mend = campaign.next_due, "Set a time, or start it by hand."
    waits = campaign.state in (CampaignState.SCHEDULED, CampaignState.PAUSED)
    if waits and not campaign.cron and due and now - due > GRACE:
        return Item("schedule", f"Its time, {due:%Y-%m-%d %H:%M} UTC, is past.", Verdict.BLOCK, "Set a later time.")
    if campaign.state == CampaignState.PAUSED:
        return Item("schedule", "It is paused: nothing goes out.", Verdict.WARN, "Resume it.")
    if campaign.state != CampaignState.SCHEDULED or not due:
        return Item("schedule", "It is not scheduled.", Verdict.WARN, mend)
    return Item("schedule", f"It is due next on {due:%Y-%m-%d %H:%M} UTC.")


def _scheduler(session: Session, now: datetime) -> Item:
    if beats.is_alive(session, beats.SCHEDULER, now=now):
        return Item("scheduler", "A scheduler is running.")
    last = beats.last_beat(session, beats.SCHEDULER)
    since = f"since {last:%Y-%m-%d %H:%M} UTC" if last else "yet"
    says = f"No scheduler has been seen {since}: nothing is sent at its time."
    return Item("scheduler", says, Verdict.WARN, "Start `handpicked scheduler`.")


def _transport(campaign: Campaign, settings: Settings) -> Item:
    if campaign.transport != "outbox":
        return Item("transport", f"Mails leave by {campaign.transport}.")
    says = f"Mails stay on this machine, in {settings.outbox.name}."
    return Item("transport", says, Verdict.WARN, "Choose the transport smtp to send them to people.")


def _with_a_sender(settings: Settings) -> Settings:
    """For the sample: that the sender is missing is an item of its own."""
    return settings.model_copy(update={n: value for n, value in MADE_UP_SENDER.items() if not getattr(settings, n)})
