"""The one table of what an error means at the faces: an exit code for the command line, a status for the browser."""

from campaigns import errors as campaigns
from engine import errors as engine
from subscribers import errors as subscribers

USAGE, SERVICE = 2, 3
"""Exit codes: wrong usage or input; a service could not be reached. 0 and 1 are not errors."""

# The first class that fits counts, so the narrow ones stand before the base of their package.
OUTCOMES: tuple[tuple[type[Exception], int, int], ...] = (
    (subscribers.DatabaseUnreachable, SERVICE, 503),
    (subscribers.SubscriberUnknown, USAGE, 404),
    (subscribers.TokenInvalid, USAGE, 404),
    (subscribers.SubscribersError, USAGE, 422),
    (engine.TemplateMissing, USAGE, 404),
    (engine.ModelMissing, USAGE, 409),
    (engine.ModelRefused, 1, 409),
    (engine.EngineError, USAGE, 422),
    (campaigns.TransportUnavailable, SERVICE, 503),
    (campaigns.CampaignUnknown, USAGE, 404),
    (campaigns.RunUnknown, USAGE, 404),
    (campaigns.WrongState, USAGE, 409),
    (campaigns.BytesChanged, 1, 409),
    (campaigns.CampaignsError, USAGE, 422),
)


def exit_code_of(error: Exception) -> int | None:
    """The exit code for an expected error, None for a bug. A database that stops answering midway is a service."""
    from sqlalchemy.exc import OperationalError

    if isinstance(error, OperationalError):
        return SERVICE
    return next((code for kind, code, _ in OUTCOMES if isinstance(error, kind)), None)


def status_of(error: Exception) -> int | None:
    """The HTTP status for an expected error, None for a bug."""
    return next((status for kind, _, status in OUTCOMES if isinstance(error, kind)), None)


def sentence_of(error: Exception) -> str:
    """What to tell a person: one sentence, without SQL."""
    from sqlalchemy.exc import OperationalError

    if isinstance(error, OperationalError):
        return f"the database does not answer: {error.orig}; nothing that was not committed is kept, try again"
    return str(error)
