"""Draws from the posterior of one blend, and how far they can be trusted."""

from __future__ import annotations

import dataclasses
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from jaxblend.fitting.result import Fit, images_at

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["Posterior"]

_UNITS = {"x": "pix", "y": "pix", "u": "arcsec", "v": "arcsec", "radius": "arcsec"}


@dataclasses.dataclass(frozen=True, eq=False)
class Posterior:
    """Equally weighted draws of n sources.

    Attributes
    ----------
    method : str
        That made them: "laplace", "importance", "nuts" or "svi".
    u : ndarray
        (chains, S, n, D), coordinates in which the prior is N(0, 1). Methods without chains have one, and so have
        draws of NUTS that were weighed in pixels, of whichever chain they are.
    quantities : ndarray
        (chains, S, n, Q), in the order of ``quantity_names``.
    diagnostics : dict
        ``effective_draws`` and, of chains, ``r_hat`` of the worst quantity; ``k_hat`` of importance weights (above 0.7
        they cannot be trusted); ``divergences``; ``log_evidence`` and its standard error; ``modes``, the
        solutions with a hundredth of the posterior or more that the starts of the fit led to; ``density_error``, the
        scatter of the log density that was sampled about that in pixels.
    diverging : ndarray or None
        (chains, S), of NUTS: whether the trajectory to a draw diverged. Draws that were weighed may be there more than
        once, or not at all; the diagnostics, ``r_hat`` among them, are those of the chains before.
    """

    method: str
    u: Float[np.ndarray, "chains S n D"]
    quantities: Float[np.ndarray, "chains S n Q"]
    quantity_names: tuple[str, ...]
    bands: tuple[str, ...]
    zero_points: Float[np.ndarray, " C"]
    stars: np.ndarray
    diagnostics: dict[str, Any]
    fit: Fit | None = None
    diverging: Bool[np.ndarray, "chains S"] | None = None

    @property
    def several_modes(self) -> bool:
        """Whether the starts of the fit led to more than one solution that matters; "laplace" and "svi" draw of one."""
        return self.diagnostics["modes"] > 1

    @property
    def draws(self) -> Float[np.ndarray, "S n Q"]:
        """All chains together."""
        return self.quantities.reshape(-1, *self.quantities.shape[2:])

    def of(self, name: str) -> Float[np.ndarray, "S n"]:
        """Draws of one quantity: a name of ``quantity_names``, ``flux_<band>``, ``mag_<band>``, ``x`` or ``y``."""
        if name in self.quantity_names:
            return self.draws[..., self.quantity_names.index(name)]
        kind, _, band = name.partition("_")
        if kind in ("flux", "mag") and band in self.bands:
            log_flux = self.draws[..., self.quantity_names.index(f"log_flux_{band}")]
            zero_point = self.zero_points[self.bands.index(band)]
            if kind == "mag" and not np.isfinite(zero_point):
                raise ValueError(f"the observation has no zero point in {band}: give zero_point= for magnitudes")
            return np.exp(log_flux) if kind == "flux" else zero_point - 2.5 / np.log(10) * log_flux
        if name in ("x", "y") and self.fit is not None:
            pixels = self.fit.context["frames"][0].sky_to_pixel(np.asarray(self.draws[..., :2], float))
            return pixels[..., ("x", "y").index(name)]
        raise ValueError(f"there are no draws of {name!r}: give one of {', '.join(self._names)}")

    def summary(self) -> QTable:
        """A row per source: mean, standard deviation and the 16, 50 and 84 % quantiles of every quantity."""
        import astropy.units as u
        from astropy.table import QTable

        table = QTable(meta={"method": self.method, **self.diagnostics})
        table["id"] = np.arange(self.quantities.shape[2])
        table["kind"] = np.where(self.stars, "star", "galaxy")
        for name in self._names:
            values = np.asarray(self.of(name), float)
            unit, spread = (u.ABmag, u.mag) if name.startswith("mag_") else [u.Unit(_UNITS.get(name, ""))] * 2
            table[name], table[f"{name}_err"] = values.mean(0) * unit, values.std(0) * spread
            for percent in (16, 50, 84):
                table[f"{name}_p{percent}"] = np.percentile(values, percent, axis=0) * unit
        return table

    def images(self, n: int = 20, observation: int = 0) -> Float[np.ndarray, "S n C H W"]:
        """Deblended images of n draws, spread evenly over all of them.

        Raises ``ValueError`` if there is no fit to draw with, no draw is asked for, or there is no such observation.
        """
        if self.fit is None or self.fit.item is None:
            raise ValueError("images need the fit that was sampled, with its images; a loaded posterior has none")
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n!r}")
        if not 0 <= observation < len(self.fit.context["shape"]):
            raise ValueError(f"there is no observation {observation!r}: the fit has {len(self.fit.context['shape'])}")
        u = self.u.reshape(-1, *self.u.shape[2:])
        chosen = u[np.linspace(0, len(u) - 1, min(n, len(u))).astype(int)]
        padded = np.zeros((len(chosen), *self.fit.result.u.shape), self.fit.result.u.dtype)
        padded[:, : chosen.shape[1]] = chosen
        height, width = self.fit.context["shape"][observation]
        drawn = np.asarray(images_at(self.fit.item, padded, observation))
        return drawn[:, : chosen.shape[1], :, :height, :width]

    def to_arviz(self):
        """An ArviZ ``InferenceData`` of chain, draw, source: a variable per quantity, and of NUTS divergences."""
        from jaxblend.sampling.storage import to_arviz

        return to_arviz(self)

    def save(self, path: str | PathLike) -> None:
        """Write a netCDF file: draws, names and diagnostics; without the fit, so that images and x, y are left out.

        ``xarray.open_dataset`` reads it, too; for ArviZ there is `to_arviz`.
        """
        from jaxblend.sampling.storage import save

        save(self, path)

    @classmethod
    def load(cls, path: str | PathLike) -> Posterior:
        """What ``save`` has written."""
        from jaxblend.sampling.storage import load

        return cls(**load(path))

    def __repr__(self) -> str:
        chains, draws, n = self.quantities.shape[:3]
        found = ", ".join(f"{k}={v:.3g}" for k, v in self.diagnostics.items() if isinstance(v, (int, float)))
        return f"Posterior({self.method}, {chains} x {draws} draws of {n} sources; {found})"

    @property
    def _names(self) -> tuple[str, ...]:
        """What a summary reports."""
        pixels = ("x", "y") if self.fit is not None else self.quantity_names[:2]
        fluxes = tuple(f"flux_{band}" for band in self.bands)
        known = np.isfinite(self.zero_points)
        magnitudes = tuple(f"mag_{band}" for band, good in zip(self.bands, known, strict=True) if good)
        return pixels + fluxes + magnitudes + self.quantity_names[2 + len(self.bands) :]
