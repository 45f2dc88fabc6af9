"""The verb: a result against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxblend.evaluation import gather
from jaxblend.evaluation.blends import Blends, pair
from jaxblend.evaluation.evaluation import Evaluation
from jaxblend.evaluation.images import Stamps, image_scores
from jaxblend.evaluation.inputs import Result, Truth, read
from jaxblend.evaluation.residuals import catalog_residuals, found_by, neighbours
from jaxblend.evaluation.statistics import Resampling
from jaxblend.evaluation.tables import detections_table, sources_table
from jaxblend.metrics.resampling import check_resamples

__all__ = ["evaluate"]


def evaluate(
    result: Any,
    truth: Any,
    *,
    max_separation: float | None = None,
    band: str | None = None,
    key: jax.Array | None = None,
    n_bootstrap: int = 200,
) -> Evaluation:
    """Compare a result with the truth: detection, photometry, shapes, images and light gained and lost.

    Sources of result and truth are paired one to one within `max_separation`, whatever their order; the errors of
    `jaxblend.metrics` are taken of pairs. Nothing is thrown out: sources that are flagged count like others, a found
    source without a finite flux counts as one of flux 0, and all sources of a blend that failed are missed.

    Parameters
    ----------
    result
        A `Fit`, the `Scene` of `jaxblend.deblend`, a `Deblended` of `jaxblend.compare`, or a catalogue (a table with
        ``x, y`` in pixels and ``flux_<band>``; also ``radius, g1, g2, kind, flags`` if it has them); or a list of them,
        one per blend, None for a blend that failed.
    truth
        The simulated `Blend` that was deblended, as it was drawn or as it was stored, or one of a BTK batch
        (`blends_from_btk`), or its table of the truth, which leaves out all metrics of images; or a list, such as a
        `jaxblend.io.BlendFile`.
    max_separation
        Arcsec, within which a detection can stand for a source. By default the full width at half maximum of the PSF,
        the median of bands and blends: what is closer together may be one detection, and is then an unrecognised
        blend; what is farther apart can be told from each other. All numbers of detection depend on it; the Blending
        ToolKit takes 5 pixels. Tables do not tell the PSF, so with them it must be given.
    band
        The reference band, for metrics of images, light and magnitudes. The truth's by default, or the first of the
        shared bands if that is not among them. Bands of one side alone are left out. S/N and blendedness stay those
        of the truth's table.
    key
        Typed key that draws the resamples; ``jax.random.key(0)`` by default.
    n_bootstrap
        How many times blends are drawn again for errors.

    Returns
    -------
    Evaluation
        Numbers with errors in ``table``, ``in_bins(by)`` and ``detection_in_bins(by)``, and the ``sources`` and
        ``detections`` behind them.

    Raises
    ------
    TypeError
        If result or truth is of another kind.
    ValueError
        If their numbers, bands, units, zero points or stamps do not fit together, or an option is out of range.
    """
    check_resamples(n_bootstrap)
    if max_separation is not None and not max_separation > 0:
        raise ValueError(f"max_separation must be positive, in arcsec, got {max_separation}")
    results, truths = read(result, truth)
    bands = gather.shared_bands(results, truths, band)
    pixel_scales = np.array([one.pixel_scale for one in truths])
    separation = gather.default_separation(truths) if max_separation is None else float(max_separation)
    blends = pair(
        gather.sources_of_truths(truths, bands),
        gather.sources_of_results(results, bands),
        pixel_scales=pixel_scales,
        max_separation=separation,
        shear=gather.shear_of(truths),
        failed=gather.failed_blends(results),
    )
    shear = np.broadcast_to(blends.shear[:, None], (*blends.truth.present.shape, 2))
    columns = {
        "separation": neighbours(blends, pixel_scales),
        "shear_g1": shear[..., 0],
        "shear_g2": shear[..., 1],
        **found_by(blends),
        **catalog_residuals(blends, bands.names),
        **image_scores(_stamps(results, truths, blends, bands)),
    }
    meta = {
        "bands": list(bands.names),
        "reference_band": bands.reference,
        "max_separation": separation,
        "n_blends": len(truths),
        "n_bootstrap": n_bootstrap,
    }
    return Evaluation(
        sources_table(truths, blends, bands, columns, meta),
        detections_table(results, blends, bands, meta),
        bands,
        separation,
        blends,
        Resampling(jax.random.key(0) if key is None else key, n_bootstrap),
    )


def _stamps(
    results: Sequence[Result], truths: Sequence[Truth], blends: Blends, bands: gather.Bands
) -> list[Stamps | None]:
    """Images of each blend. One that failed has none of its sources; one whose images are not there is left out."""
    images = [result.images(bands.reference) for result in results]
    if all(one is None for one in images):
        return [None] * len(images)
    return [_stamps_of(row, images[row], results[row], truth, blends, bands) for row, truth in enumerate(truths)]


def _stamps_of(
    row: int, images: Any, result: Result, truth: Truth, blends: Blends, bands: gather.Bands
) -> Stamps | None:
    true = truth.images(bands.reference)
    if true is None or truth.observation is None or (images is None and not blends.failed[row]):
        return None
    if images is not None:
        n = 0 if result.catalog is None else len(result.catalog)
        if images.shape != (n, *true.shape[1:]):
            raise ValueError(
                f"{result.name} has images of shape {images.shape} in {bands.reference} for {n} sources, and the truth "
                f"stamps of {true.shape[1:]} pixels: one image per source, on the stamp that was simulated"
            )
        images = images * bands.scales[row, bands.index]
    observation = truth.observation
    index = observation.bands.index(bands.reference)
    field, weight = (np.asarray(a[index], np.float32) for a in (observation.image, observation.weight))
    return Stamps.of(blends, row, images, true, field, weight)
