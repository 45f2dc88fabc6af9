"""How good is it? Pure functions of arrays; they know nothing of how the numbers were made."""

from jaxblend.metrics.binned import BinnedCoverage, coverage_in_bins
from jaxblend.metrics.calibration import coverage, pit, ranks
from jaxblend.metrics.ecdf import EcdfBand, EcdfTest, ecdf_band, ecdf_test
from jaxblend.metrics.tarp import tarp

__all__ = [
    "BinnedCoverage",
    "EcdfBand",
    "EcdfTest",
    "coverage",
    "coverage_in_bins",
    "ecdf_band",
    "ecdf_test",
    "pit",
    "ranks",
    "tarp",
]
