"""Named points that a sender passes, at each of which its process may be killed without harm; tests kill it there."""

from collections.abc import Callable

LABELS = (
    "claimed",  # messages are ours, nothing was offered
    "offered",  # the other side took a recipient, nothing is committed
    "before handing over",  # inside the transaction, before its commit
    "handing over",  # committed; no byte of the message has left
    "half sent",  # bytes of the message are on the wire
    "sent",  # the final dot is out, no reply yet
    "replied",  # the reply is here and not yet written down
    "before settling",  # inside the transaction, before its commit
    "settled",  # committed
    "recovering",  # what a dead sender left is being settled
    "finishing",  # nothing is open, the run does not say so yet
)

watcher: Callable[[str], None] | None = None
"""Called with each label as it is passed. None outside tests."""


def reached(label: str) -> None:
    """Say that this point is passed."""
    if watcher is not None:
        watcher(label)
