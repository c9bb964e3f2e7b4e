"""The project's own text generator: made-up places, passages about them, questions and answers. Pure and seeded."""

from training.generator.families import LEFT_OUT
from training.generator.rows import examples, golds, rehearsal

__all__ = ["LEFT_OUT", "examples", "golds", "rehearsal"]
