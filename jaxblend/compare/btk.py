"""jaxblend, and any other deblender of this package, as a deblender of the Blending ToolKit (BTK)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from jaxblend.compare.btk_plain import btk_class, to_pixels, to_sky
from jaxblend.compare.btk_read import BTKBlend, read_blends
from jaxblend.compare.deblender import Deblender
from jaxblend.compare.own import Jaxblend

__all__ = ["BTKDeblender"]


@dataclass(frozen=True, eq=False, repr=False)
class BTKDeblender:
    """A deblender where BTK expects one, as in ``btk.deblend.DeblendGenerator``.

    It has the methods of ``btk.deblend.Deblender`` and, where BTK is installed, counts as one. BTK's numbers for the
    PSF are not used: see `jaxblend.compare.blends_from_btk`.

    BTK 1.0.9 asks for astropy < 7, with which jaxblend does not install. Both run side by side after
    ``pip install --no-deps blending-toolkit`` and ``pip install fast3tree h5py scikit-image tqdm 'numpy<2.4'``.

    Attributes
    ----------
    max_n_sources
        Slots for sources; a blend with more is an error, as with BTK's own deblenders.
    deblender
        What runs.
    psf, photon_noise
        As for `jaxblend.compare.blends_from_btk`.

    Examples
    --------
    >>> deblended = BTKDeblender(max_n_sources=10)(batch)  # doctest: +SKIP
    >>> at_the_truth = BTKDeblender(10)(batch, reference_catalogs=batch.catalog_list)  # doctest: +SKIP
    """

    max_n_sources: int
    deblender: Deblender = field(default_factory=Jaxblend)
    psf: Any = None
    photon_noise: bool = True

    def __post_init__(self):
        try:
            base = import_module("btk.deblend").Deblender
        except ImportError:
            return
        base.register(type(self))  # BTK's generators ask for an instance of it

    def __call__(self, blend_batch: Any, njobs: int = 1, reference_catalogs: Sequence[Any] | None = None) -> Any:
        """Deblend a batch: `batch_call`."""
        return self.batch_call(blend_batch, njobs, reference_catalogs=reference_catalogs)

    def deblend(self, ii: int, blend_batch: Any, reference_catalogs: Sequence[Any] | None = None) -> Any:
        """Deblend one blend.

        Parameters
        ----------
        ii
            Its row in the batch.
        blend_batch
            A ``btk.blend_batch.BlendBatch`` of one survey, or anything with its fields.
        reference_catalogs
            A table with ``ra`` and ``dec`` (arcsec from the middle of the stamp) for each blend of the batch: where the
            sources are. By default the deblender finds them.

        Returns
        -------
        btk.blend_batch.DeblendExample
            Or, where BTK is not installed, an object with its fields. The catalogue has ``ra`` and ``dec``, ``x_peak``
            and ``y_peak``, and the deblender's columns.

        Raises
        ------
        ValueError
            If there are more sources than slots.
        """
        (blend,) = self._blends(blend_batch, [ii])
        return self._example(blend, blend_batch, None if reference_catalogs is None else reference_catalogs[ii])

    def batch_call(self, blend_batch: Any, njobs: int = 1, reference_catalogs: Sequence[Any] | None = None) -> Any:
        """Deblend all blends of a batch.

        Parameters
        ----------
        blend_batch, reference_catalogs
            As for `deblend`.
        njobs
            Not used, since JAX takes all cores as it is and must not be forked.

        Returns
        -------
        btk.blend_batch.DeblendBatch
            Or, where BTK is not installed, an object with its fields.
        """
        references = reference_catalogs or [None] * blend_batch.batch_size
        blends = self._blends(blend_batch, range(blend_batch.batch_size))
        examples = [self._example(blend, blend_batch, table) for blend, table in zip(blends, references, strict=True)]
        return btk_class("DeblendBatch")(
            blend_batch.batch_size,
            self.max_n_sources,
            [example.catalog for example in examples],
            len(blend_batch.survey.available_filters),
            blend_batch.image_size,
            None,
            np.stack([example.deblended_images for example in examples]),
        )

    def __repr__(self) -> str:
        return self.deblender.name  # BTK keeps results under this name

    def _blends(self, batch, rows):
        return read_blends(batch, rows, psf=self.psf, photon_noise=self.photon_noise)

    def _example(self, blend: BTKBlend, batch: Any, reference: Any) -> Any:
        n_bands, size = blend.observation.n_bands, batch.image_size
        images = np.zeros((self.max_n_sources, n_bands, size, size))
        if reference is not None and not len(reference):
            return self._result(_empty_table(), images)
        result = self.deblender(blend.observation, None if reference is None else to_pixels(batch.wcs, reference))
        if len(result.catalog) > self.max_n_sources:
            raise ValueError(
                f"{self.deblender.name} found {len(result.catalog)} sources in a blend, more than "
                f"max_n_sources={self.max_n_sources}: raise it"
            )
        images[: len(result.images)] = result.images
        return self._result(_table(result, batch.wcs), images)

    def _result(self, table, images):
        return btk_class("DeblendExample")(self.max_n_sources, table, *images.shape[1:3], None, images)


def _table(result, wcs) -> Any:
    from astropy.table import Table

    table: Any = Table(meta=dict(result.catalog.meta))
    table["ra"], table["dec"] = to_sky(wcs, result.positions).T
    table["x_peak"], table["y_peak"] = result.positions.T
    for name in result.catalog.colnames:
        if name not in table.colnames:
            table[name] = np.asarray(getattr(result.catalog[name], "value", result.catalog[name]))
    return table


def _empty_table() -> Any:
    from astropy.table import Table

    return Table({name: np.zeros(0) for name in ("ra", "dec", "x_peak", "y_peak")})
