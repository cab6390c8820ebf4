"""The kinds of work that pages may leave to `studio.jobs`, by name, and who may start one of them again."""

from studio.actions.imports import IMPORT
from studio.actions.model import EVALUATE, TRAIN
from studio.actions.runs import RESEND
from studio.import_work import import_now
from studio.jobs import Work
from studio.model_work import evaluate_now, send_again, train_now
from studio.roles import Role

KINDS: dict[str, Work] = {IMPORT: import_now, TRAIN: train_now, EVALUATE: evaluate_now, RESEND: send_again}
TITLES = {
    IMPORT: "Importing a file",
    TRAIN: "Training the model",
    EVALUATE: "Comparing with bestsellers",
    RESEND: "Sending those in doubt again",
}
NEEDED: dict[str, Role] = {TRAIN: Role.ADMIN, EVALUATE: Role.ADMIN, RESEND: Role.APPROVER}
"""Who may ask for such a job; a marketer for those that are not here."""
