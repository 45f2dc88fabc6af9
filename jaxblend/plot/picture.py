"""Figures without pyplot's global state, which show themselves in a notebook and are saved in one step."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from jaxblend.io.atomic import atomic_path

__all__ = ["Picture", "bar_below", "bare", "outlined", "source_colours"]

# Okabe & Ito (2008), told apart with every kind of colour vision; its black and yellow are left out, which vanish on
# dark and on light ground.
OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2")
RESIDUAL_MAP = "RdBu_r"
FLUX_MAP = "gray_r"


class Picture(Figure):
    """A matplotlib figure that no pyplot knows of."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()

    def save(self, path: str | os.PathLike, *, dpi: float = 150) -> Path:
        """Write the picture; the suffix says how (.png, .pdf, .svg). The file appears whole or not at all."""
        path = Path(path)
        with atomic_path(path) as temporary:
            self.savefig(temporary, dpi=dpi)
        return path


def source_colours() -> Iterator[str]:
    """Go round the colours that mark sources, which everybody can tell apart."""
    return cycle(OKABE_ITO)


def outlined(width: float = 2.0, colour: str = "black") -> list[withStroke]:
    """Give lines and text an outline, so that they show on any ground."""
    return [withStroke(linewidth=width, foreground=colour)]


def bare(axes: Axes, title: str = "") -> None:
    """Take ticks off the axes of an image and give it a title."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_anchor("N")
    if title:
        axes.set_title(title, fontsize=9, loc="left")


def bar_below(image: Any, axes: Any, label: str, *, ticks: Any = None) -> None:
    """Put a colour bar under an image."""
    extend = "both" if image.norm.vmin < 0 and ticks is None else "max"
    axes.get_figure().colorbar(
        image,
        ax=axes,
        label=label,
        location="bottom",
        shrink=0.85,
        aspect=30,
        pad=0.02,
        extend=extend,
        ticks=ticks,
        panchor=False,
    )
