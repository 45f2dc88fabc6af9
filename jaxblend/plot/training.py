"""Pictures of trained networks: learning curves, reconstructed galaxies, galaxies drawn from the prior."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.layout_engine import ConstrainedLayoutEngine

from jaxblend.plot.picture import RESIDUAL_MAP, Picture, bare

__all__ = ["draws_picture", "learning_curves", "reconstructions_picture"]

PANEL = 1.3  # inches
COLUMNS = 10
STRETCH, TOP = 8.0, 99.5  # of arcsinh; per cent of pixels below white


def learning_curves(history: Float[np.ndarray, "n 3"], *, label: str = "loss") -> Picture:
    """Draw training and validation losses against steps; the best validation is marked."""
    step, training, validation = history[np.isfinite(history[:, 0])].T
    figure = Picture(figsize=(6, 4), layout=ConstrainedLayoutEngine())
    axes = figure.subplots()
    axes.plot(step, training, color="0.6", label="training")
    axes.plot(step, validation, color="#0072B2", label="validation")
    best = np.argmin(validation)
    axes.plot(step[best], validation[best], "o", color="#D55E00", label=f"best: {validation[best]:.4g}")
    # The first losses are far above all others.
    tail = np.concatenate([training, validation])[np.isfinite(np.concatenate([training, validation]))]
    low, high = np.min(tail), np.percentile(tail, 90)
    axes.set_ylim(low - 0.1 * (high - low + 1e-9), high + 0.1 * (high - low + 1e-9))
    axes.set(xlabel="step", ylabel=label)
    axes.legend()
    return figure


def reconstructions_picture(
    seen: Float[np.ndarray, "n 2 h w"], true: Float[np.ndarray, "n 2 h w"], decoded: Float[np.ndarray, "n 2 h w"]
) -> Picture:
    """Draw galaxies of a blue and a red band, in units of the noise: seen, true, decoded, true less decoded (red band).

    The scale of the residual is five times the noise.
    """
    figure = Picture(figsize=(PANEL * len(seen), 4 * PANEL), layout=ConstrainedLayoutEngine())
    panels = np.reshape(figure.subplots(4, len(seen)), (4, -1))
    for column, images in zip(panels.T, zip(seen, true, decoded, strict=True), strict=True):
        top = float(np.percentile(images[1].mean(0), TOP))
        for axes, image in zip(column, images, strict=False):
            axes.imshow(_colours(image, top), origin="lower")
        column[3].imshow((images[1] - images[2])[1], origin="lower", cmap=RESIDUAL_MAP, vmin=-5, vmax=5)
        for axes in column:
            bare(axes)
    for axes, name in zip(panels[:, 0], ("seen", "true", "decoded", "true - decoded"), strict=True):
        axes.set_ylabel(name, fontsize=8)
    return figure


def draws_picture(components: Float[np.ndarray, "n 2 h w"], shares: Float[np.ndarray, "n 2"]) -> Picture:
    """Draw galaxies whose first (red) and second (blue) component have these shares of the light."""
    rows = -(-len(components) // COLUMNS)
    figure = Picture(figsize=(PANEL * COLUMNS, PANEL * rows), layout=ConstrainedLayoutEngine())
    panels = np.ravel(figure.subplots(rows, COLUMNS))
    for axes in panels:
        axes.set_axis_off()
    for axes, images, share in zip(panels, components, shares, strict=False):
        old, young = share[:, None, None] * images
        bands = np.stack([0.5 * old + 1.5 * young, 1.5 * old + 0.5 * young])
        axes.imshow(_colours(bands, float(np.percentile(bands.mean(0), TOP))), origin="lower")
    return figure


def _colours(bands: Float[np.ndarray, "2 h w"], top: float) -> Float[np.ndarray, "h w 3"]:
    """A blue and a red band as colours; green is their mean."""
    blue, red = bands
    stacked = np.stack([red, 0.5 * (blue + red), blue], axis=-1) / max(top, 1e-30)
    return np.clip(np.arcsinh(STRETCH * stacked) / np.arcsinh(STRETCH), 0, 1)
