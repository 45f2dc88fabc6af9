"""What a user gives, result and truth of one blend or of many, brought to one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from jaxtyping import Float

from jaxblend.compare.btk_read import BTKBlend
from jaxblend.compare.deblender import Deblended
from jaxblend.fitting import Fit
from jaxblend.forward.observation import Observation
from jaxblend.frames import Scene
from jaxblend.infer.flags import Outcome
from jaxblend.io.stored import StoredBlend
from jaxblend.simulation.blend import Blend

__all__ = ["Result", "Truth", "read"]

RESULTS = "a Fit, a Scene, a Deblended, a catalogue (a table), or None where it failed"
TRUTHS = "a simulated Blend, one that was stored, one of a BTK batch, or its table of the truth"


@dataclass(frozen=True)
class Result:
    """The result for one blend.

    Attributes
    ----------
    name
        To speak of it in errors.
    catalog
        None where the blend failed.
    images
        Gives the image (n, H, W) of each source in a band, or None if there are none.
    """

    name: str
    catalog: Table | None
    images: Callable[[str], Float[np.ndarray, "n H W"] | None]


@dataclass(frozen=True)
class Truth:
    """The truth of one blend.

    Attributes
    ----------
    name
        To speak of it in errors.
    catalog
        The table.
    observation, isolated
        What was seen, and each source alone, (n, C, H, W); None if the table is all there is.
    """

    name: str
    catalog: Table
    observation: Observation | None = None
    isolated: Float[Any, "n C H W"] | None = None

    @property
    def pixel_scale(self) -> float:
        """Arcsec per pixel."""
        if self.observation is not None:
            return float(self.observation.frame.pixel_scale)
        meta: Any = self.catalog.meta
        try:
            return float(np.ravel(meta["pixel_scale"])[0])
        except (KeyError, TypeError, ValueError, IndexError):
            raise ValueError(
                f'{self.name}: its meta["pixel_scale"] must be the arcsec of a pixel, got {meta.get("pixel_scale")!r}'
            ) from None

    def images(self, band: str) -> Float[np.ndarray, "n H W"] | None:
        """Each source alone in one band."""
        if self.observation is None or self.isolated is None:
            return None
        return np.asarray(self.isolated[:, self.observation.bands.index(band)])


def read(result: Any, truth: Any) -> tuple[list[Result], list[Truth]]:
    """Read results and truths, one of each per blend.

    Raises
    ------
    TypeError
        If something is of another kind.
    ValueError
        If there are not as many results as truths, or none.
    """
    results = [_result(f"result {i}", one) for i, one in enumerate(_listed(result, (Fit, Scene, Deblended), RESULTS))]
    truths = [_truth(f"truth {i}", one) for i, one in enumerate(_listed(truth, (Blend, StoredBlend, BTKBlend), TRUTHS))]
    if len(results) != len(truths) or not results:
        raise ValueError(
            f"there must be one result per blend, in the order of the truths, got {len(results)} results and "
            f"{len(truths)} truths; of a blend that failed give None"
        )
    return results, truths


def _listed(given: Any, kinds: tuple[type, ...], expected: str) -> Sequence[Any]:
    if given is None or isinstance(given, (*kinds, Table)):
        return [given]
    if isinstance(given, Iterable) and not isinstance(given, (str, dict, np.ndarray)):
        return list(given)
    raise TypeError(f"expected {expected}, or a list of them, got {type(given).__name__}")


def _result(name: str, given: Any) -> Result:
    if given is None or (isinstance(given, Fit) and given.outcome is Outcome.FAILED):
        return Result(name, None, _no_images)
    if isinstance(given, Fit):
        return Result(name, given.catalog, lambda band: _images_of_fit(given, band))
    if isinstance(given, Scene):
        return Result(name, given.catalog, lambda band: _images_of_scene(given, band))
    if isinstance(given, Deblended):
        return Result(name, given.catalog, lambda band: _images_of_deblended(given, band))
    if isinstance(given, Table):
        return Result(name, given, _no_images)
    raise TypeError(f"{name} must be {RESULTS}, got {type(given).__name__}")


def _truth(name: str, given: Any) -> Truth:
    if isinstance(given, (Blend, BTKBlend)):
        return Truth(name, given.truth, given.observation, given.isolated)
    if isinstance(given, StoredBlend):
        if given.truth is None:
            raise ValueError(f"{name} is a stored blend without its table of the truth: give one of a BlendFile")
        return Truth(name, given.truth, given.observation, given.isolated)
    if isinstance(given, Table):
        return Truth(name, given)
    raise TypeError(f"{name} must be {TRUTHS}, got {type(given).__name__}")


def _no_images(band: str) -> None:
    return None


def _images_of_fit(fit: Fit, band: str) -> Float[np.ndarray, "n H W"] | None:
    """Of a fit that kept its images, in the first observation, if that has the band."""
    if fit.item is None or not fit.observations or band not in fit.observations[0].bands:
        return None
    return fit.images[:, fit.observations[0].bands.index(band)].copy()  # the other bands are let go


def _images_of_scene(scene: Scene, band: str) -> Float[np.ndarray, "n H W"] | None:
    """The stamps, each on the whole image."""
    if band not in scene.observation.bands:
        return None
    index = scene.observation.bands.index(band)
    images = np.zeros((len(scene.images), *scene.observation.shape), np.float32)
    for image, (stamp, place) in zip(images, scene.images, strict=True):
        image[place] = stamp[index]
    return images


def _images_of_deblended(deblended: Deblended, band: str) -> Float[np.ndarray, "n H W"] | None:
    meta: Any = deblended.catalog.meta
    return np.asarray(deblended.images[:, list(meta["bands"]).index(band)])
