"""From an image to a table of sources, and to what its noise is like."""

from jaxblend.detection.noise import (
    correlation_from_covariance,
    correlation_from_power,
    estimate_noise_correlation,
)
from jaxblend.detection.sep import detect

__all__ = ["correlation_from_covariance", "correlation_from_power", "detect", "estimate_noise_correlation"]
