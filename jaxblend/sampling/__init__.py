"""Draws from the posterior of a blend, and the blend as a NumPyro model."""

from jaxblend.sampling.posterior import Posterior
from jaxblend.sampling.sample import sample, sample_batch

__all__ = ["Posterior", "sample", "sample_batch"]
