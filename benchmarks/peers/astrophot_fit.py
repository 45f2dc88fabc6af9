"""Fit Sersic galaxies to one band with AstroPhot's Levenberg-Marquardt.

One galaxy is its "sersic galaxy model", several are a group model; both start with AstroPhot's own ``initialize`` and
only the centres given. Flux is the Sersic profile's integral to infinity, from the fitted intensity, radius, index and
axis ratio.
"""

import logging
import time
from dataclasses import dataclass

import numpy as np
from scipy.special import gamma, gammaincinv

from .importing import require


@dataclass(frozen=True)
class AstroPhotFit:
    """What AstroPhot made of one image.

    Attributes
    ----------
    model
        Model of all galaxies, convolved, (H, W).
    fluxes, window_fluxes
        Flux of each galaxy to infinity, and within its window, which is what AstroPhot itself reports, (n,).
    radii, indices
        Major-axis half-light radius in arcsec and Sersic index, (n,).
    chi2
        Sum of weight times squared residual over the number of pixels with weight > 0 that lie in the fitted window.
    seconds_start, seconds_fit
        Wall time of ``initialize`` and of the fit, for all galaxies together.
    message
        AstroPhot's closing message.
    """

    model: np.ndarray
    fluxes: np.ndarray
    window_fluxes: np.ndarray
    radii: np.ndarray
    indices: np.ndarray
    chi2: float
    seconds_start: float
    seconds_fit: float
    message: str

    @property
    def seconds_per_galaxy(self) -> float:
        """Start and fit, over the number of galaxies."""
        return (self.seconds_start + self.seconds_fit) / len(self.fluxes)


def fit(
    image: np.ndarray,
    weight: np.ndarray,
    psf: np.ndarray,
    positions: np.ndarray,
    *,
    pixel_scale: float = 0.2,
    window: int | None = None,
    max_iterations: int = 100,
) -> AstroPhotFit:
    """Fit one Sersic profile per position.

    Parameters
    ----------
    image, weight
        Data and inverse variance, (H, W); weight 0 masks a pixel.
    psf
        PSF at the pixel scale, (h, w), h and w odd.
    positions
        Centres in pixels, (n, 2) as x, y; they are starts, and are fitted.
    pixel_scale
        Arcsec per pixel.
    window
        Side in pixels of the window from which each galaxy is started and within which it is drawn; by default the
        whole image.
    max_iterations
        Where the fit gives up; AstroPhot's default.

    Raises
    ------
    ImportError
        If AstroPhot (or torch) is missing.
    """
    astrophot = _import_quietly()
    positions = np.atleast_2d(np.asarray(positions, float))
    target = _target(astrophot, image, weight, psf, pixel_scale)
    galaxies = [
        astrophot.Model(
            name=f"galaxy_{index}",
            model_type="sersic galaxy model",
            target=target,
            center=position * pixel_scale,
            window=_window(position, window, np.shape(image)),
        )
        for index, position in enumerate(positions)
    ]
    model = galaxies[0]
    if len(galaxies) > 1:
        model = astrophot.Model(name="blend", model_type="group model", models=galaxies, target=target)
    begin = time.perf_counter()
    model.initialize()
    started = time.perf_counter()
    result = astrophot.fit.LM(model, max_iter=max_iterations, verbose=0).fit()
    finished = time.perf_counter()
    drawn, fitted = _draw(model, np.shape(image))
    weight = np.where(fitted, weight, 0.0)
    return AstroPhotFit(
        model=drawn,
        fluxes=np.array(
            [sersic_flux(*(_value(galaxy, name) for name in ("Ie", "Re", "n", "q"))) for galaxy in galaxies]
        ),
        window_fluxes=np.array([float(galaxy.total_flux()) for galaxy in galaxies]),
        radii=np.array([_value(galaxy, "Re") for galaxy in galaxies]),
        indices=np.array([_value(galaxy, "n") for galaxy in galaxies]),
        chi2=float((weight * (np.asarray(image) - drawn) ** 2).sum() / (weight > 0).sum()),
        seconds_start=started - begin,
        seconds_fit=finished - started,
        message=str(result.message),
    )


def sersic_flux(intensity: float, radius: float, index: float, axis_ratio: float) -> float:
    """Flux to infinity of a Sersic profile.

    Parameters
    ----------
    intensity
        Surface brightness at the half-light radius, per square arcsec.
    radius
        Half-light radius along the major axis, arcsec.
    index, axis_ratio
        Sersic index, and minor over major axis.
    """
    steepness = gammaincinv(2 * index, 0.5)
    shape = 2 * np.pi * index * np.exp(steepness) * steepness ** (-2 * index) * gamma(2 * index)
    return float(intensity * radius**2 * axis_ratio * shape)


def _import_quietly():
    """Import AstroPhot without the log file and the handlers that it would give to the root logger."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.addHandler(logging.NullHandler())  # with a handler in place, its basicConfig opens no file
    try:
        return require("astrophot", "astrophot torch")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _target(astrophot, image, weight, psf, pixel_scale):
    """AstroPhot's image; pixels of weight 0 go into its mask."""
    weight = np.asarray(weight, float)
    good = weight > 0
    return astrophot.TargetImage(
        data=np.asarray(image, float),
        variance=1 / np.where(good, weight, 1.0),
        mask=~good,
        psf=astrophot.PSFImage(data=np.asarray(psf, float)),
        pixelscale=pixel_scale,
    )


def _window(position, side, shape):
    """Window (x from, x to, y from, y to) of a galaxy, cut at the borders; None for the whole image."""
    if side is None:
        return None
    low = np.maximum(np.round(position - side / 2), 0).astype(int)
    high = np.minimum(np.round(position + side / 2), (shape[1], shape[0])).astype(int)
    return (low[0], high[0], low[1], high[1])


def _draw(model, shape):
    """Model on the whole image, (H, W), zero outside the model's window, and where that window is."""
    window = model.window
    inside = np.s_[window.j_low : window.j_high, window.i_low : window.i_high]
    drawn, fitted = np.zeros(shape), np.zeros(shape, bool)
    drawn[inside] = model().data.detach().cpu().numpy()
    fitted[inside] = True
    return drawn, fitted


def _value(galaxy, name):
    """A fitted parameter as a number."""
    return float(galaxy[name].npvalue)
