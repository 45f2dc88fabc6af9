"""Results against the truth: one table of numbers, with errors, as a whole and in bins.

>>> import jaxblend as jb
>>> jb.evaluate(jb.fit(blend.observation, blend.positions), blend).table  # doctest: +SKIP
"""

from jaxblend.evaluation.evaluate import evaluate
from jaxblend.evaluation.evaluation import Evaluation

__all__ = ["Evaluation", "evaluate"]
