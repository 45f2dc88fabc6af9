"""The verb for one blend."""

from __future__ import annotations

from collections.abc import Sequence

from jaxblend.fitting.batch import fit_batch
from jaxblend.fitting.result import Fit
from jaxblend.forward.galaxies import AbstractGalaxy
from jaxblend.forward.observation import Observation
from jaxblend.priors import Population, Prior

__all__ = ["fit"]


def fit(
    observations: Observation | Sequence[Observation],
    positions,
    *,
    model: AbstractGalaxy | Sequence[AbstractGalaxy] | None = None,
    stars=None,
    prior: Prior | None = None,
    population: Population | None = None,
    position_scatter: float | None = None,
) -> Fit:
    """Fit the sources of one blend: maximum a posteriori and Laplace covariance.

    Parameters
    ----------
    observations
        One image, or several of the same sky (one likelihood; each with its own PSF and pixels).
    positions
        (n, 2). For one image, pixels x, y. For several, (ra, dec) in degrees if they have WCSs, else arcsec from the
        middle of each image.
    model
        The galaxy model, ``BulgeDisk()`` by default; or a list of n, one for each source.
    stars
        (n,) booleans: which of the sources are point sources.
    prior
        Your own; ``population_prior`` with ``population`` by default.
    population
        Parameters of the default prior.
    position_scatter
        Prior standard deviation in arcsec of a source about its given position; by default one pixel, the largest
        of the images.

    Raises
    ------
    ValueError
        If positions are not (n, 2) finite numbers, or the images and their PSFs do not fit together.
    """
    group = (observations,) if isinstance(observations, Observation) else tuple(observations)
    if not group or not all(isinstance(o, Observation) for o in group):
        raise ValueError(f"observations must be an Observation or a list of them, got {type(observations).__name__}")
    options = {"prior": prior, "population": population, "position_scatter": position_scatter}
    try:
        stars = None if stars is None else [stars]
        models = model if model is None or isinstance(model, (AbstractGalaxy, type)) else [model]
        return fit_batch([group], [positions], model=models, stars=stars, on_error="raise", **options)[0]
    except ValueError as error:
        raise ValueError(str(error).removeprefix("blend 0: ")) from None
