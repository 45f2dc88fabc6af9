"""The verbs ``fit`` and ``fit_batch`` and what they return."""

from jaxblend.fitting.batch import fit_batch
from jaxblend.fitting.fit import fit
from jaxblend.fitting.result import Fit

__all__ = ["Fit", "fit", "fit_batch"]
