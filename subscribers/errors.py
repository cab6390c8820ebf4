"""What can go wrong on the ground floor. The faces map these to exit codes and HTTP statuses in one table."""

SHOWN_CHARACTERS = 60


def shorten(value: str) -> str:
    """The start of a value, fit for one line of a report: no control characters, at most 60 characters.

    >>> shorten("a" * 100)[-5:]
    'aaaa…'
    """
    printable = "".join(character if character.isprintable() else "�" for character in value[: SHOWN_CHARACTERS + 1])
    return printable if len(printable) <= SHOWN_CHARACTERS else printable[: SHOWN_CHARACTERS - 1] + "…"


class SubscribersError(Exception):
    """Base of every error of this package."""


class AddressInvalid(SubscribersError):
    """An email address that nobody could deliver to."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{shorten(address)!r} is no usable email address: {reason}")
        self.address, self.reason = address, reason


class SubscriberUnknown(SubscribersError):
    """Nobody with this address is on the roster."""

    def __init__(self, address: str) -> None:
        super().__init__(f"nobody with the address {shorten(address)!r} is subscribed; check the spelling")
        self.address = address


class FileRejected(SubscribersError):
    """A whole file cannot be imported: nothing of it was taken."""


class RowRejected(SubscribersError):
    """A row cannot become a record. The good rows around it still do. `raw` are its cells, as far as they were read."""

    def __init__(self, line: int, column: str, value: str, reason: str, raw: tuple[str, ...] = ()) -> None:
        where = f"{shorten(column)} {shorten(value)!r} " if column else ""
        super().__init__(f"line {line}: {where}{reason}")
        self.line, self.column, self.value, self.reason, self.raw = line, column, value, reason, raw


class DatabaseUnreachable(SubscribersError):
    """The database does not answer, or is not one of ours."""


class TokenInvalid(SubscribersError):
    """A link token that we did not sign for this purpose. Deliberately says nothing more."""

    def __init__(self) -> None:
        super().__init__("this link is not valid; please use the newest mail you got from us")
