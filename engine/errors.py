"""What can go wrong in the engine."""


class EngineError(Exception):
    """Base of every error of this package."""


class TemplateBroken(EngineError):
    """A template that cannot be compiled, inlined or filled. Names the template, the line and what is missing."""


class TemplateMissing(EngineError):
    """There is no template of this name."""


class ContentOutdated(EngineError):
    """What a run was frozen from cannot be read by this version."""


class NothingToTrainOn(EngineError):
    """No signals to learn from, or no products to recommend."""


class ModelMissing(EngineError):
    """No model was trained yet, or its file is gone."""


class ModelDamaged(EngineError):
    """A model file whose bytes are not those it was named by."""


class ModelRefused(EngineError):
    """A model that is no better than recent popularity and was therefore not made current."""


class RuleInvalid(EngineError):
    """A rule for picks that cannot be read, or asks for something impossible."""
