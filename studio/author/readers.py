"""Whom to look at the template with: found as somebody types, one after another, or by surprise."""

from dataclasses import dataclass
from random import Random
from urllib.parse import quote, urlencode

from campaigns.execute import World
from campaigns.sample_mails import SampleShop, made_up_readers
from studio.pages import people
from subscribers.database import reading


@dataclass(frozen=True)
class Choice:
    """Somebody who can be chosen, and the link that does it."""

    title: str
    key: str

    @property
    def link(self) -> str:
        return f"?{urlencode({'who': self.key}, quote_via=quote)}"


class Readers:
    """The made-up readers, then the workspace's own people."""

    def __init__(self, shop: SampleShop) -> None:
        self._shop = shop
        self.made_up = [Choice(title, key) for key, title in made_up_readers()]
        self._keys = [choice.key for choice in self.made_up]

    @property
    def world(self) -> World | None:
        return self._shop.world

    def starting_with(self, text: str) -> list[Choice]:
        """Those whose name, address or description matches what was typed."""
        wanted = text.strip().lower()
        found = [choice for choice in self.made_up if wanted in f"{choice.title} {choice.key}".lower()]
        if not self.world or not wanted:
            return found
        with reading(self.world.database) as session:
            matching = people.starting_with(session, wanted)
        return [*(Choice(person.given_name or "Somebody", person.address) for person in matching), *found]

    def named(self, text: str) -> str | None:
        """The key of the one reader who is meant; None when there is none, or several."""
        if not text:
            return self._keys[0]
        if text in self._keys:
            return text
        if self.world and "@" in text:
            with reading(self.world.database) as session:
                person = people.with_address(session, text, self.world.secrets)
            if person:
                return str(person.address)
        found = self.starting_with(text)
        return found[0].key if len(found) == 1 else None

    def around(self, key: str) -> tuple[str, str]:
        """(the reader before, the one after); empty at either end."""
        if key in self._keys:
            place = self._keys.index(key)
            before = self._keys[place - 1] if place else ""
            later = self._keys[place + 1] if place + 1 < len(self._keys) else self._first_person()
            return before, later
        if not self.world:
            return "", ""
        with reading(self.world.database) as session:
            person = people.with_address(session, key, self.world.secrets)
            if person is None:
                return "", ""
            earlier, later_person = (step(session, person.id, None) for step in (people.before, people.after))
        return (earlier.address if earlier else self._keys[-1]), (later_person.address if later_person else "")

    def surprise(self, seed: int) -> str:
        """Somebody at random, the same for the same number: of the workspace's people if there are any."""
        if self.world:
            with reading(self.world.database) as session:
                person = people.surprise(session, seed, None)
            if person:
                return str(person.address)
        return Random(seed).choice(self._keys)

    def _first_person(self) -> str:
        if not self.world:
            return ""
        with reading(self.world.database) as session:
            person = people.after(session, 0, None)
        return str(person.address) if person else ""
