"""What is said of blends that were simulated: truth.md, numbers of all of them, and gallery.png, a few of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import QTable

    from jaxblend.simulation import Blend

__all__ = ["GALLERY", "SUMMARY", "Overview", "check_gallery"]

GALLERY, SUMMARY = "gallery.png", "truth.md"
PER_LINE = 3
QUANTILES = {"minimum": 0.0, "16 %": 0.16, "median": 0.5, "84 %": 0.84, "maximum": 1.0}
NOTE = (
    "S/N is that of a flux measured with the known shape, against the weights. Blendedness is how much of the light "
    "under a source is others', 0 to 1. Magnitudes are AB, of all the light."
)


def check_gallery(number: int) -> None:
    """See before the work that the gallery can be drawn.

    Raises
    ------
    ValueError
        If the number is negative, or matplotlib is missing.
    """
    if number < 0:
        raise ValueError(f"Got --gallery {number}, expected a number of blends, 0 or more.")
    if number:
        try:
            import_module("matplotlib")
        except ImportError as error:
            raise ValueError(f"{GALLERY} needs matplotlib ({error}): pip install matplotlib, or --gallery 0") from error


@dataclass
class Overview:
    """Watches blends go by, since they are not all kept.

    Attributes
    ----------
    gallery : int
        How many of them to show.
    """

    gallery: int
    _shown: list[Blend] = field(default_factory=list)
    _snr: list[np.ndarray] = field(default_factory=list)
    _blendedness: list[np.ndarray] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list)

    def watch(self, blends: Iterable[Blend]) -> Iterator[Blend]:
        """Hand on each blend, and remember what is said of it."""
        for blend in blends:
            self._see(blend)
            yield blend

    def write(self, truth: QTable, folder: Path) -> dict[str, Path]:
        """Write truth.md and, if there are to be any, the pictures of blends."""
        from jaxblend.io.atomic import atomic_path

        files = {SUMMARY: folder / SUMMARY}
        with atomic_path(files[SUMMARY]) as temporary:
            temporary.write_text("\n".join(self._lines(truth)) + "\n", encoding="utf-8")
        if self.gallery:
            from jaxblend.plot.gallery import gallery_picture

            files[GALLERY] = gallery_picture(self._shown, {}, per_line=PER_LINE).save(folder / GALLERY)
        return files

    def _see(self, blend: Blend) -> None:
        import numpy as np

        from jaxblend.simulation.truth import blendedness, signal_to_noise

        light = np.asarray(blend.isolated, float)
        bands = range(light.shape[1])
        with np.errstate(divide="ignore"):  # masked pixels have an infinite variance
            self._snr.append(signal_to_noise(light, 1 / np.asarray(blend.observation.weight, float)))
        self._blendedness.append(np.stack([blendedness(light[:, c]) for c in bands], axis=1))
        self._numbers.append(len(light))
        if len(self._shown) < self.gallery:
            self._shown.append(blend)

    def _lines(self, truth: QTable) -> list[str]:
        import numpy as np

        from jaxblend.evaluation.report import markdown_table

        about: Any = truth.meta  # astropy's types do not know it
        stars = int(np.sum(truth["kind"] == "star"))
        bands = list(about["bands"])
        head = (
            f"{len(self._numbers)} blends of {len(truth)} sources ({len(truth) - stars} galaxies, {stars} stars), seen "
            f"by {about['survey']} in {', '.join(bands)} at {about['pixel_scale']:g} arcsec per pixel."
        )
        rows = [_row("sources in a blend", "", np.array(self._numbers), "g")]
        snr, blended = (np.concatenate(those) for those in (self._snr, self._blendedness))
        rows += [_row("S/N", band, snr[:, c], ".1f") for c, band in enumerate(bands)]
        rows += [_row("blendedness", band, blended[:, c], ".3f") for c, band in enumerate(bands)]
        rows += [_row("magnitude", band, np.asarray(truth[f"mag_{band}"]), ".2f") for band in bands]
        header = ("of", "band", "count", *QUANTILES)
        layout = f"Layout: {about.get('layout', 'not known')}."
        return ["# Simulated blends", "", head, layout, "", *markdown_table(header, rows), "", NOTE]


def _row(name: str, band: str, values: np.ndarray, form: str) -> tuple[str, ...]:
    import numpy as np

    finite = values[np.isfinite(values)]
    quantiles = np.quantile(finite, list(QUANTILES.values())) if len(finite) else []
    cells = [format(float(value), form) for value in quantiles] or [""] * len(QUANTILES)
    return (name, band, str(len(finite)), *cells)
