"""Draws from the posterior of a blend, the odds of hypotheses, and the blend as a NumPyro model."""

from jaxblend.sampling.compare import Comparison, compare_models
from jaxblend.sampling.hypotheses import Hypothesis, one_or_two
from jaxblend.sampling.posterior import Posterior
from jaxblend.sampling.sample import sample, sample_batch

__all__ = ["Comparison", "Hypothesis", "Posterior", "compare_models", "one_or_two", "sample", "sample_batch"]
