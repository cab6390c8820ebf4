"""What can go wrong at the faces, and the one table from every package's errors to exit codes and HTTP statuses."""

from typing import NamedTuple

from sqlalchemy.exc import InterfaceError, OperationalError

from campaigns import errors as campaigns
from engine import errors as engine
from subscribers import errors as subscribers
from subscribers.segments import SegmentUnknown


class StudioError(Exception):
    """Base of every error of this package."""


class BodyTooLarge(StudioError):
    """A request with more bytes than any form of ours has."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"this is more than {limit // 1024} KB; no form here is that large")


class HostRefused(StudioError):
    """A request under a host name that is not ours: another site's name was pointed at this machine (DNS rebinding)."""


class OriginRefused(StudioError):
    """A form sent from another site's page, or by something that does not say where it comes from."""


class LoginNeeded(StudioError):
    """A page or call that is only for people who are known."""

    def __init__(self) -> None:
        super().__init__("log in first; a program sends its access token as `Authorization: Bearer …`")


class RoleTooLow(StudioError):
    """Somebody may not do this."""

    def __init__(self, role: str, needed: str) -> None:
        super().__init__(f"this needs the role {needed}, and you are {role}; an admin can change that")


class NotReadyYet(StudioError):
    """Something that is being made aside for the first time; asking again in a moment helps."""


class AccountUnknown(StudioError):
    """There is no such account."""


class JobUnknown(StudioError):
    """There is no such job."""


class FieldInvalid(StudioError):
    """What somebody typed into one field of a form cannot be used. The page says so beside that field."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field, self.sentence = field, sentence


class AccountInvalid(FieldInvalid):
    """An account that cannot be made or changed so."""


class Answer(NamedTuple):
    """How the two faces answer an error."""

    exit_code: int
    status: int


UNKNOWN, INVALID, CONFLICT, UNREACHABLE = Answer(2, 404), Answer(2, 422), Answer(2, 409), Answer(3, 503)
LOOK_AT_IT = Answer(1, 409)

ANSWERS: dict[type[Exception], Answer] = {
    subscribers.SubscribersError: INVALID,
    subscribers.SubscriberUnknown: UNKNOWN,
    SegmentUnknown: UNKNOWN,
    subscribers.TokenInvalid: UNKNOWN,
    subscribers.DatabaseUnreachable: UNREACHABLE,
    engine.EngineError: INVALID,
    engine.TemplateMissing: UNKNOWN,
    engine.NothingToTrainOn: CONFLICT,
    engine.ModelMissing: CONFLICT,
    engine.ModelDamaged: CONFLICT,
    engine.ModelRefused: LOOK_AT_IT,
    campaigns.CampaignsError: INVALID,
    campaigns.CampaignUnknown: UNKNOWN,
    campaigns.RunUnknown: UNKNOWN,
    campaigns.WrongState: CONFLICT,
    campaigns.BytesChanged: LOOK_AT_IT,
    campaigns.TransportUnavailable: UNREACHABLE,
    StudioError: Answer(2, 400),
    BodyTooLarge: Answer(2, 413),
    HostRefused: Answer(2, 421),
    OriginRefused: Answer(2, 403),
    LoginNeeded: Answer(2, 401),
    RoleTooLow: Answer(2, 403),
    NotReadyYet: UNREACHABLE,
    AccountUnknown: UNKNOWN,
    JobUnknown: UNKNOWN,
    FieldInvalid: INVALID,
    OperationalError: UNREACHABLE,
    InterfaceError: UNREACHABLE,
    OSError: UNREACHABLE,
}
"""By class; the closest ancestor of an error counts. What is not in here is a bug and shown as one."""


def answer_to(error: BaseException) -> Answer | None:
    """How to answer this error; None for a bug.

    >>> answer_to(campaigns.WrongState("run 3 is sending"))
    Answer(exit_code=2, status=409)
    """
    return next((ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), None)


def exit_code_of(error: BaseException) -> int | None:
    """The exit code for this error; None for a bug, which shows its traceback."""
    answer = answer_to(error)
    return answer.exit_code if answer else None


def sentence_of(error: BaseException) -> str:
    """The error in one line for a person. Of a database error only what the driver says: no statement, no values.

    >>> sentence_of(FileNotFoundError(2, "No such file or directory", "media"))
    'No such file or directory: media'
    """
    text = str(error)
    if isinstance(error, (OperationalError, InterfaceError)):
        text = f"the database does not answer: {error.orig}; nothing that was not committed is kept, try again"
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(text.split())
