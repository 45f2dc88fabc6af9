"""jaxblend separates overlapping galaxies: positions, fluxes, shapes and deblended images, with uncertainties.

>>> import jaxblend as jb
>>> obs = jb.Observation(image, weight, psf, pixel_scale=0.2, bands="ugrizy")  # doctest: +SKIP
>>> jb.fit(obs, positions).catalog  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxblend import compare, metrics, plot
    from jaxblend.detection import (
        correlation_from_covariance,
        correlation_from_power,
        detect,
        estimate_noise_correlation,
    )
    from jaxblend.errors import JaxblendWarning
    from jaxblend.evaluation import Evaluation, evaluate
    from jaxblend.fitting import Fit, fit, fit_batch
    from jaxblend.fitting.encode import encode, encode_batch
    from jaxblend.forward.frame import Frame
    from jaxblend.forward.free_form import FreeForm
    from jaxblend.forward.galaxies import BulgeDisk, DeVaucouleurs, Exponential, Sersic, Star
    from jaxblend.forward.observation import Observation
    from jaxblend.forward.psf import AiryPSF, ConvolvedPSF, GaussianPSF, KolmogorovPSF, MoffatPSF
    from jaxblend.forward.sampled_psf import ImagePSF
    from jaxblend.frames import deblend
    from jaxblend.infer.flags import Flag, Outcome, decode_flags
    from jaxblend.io.surveys import get_survey
    from jaxblend.nets.deblending_encoder import DeblendingEncoder
    from jaxblend.nets.galaxy import NeuralGalaxy
    from jaxblend.priors import Population, Prior, population_prior
    from jaxblend.sampling import (
        Comparison,
        Hypothesis,
        Posterior,
        compare_models,
        one_or_two,
        sample,
        sample_batch,
    )
    from jaxblend.sampling.numpyro_model import numpyro_model
    from jaxblend.simulation import (
        BlendSampler,
        draw_blends,
        psf_from_galsim,
        simulate,
        simulate_blends,
        simulate_surveys,
        stream_blends,
    )

_MODULES = ("compare", "metrics", "plot")
_HOMES = {
    "jaxblend": _MODULES,
    "jaxblend.detection": (
        "correlation_from_covariance",
        "correlation_from_power",
        "detect",
        "estimate_noise_correlation",
    ),
    "jaxblend.errors": ("JaxblendWarning",),
    "jaxblend.evaluation": ("Evaluation", "evaluate"),
    "jaxblend.fitting": ("Fit", "fit", "fit_batch"),
    "jaxblend.fitting.encode": ("encode", "encode_batch"),
    "jaxblend.forward.frame": ("Frame",),
    "jaxblend.forward.free_form": ("FreeForm",),
    "jaxblend.forward.galaxies": ("BulgeDisk", "DeVaucouleurs", "Exponential", "Sersic", "Star"),
    "jaxblend.forward.observation": ("Observation",),
    "jaxblend.forward.psf": ("AiryPSF", "ConvolvedPSF", "GaussianPSF", "KolmogorovPSF", "MoffatPSF"),
    "jaxblend.forward.sampled_psf": ("ImagePSF",),
    "jaxblend.frames": ("deblend",),
    "jaxblend.infer.flags": ("Flag", "Outcome", "decode_flags"),
    "jaxblend.io.surveys": ("get_survey",),
    "jaxblend.nets.deblending_encoder": ("DeblendingEncoder",),
    "jaxblend.nets.galaxy": ("NeuralGalaxy",),
    "jaxblend.priors": ("Population", "Prior", "population_prior"),
    "jaxblend.sampling.numpyro_model": ("numpyro_model",),
    "jaxblend.sampling": (
        "Comparison",
        "Hypothesis",
        "Posterior",
        "compare_models",
        "one_or_two",
        "sample",
        "sample_batch",
    ),
    "jaxblend.simulation": (
        "BlendSampler",
        "draw_blends",
        "psf_from_galsim",
        "simulate",
        "simulate_blends",
        "simulate_surveys",
        "stream_blends",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 (names are resolved below; in the order of a user's work)
    "get_survey", "Observation", "Frame",
    "estimate_noise_correlation", "correlation_from_power", "correlation_from_covariance",
    "GaussianPSF", "MoffatPSF", "KolmogorovPSF", "AiryPSF", "ConvolvedPSF", "ImagePSF", "psf_from_galsim",
    "BulgeDisk", "Sersic", "Exponential", "DeVaucouleurs", "Star", "FreeForm", "NeuralGalaxy",
    "Population", "Prior", "population_prior",
    "fit", "fit_batch", "Fit", "Flag", "Outcome", "decode_flags",
    "encode", "encode_batch", "DeblendingEncoder",
    "numpyro_model",
    "sample", "sample_batch", "Posterior",
    "compare_models", "Hypothesis", "one_or_two", "Comparison",
    "detect", "deblend", "simulate", "simulate_blends", "simulate_surveys", "BlendSampler",
    "draw_blends", "stream_blends", "evaluate", "Evaluation",
    "metrics", "compare", "plot", "JaxblendWarning",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a name from its module when it is first used, which keeps ``import jaxblend`` quick."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'jaxblend' has no attribute {name!r}")
    home = _HOME_OF[name]
    return import_module(f"jaxblend.{name}") if name in _MODULES else getattr(import_module(home), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
