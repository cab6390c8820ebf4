"""What may be done to the model: trained, evaluated, and another one used."""

from campaigns.execute import World
from engine.recommend import registry
from studio.audit import note
from studio.jobs import ask
from studio.models import Job
from studio.visit import Visit
from subscribers.database import writing

TRAIN, EVALUATE = "train", "evaluate"


def train(world: World, visit: Visit) -> Job:
    """Ask for a training on everything known by then."""
    return _ask(world, visit, TRAIN)


def evaluate(world: World, visit: Visit) -> Job:
    """Ask for a comparison with the baselines on what was bought in the last 30 days."""
    return _ask(world, visit, EVALUATE)


def use(world: World, visit: Visit, name: str) -> None:
    """Use this model from the next plan on. Raises ModelMissing."""
    with writing(world.database) as session:
        note(session, visit, "model.use", f"model {name}", now=world.clock())
        registry.promote(world.settings.models, name)
        session.commit()


def roll_back(world: World, visit: Visit) -> str:
    """Use the model again that was in use before this one; returns its name. Raises ModelMissing."""
    with writing(world.database) as session:
        note(session, visit, "model.roll_back", "model in use", now=world.clock())
        name = registry.roll_back(world.settings.models)
        session.commit()
    return name


def _ask(world: World, visit: Visit, kind: str) -> Job:
    now = world.clock()
    with writing(world.database) as session:
        note(session, visit, f"model.{kind}", "model", now=now)
        job = ask(session, kind, {}, by=visit.name, now=now)
        session.commit()
        return job
