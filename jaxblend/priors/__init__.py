"""Priors: bijections that carry N(0, 1) to the physical parameters of a source."""

from jaxblend.priors.population import Population
from jaxblend.priors.prior import Prior, population_prior

__all__ = ["Population", "Prior", "population_prior"]
