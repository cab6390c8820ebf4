"""Where bounces wait to be read: a Maildir, in which those that were read are marked so, or a file in mbox form."""

import mailbox
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from campaigns.bounce_reports import READ_BYTES
from campaigns.errors import CampaignsError

Waiting = tuple[bytes, Callable[[], None]]
"""A message, at most READ_BYTES of it, and what to call when it has been dealt with."""


class MailboxUnknown(CampaignsError):
    """A folder or file that is no mailbox we can read."""


def waiting_in(place: Path) -> Iterator[Waiting]:
    """The messages not dealt with yet, in the order of their names. Raises MailboxUnknown.

    Of a Maildir those that are not marked as read; calling what comes with a message moves it to `cur/` and marks it.
    Nothing is deleted. An mbox is read from its beginning each time, and nothing in it is changed: another program may
    be writing to it.
    """
    if all((place / part).is_dir() for part in ("new", "cur")):
        return _in_maildir(place)
    if place.is_file() and _begins_like_mbox(place):
        return _in_mbox(place)
    what = "is neither a Maildir nor an mbox file" if place.exists() else "does not exist"
    raise MailboxUnknown(f"{place} {what}; name the folder that your mail server puts bounces into")


def _in_maildir(folder: Path) -> Iterator[Waiting]:
    for part in ("new", "cur"):
        for name in sorted(os.listdir(folder / part)):
            path = folder / part / name
            if name.startswith(".") or "S" in _flags(name) or not path.is_file():  # a pipe would never end
                continue
            try:
                with path.open("rb") as file:
                    message = file.read(READ_BYTES)
            except FileNotFoundError:  # another reader was faster
                continue
            yield message, partial(_mark_read, folder, path)


def _mark_read(folder: Path, path: Path) -> None:
    """Move to cur/ with the flag S (seen), as https://cr.yp.to/proto/maildir.html has it."""
    flags = "".join(sorted({*_flags(path.name), "S"}))
    base = path.name.partition(":2,")[0]
    try:
        path.rename(folder / "cur" / f"{base}:2,{flags}")
    except FileNotFoundError:
        return  # another reader was faster; the report is counted once, whoever reads it


def _flags(name: str) -> str:
    return name.partition(":2,")[2]


def _begins_like_mbox(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(5) in (b"From ", b"")


def _in_mbox(path: Path) -> Iterator[Waiting]:
    box = mailbox.mbox(path, create=False)
    try:
        for key in box.iterkeys():
            with box.get_file(key) as file:
                message = file.read(READ_BYTES)
            yield message, lambda: None
    finally:
        box.close()
