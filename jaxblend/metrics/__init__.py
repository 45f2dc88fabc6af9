"""How good is it? Pure functions of arrays; they know nothing of how the numbers were made.

Estimates come first and truths second. ``where`` marks what counts, as NumPy's does.
"""

from jaxblend.metrics.aperture import ApertureFluxes, aperture_fluxes, aperture_weights
from jaxblend.metrics.binned import BinnedCoverage, coverage_in_bins
from jaxblend.metrics.blendedness import (
    aperture_blendedness,
    blendedness,
    gaussian_blendedness,
    pairwise_overlap,
    purity,
)
from jaxblend.metrics.bootstrap import Binned, in_bins
from jaxblend.metrics.calibration import coverage, pit, ranks
from jaxblend.metrics.catalog import RecoveredFlux, blend_fraction, neighbour_separation, recovered_flux
from jaxblend.metrics.confusion import efficiency_matrix, star_galaxy_confusion
from jaxblend.metrics.detection import (
    DetectionScores,
    MatchCounts,
    count_matches,
    detection_scores,
    f1_score,
    precision,
    recall,
)
from jaxblend.metrics.detection_in_bins import BinnedShare, precision_in_bins, recall_in_bins
from jaxblend.metrics.ecdf import EcdfBand, EcdfTest, ecdf_band, ecdf_test
from jaxblend.metrics.leakage import LightExchange, leakage, light_exchange
from jaxblend.metrics.matching import Match, match, take_partners
from jaxblend.metrics.moments import AdaptiveMoments, adaptive_moments
from jaxblend.metrics.photometry import (
    ResidualSummary,
    colour_residual,
    flux_conservation,
    flux_residual,
    magnitude_residual,
    residual_summary,
)
from jaxblend.metrics.reconstruction import (
    correlation,
    cosine_distance,
    cosine_similarity,
    flux_weighted_rmse,
    psnr,
    rmse,
)
from jaxblend.metrics.segment_blendedness import blended_area, neighbour_flux_ratio
from jaxblend.metrics.segmentation import (
    brightest_mask,
    dice,
    flux_fractions,
    iou,
    soft_dice,
    soft_iou,
    threshold_mask,
)
from jaxblend.metrics.shape import (
    MomentsResidual,
    distortion,
    ellipticity_residual,
    moments_residual,
    reduced_shear,
    size_residual,
)
from jaxblend.metrics.shear_bias import ShearBias, shear_bias, shear_bias_of_pairs
from jaxblend.metrics.structural import ssim
from jaxblend.metrics.tarp import tarp
from jaxblend.metrics.unrecognised import (
    Fragmentation,
    detections_per_source,
    fragmentation,
    sources_per_detection,
    unrecognised_blend_fraction,
)

__all__ = [  # noqa: RUF022 (a family of metrics after the other)
    "Match", "match", "take_partners",
    "MatchCounts", "DetectionScores", "count_matches", "detection_scores", "precision", "recall", "f1_score",
    "BinnedShare", "precision_in_bins", "recall_in_bins", "efficiency_matrix", "star_galaxy_confusion",
    "Fragmentation", "fragmentation", "detections_per_source", "sources_per_detection", "unrecognised_blend_fraction",
    "ResidualSummary", "flux_residual", "magnitude_residual", "colour_residual", "residual_summary",
    "flux_conservation", "LightExchange", "leakage", "light_exchange", "RecoveredFlux", "recovered_flux",
    "ApertureFluxes", "aperture_weights", "aperture_fluxes",
    "AdaptiveMoments", "adaptive_moments", "MomentsResidual", "moments_residual", "distortion", "reduced_shear",
    "ellipticity_residual", "size_residual", "ShearBias", "shear_bias", "shear_bias_of_pairs",
    "rmse", "flux_weighted_rmse", "psnr", "ssim", "cosine_similarity", "cosine_distance", "correlation",
    "threshold_mask", "brightest_mask", "flux_fractions", "iou", "dice", "soft_iou", "soft_dice",
    "blendedness", "purity", "gaussian_blendedness", "aperture_blendedness", "pairwise_overlap",
    "blended_area", "neighbour_flux_ratio", "blend_fraction", "neighbour_separation",
    "BinnedCoverage", "coverage", "coverage_in_bins", "pit", "ranks", "EcdfBand", "EcdfTest", "ecdf_band", "ecdf_test",
    "tarp", "Binned", "in_bins",
]  # fmt: skip
