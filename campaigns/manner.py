"""The manner in which mails leave: how fast, from which return path, signed, in whose night not, and when it is too
much."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from campaigns import status_codes
from campaigns.dkim import make_signer
from campaigns.pace import Pace
from campaigns.quiet_hours import QuietHours, quiet_hours
from campaigns.return_path import ReturnPath
from campaigns.settings import Settings
from subscribers.secrets import Secrets


class Sign(Protocol):
    """Puts signatures in front of a finished message. at: when its run was planned."""

    def __call__(self, message: bytes, *, at: datetime) -> bytes: ...


def _never_again(reply: str) -> str:
    verdict = status_codes.judge(reply)
    return f"hard bounce {verdict.status}" if verdict.kind is status_codes.Kind.HARD else ""


def _nobody(reply: str) -> str:
    return ""


@dataclass(frozen=True)
class Manner:
    """The manner of one run; as it stands here that of the outbox: at once, from the sender's address, unsigned.

    return_path: the envelope sender of a message by its row's id. never_again: a reply to why its address must never
    be mailed again, or to nothing. quiet: the hours in which nobody gets a mail, in their own time zone.
    The rest are settings of the same names.
    """

    pace: Pace = field(default_factory=lambda: Pace(0, {}))
    return_path: Callable[[int], str] | None = None
    sign: Sign | None = None
    never_again: Callable[[str], str] = _nobody
    quiet: QuietHours | None = None
    retry_days: float = 2
    pause_at_failures: float = 0.1
    pause_at_bounces: float = 0.05
    pause_after: int = 100


def manner_of(transport: str, settings: Settings, secrets: Secrets) -> Manner:
    """The manner of a campaign with this transport. Raises SettingsInvalid."""
    if transport != "smtp":
        return Manner()
    signer = make_signer(settings)
    return_path = ReturnPath(settings, secrets) if settings.bounce_address else None
    return Manner(
        return_path=return_path.of if return_path else None,
        sign=signer.sign if signer else None,
        never_again=_never_again,
        quiet=quiet_hours(settings.quiet_hours),
        pace=Pace(settings.mails_per_second, settings.domain_mails_per_second),
        retry_days=settings.retry_days,
        pause_at_failures=settings.pause_at_failures,
        pause_at_bounces=settings.pause_at_bounces,
        pause_after=settings.pause_after,
    )
