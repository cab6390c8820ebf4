"""The pipeline as most would write it first: correct, readable, and slow. Kept to be measured against."""

import logging
import mailbox
import smtplib
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import numpy as np
import premailer
import scipy.sparse as sp
from jinja2 import Template
from lightfm import LightFM
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Session, col, select

from campaigns.execute import World
from engine.catalog import OUT_OF_STOCK, Product
from engine.render.cards import card
from engine.render.inline import speak
from engine.render.locale import Words
from engine.render.sandbox import Sandbox
from subscribers.links import UNSUBSCRIBE, LinkSigner
from subscribers.models import Kind, Signal, Subscriber, Suppression


class _Tables(DeclarativeBase):
    """The naive pipeline's own, apart from ours."""


class NaiveLog(_Tables):
    """One row a mail, committed one by one."""

    __tablename__ = "naivelog"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    subject: Mapped[str]


Leave = Callable[[EmailMessage], object]
"""How a finished mail leaves."""


def by_smtp(host: str, port: int) -> Leave:
    """A connection for every mail, as the examples of `smtplib` show it."""

    def leave(message: EmailMessage) -> None:
        with smtplib.SMTP(host, port) as connection:
            connection.send_message(message)

    return leave


def into_maildir(folder: Path) -> Leave:
    """A file for every mail."""
    outbox = mailbox.Maildir(folder, create=True)
    return lambda message: outbox.add(mailbox.MaildirMessage(message))


class NaivePipeline:
    """Everything an ORM, `model.predict`, Jinja, premailer and EmailMessage do when each is called once a mail."""

    def __init__(self, world: World, leave: Leave) -> None:
        self._world, self._leave = world, leave
        self.mails = 0
        self._words = Words("en")
        self._variables = world.settings.templates.sheet("picked-for-you").defaults()
        _Tables.metadata.create_all(world.database)
        with Session(world.database) as session:
            self._products = session.exec(select(Product).order_by(col(Product.sku_id))).all()
            people = session.exec(select(Subscriber).order_by(col(Subscriber.id))).all()
            self._rows = {person.id: row for row, person in enumerate(people)}
            columns = {product.sku_id: column for column, product in enumerate(self._products)}
            seen = session.exec(select(Signal).where(col(Signal.subscriber_id).is_not(None))).all()
        interactions = sp.coo_matrix(
            (
                np.ones(len(seen), dtype=np.float32),
                ([self._rows[s.subscriber_id] for s in seen], [columns[s.sku_id] for s in seen]),
            ),
            shape=(len(people), len(self._products)),
        )
        self._features = _features(list(self._products))
        self._model = LightFM(no_components=64, loss="warp", random_state=20)
        self._model.fit(interactions, item_features=self._features, epochs=2)

    def run(self, every: int = 1) -> None:
        """Mail those who may be mailed, one after the other: everybody, or every so-manieth of them."""
        self.mails = 0
        settings = self._world.settings
        sandbox = Sandbox(settings.templates.folders)
        speak(sandbox, self._words)
        template = sandbox.get_template("picked-for-you.html")
        signer = LinkSigner(self._world.secrets, UNSUBSCRIBE)
        with Session(self._world.database) as session:
            chosen = select(Subscriber).where(col(Subscriber.id) % every == 0)  # nobody is loaded in vain
            for person in session.exec(chosen.order_by(col(Subscriber.id))).all():
                refused = session.exec(select(Suppression).where(Suppression.key == person.key)).first()
                if refused or not person.may_mail:
                    continue
                picks = self._picks(session, person)
                self._mail(session, person, picks, template, signer.sign(person.key))
                self.mails += 1

    def _picks(self, session: Session, person: Subscriber) -> list[Product]:
        history = session.exec(select(Signal).where(Signal.subscriber_id == person.id)).all()
        bought = {signal.sku_id for signal in history if signal.kind == Kind.PURCHASE}
        everything = np.arange(len(self._products))
        scores = self._model.predict(self._rows[person.id], everything, item_features=self._features)
        ranked = [self._products[column] for column in np.argsort(-scores)]
        fine = [p for p in ranked if p.sku_id not in bought and p.image_link and p.availability != OUT_OF_STOCK]
        return fine[:5]

    def _mail(self, session: Session, person: Subscriber, picks: list[Product], template: Template, token: str) -> None:
        settings = self._world.settings
        sender = settings.sender()
        link = f"{settings.public_url}/u/{token}"
        cards = [{**card(product, public_url=settings.public_url), "reason": "Chosen for you"} for product in picks]
        for shown in cards:
            shown["price"] = self._words.money(shown["price_minor"], shown["currency"])
        subject = f"{picks[0].title} and {len(picks) - 1} more picks"
        html = template.render(
            subject=subject,
            preheader="Picked for you this week",
            language=person.language,
            direction="ltr",
            subscriber={"given_name": person.given_name},
            campaign=self._variables,
            hero=cards[0],
            picks=cards[1:],
            sender={"name": sender.name, "postal_address": sender.postal_address, "website": sender.website},
            links={"unsubscribe": link, "home": sender.website},
            banner={"words": "", "link": ""},
        )
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender.address, person.address, subject
        message["Date"] = datetime.now(UTC)
        message["List-Unsubscribe"] = f"<{link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        lines = [f"{shown['title']} {shown['price']} {shown['link']}" for shown in cards]
        message.set_content("\n".join([*lines, link]))
        inlined = premailer.transform(html, allow_network=False, cssutils_logging_level=logging.CRITICAL)
        message.add_alternative(inlined, subtype="html")
        self._leave(message)
        session.add(NaiveLog(address=person.address, subject=subject))
        session.commit()


def _features(products: list[Product]) -> sp.csr_matrix:
    """Identity and product type, as the LightFM documentation shows."""
    types = sorted({product.product_type for product in products})
    rows = np.arange(len(products))
    kinds = sp.csr_matrix(
        (np.ones(len(products), dtype=np.float32), (rows, [types.index(product.product_type) for product in products])),
        shape=(len(products), len(types)),
    )
    return sp.hstack([sp.identity(len(products), dtype=np.float32), kinds]).tocsr()
