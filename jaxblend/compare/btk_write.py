"""Simulated blends as a batch of the Blending ToolKit (BTK)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxblend.compare.btk_plain import btk_class, make_wcs, stamp_size, to_sky
from jaxblend.forward.psf_images import effective_psf
from jaxblend.simulation.psf import effective_psf_images, survey_psfs
from jaxblend.simulation.survey import Survey
from jaxblend.simulation.varying_psf import VaryingPSF

if TYPE_CHECKING:
    import galsim
    from astropy.table import Table

__all__ = ["blends_to_btk"]

_PSF_SIDE = 31  # pixels on which PSFs are compared
_SAME_PSF = 5e-3  # of the peak


def blends_to_btk(
    blends: Sequence[Any],
    survey: Survey,
    *,
    psf: Any = None,
    max_n_sources: int | None = None,
) -> Any:
    """Put simulated blends into a BTK batch, for BTK's deblenders and metrics.

    Parameters
    ----------
    blends
        Blends of one survey and one size, as `jaxblend.simulate` makes them.
    survey
        With which they were simulated.
    psf
        As for `jaxblend.simulate`: the same as there. A batch has one PSF a band for all its blends.
    max_n_sources
        Slots for sources; by default as many as the fullest blend has.

    Returns
    -------
    btk.blend_batch.BlendBatch
        Or, where BTK is not installed, an object with its fields.

    Raises
    ------
    ValueError
        If stamps are not square or not of one size; or a blend has other bands, another PSF, more sources than there
        are slots, or masked pixels, which a batch cannot hold.
    """
    blends = list(blends)
    most = max((len(blend.positions) for blend in blends), default=0)
    slots = most if max_n_sources is None else max_n_sources
    _check_blends(blends, survey, most, slots)
    psfs = _one_psf(blends, survey, psf)
    size = blends[0].observation.shape[0]
    isolated = np.zeros((len(blends), slots, len(survey.bands), size, size))
    for row, blend in zip(isolated, blends, strict=True):
        row[: len(blend.positions)] = blend.isolated
    wcs = make_wcs(survey.pixel_scale, size)
    return btk_class("BlendBatch")(
        batch_size=len(blends),
        max_n_sources=slots,
        stamp_size=stamp_size(size, survey.pixel_scale),
        survey=_codex_survey(survey),
        blend_images=np.stack([np.asarray(blend.observation.image, float) for blend in blends]),
        isolated_images=isolated,
        catalog_list=[_btk_table(blend, survey, wcs) for blend in blends],
        psf=list(psfs),
    )


def _check_blends(blends, survey, most, slots):
    if not blends:
        raise ValueError("there are no blends: give at least one")
    shapes = {blend.observation.shape for blend in blends}
    if len(shapes) > 1 or any(height != width for height, width in shapes):
        raise ValueError(f"stamps have shapes {sorted(shapes)}: BTK has square stamps of one size")
    others = {blend.observation.bands for blend in blends} - {tuple(survey.bands)}
    if others:
        raise ValueError(f"blends have bands {sorted(others)}, the survey has {survey.bands}: give that of the blends")
    masked = [i for i, blend in enumerate(blends) if not np.all(blend.observation.weight > 0)]
    if masked:
        raise ValueError(f"blends {masked[:10]} have masked pixels, of which BTK knows nothing: leave out artefacts")
    if most > slots:
        raise ValueError(f"a blend has {most} sources, more than max_n_sources={slots}: raise it")


def _one_psf(blends, survey, psf) -> tuple[galsim.GSObject, ...]:
    """The PSF of each band, which must be that of every blend."""
    if callable(psf) or isinstance(psf, VaryingPSF):
        raise ValueError(f"psf is {psf!r}, another for each blend: a batch of BTK has one for all")
    psfs = survey_psfs(survey, psf)
    drawn = effective_psf_images(psfs, pixel_scale=survey.pixel_scale, size=_PSF_SIDE)
    seen = {id(blend.observation.psf): (i, blend.observation) for i, blend in reversed(list(enumerate(blends)))}
    for i, observation in seen.values():
        own = effective_psf(observation, _PSF_SIDE)
        margin = (_PSF_SIDE - own.shape[-1]) // 2
        middle = drawn[:, margin : _PSF_SIDE - margin, margin : _PSF_SIDE - margin]
        if np.any(np.abs(own - middle).max((1, 2)) > _SAME_PSF * drawn.max((1, 2))):
            raise ValueError(f"blend {i} was drawn with another PSF: give psf= as it was given to simulate")
    return psfs


def _codex_survey(survey: Survey) -> Any:
    """The surveycodex survey with these bands only; BTK's own kind where it is installed."""
    import surveycodex

    codex = surveycodex.get_survey(survey.name)
    codex = replace(codex, _filters={band: codex.get_filter(band) for band in survey.bands})
    try:
        from btk.survey import Survey as BTKSurvey  # pyright: ignore[reportMissingImports]
    except ImportError:
        return codex
    return BTKSurvey.from_surveycodex_survey(codex)


def _btk_table(blend, survey, wcs) -> Table:
    """The truth, and the columns that BTK looks for."""
    from astropy.table import Table

    table: Any = Table(meta=dict(blend.truth.meta))
    sky = to_sky(wcs, blend.positions)
    columns = {"ra": sky[:, 0], "dec": sky[:, 1], "x_peak": blend.positions[:, 0], "y_peak": blend.positions[:, 1]}
    columns |= {name: blend.truth[name] for name in blend.truth.colnames}
    columns |= {f"{band}_ab": blend.truth[f"mag_{band}"] for band in survey.bands if f"mag_{band}" in columns}
    for name, values in columns.items():
        table[name] = np.asarray(getattr(values, "value", values))
    return table
