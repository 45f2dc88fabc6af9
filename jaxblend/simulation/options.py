"""The options of simulated blends, each named, explained and given its default once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from jaxblend.simulation.artefacts import Artefacts
from jaxblend.simulation.layouts import AbstractLayout, Uniform
from jaxblend.simulation.noise import NOISE_KINDS
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.seeds import DECENTRING
from jaxblend.simulation.shear import Shear, check_shear
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.varying_psf import VaryingPSF

if TYPE_CHECKING:
    import astropy.table
    import galsim

Function = TypeVar("Function", bound=Callable)
BACKENDS = ("galsim", "device")


@dataclass(frozen=True, kw_only=True, eq=False)
class ObservingOptions:
    """How one survey sees a scene.

    Attributes
    ----------
    stamp_size : int
        Width and height of the images, pixels.
    psf : str, GalSim object, one per band, VaryingPSF, or function, optional
        See `jaxblend.simulation.psf.survey_psfs`. A `VaryingPSF` is drawn anew for each blend; a function is given a
        `numpy.random.Generator` of the blend's own and returns any of the first three, such as one of a list of
        measured PSFs. What is selected by its S/N is so with the survey's own PSF.
    noise : bool or {"poisson", "gaussian", "sky"}
        Whether to add noise, and which: counted electrons of sky and sources (True), Gaussian noise of the same
        variance, or Gaussian noise of the sky alone. The weight is that of a noisy image in any case.
    noise_correlation : (h, w) or (C, h, w) array, optional
        Correlation of pixels that lie dy, dx apart, 1 in the middle, of Gaussian noise; the observation has it, too.
    variance : {"sky", "model"}, optional
        What the weight is made of: the sky background only, or the sky and the noiseless model. By default that of the
        noise: the sky's for ``noise="sky"``, else both, without which error bars of bright sources are too small.
    artefacts : Artefacts, optional
        Bad columns, dead pixels, cosmic rays, saturation; what is known to be bad has weight 0.
    gsparams : galsim.GSParams, optional
        Accuracy of GalSim's drawing.
    decentring : {"perfect", "pixel", "peak"}
        What the seeds of the blend are: the true positions, those moved within a pixel, or the peaks of the image;
        see `jaxblend.simulation.seeds.draw_seeds`.
    backend : {"galsim", "device"}
        What draws the pixels: GalSim, or JAX, in batches, several times faster. A key means the same sources at the
        same places with both, and their noise has the same variance and other values. Their images agree to 5e-5 of the
        peak with the PSFs of LSST and HSC (Kolmogorov) and of Euclid's visible band (Airy), with which they were
        compared; against GalSim at its most accurate also with a Moffat PSF and a sum of two Gaussians. GalSim draws
        any profile, JAX bulges, disks and points.
    """

    stamp_size: int = 64
    psf: str | galsim.GSObject | Sequence[galsim.GSObject] | VaryingPSF | Callable | None = None
    noise: bool | str = True
    noise_correlation: np.ndarray | None = None
    variance: str | None = None
    artefacts: Artefacts | None = None
    gsparams: galsim.GSParams | None = None
    decentring: str = "perfect"
    backend: str = "galsim"

    def __post_init__(self) -> None:
        if not isinstance(self.stamp_size, (int, np.integer)) or self.stamp_size < 4:
            raise ValueError(f"Got stamp_size={self.stamp_size} pixels, expected a whole number of at least 4.")
        if self.variance not in (None, "sky", "model"):
            raise ValueError(f'Got variance={self.variance!r}, expected "sky" or "model".')
        if not isinstance(self.noise, bool) and self.noise not in NOISE_KINDS:
            raise ValueError(f"Got noise={self.noise!r}, expected True, False or one of {list(NOISE_KINDS)}.")
        if self.noise_kind == "sky" and self.variance == "model":
            raise ValueError('Got noise="sky" and variance="model": noise of the sky alone has not that variance.')
        if self.noise_kind == "poisson" and self.noise_correlation is not None:
            raise ValueError('Got noise_correlation and counted noise, expected noise="gaussian" or "sky" with it.')
        if self.artefacts is not None and not isinstance(self.artefacts, Artefacts):
            raise TypeError(f"Got artefacts={self.artefacts!r}, expected jaxblend.simulation.Artefacts(...) or None.")
        if self.decentring not in DECENTRING:
            raise ValueError(f"Got decentring={self.decentring!r}, expected one of {list(DECENTRING)}.")
        if self.backend not in BACKENDS:
            raise ValueError(f"Got backend={self.backend!r}, expected one of {list(BACKENDS)}.")
        if self.backend != "galsim" and self.gsparams is not None:
            raise ValueError(f'Got gsparams and backend={self.backend!r}: they are GalSim\'s; leave backend="galsim".')

    @property
    def noise_kind(self) -> str | None:
        """Which noise is added; None for none."""
        if isinstance(self.noise, bool):
            return "poisson" if self.noise else None
        return self.noise

    @property
    def variance_kind(self) -> str:
        """What the weight is made of: "sky" or "model"."""
        return self.variance or ("sky" if self.noise_kind == "sky" else "model")

    @property
    def typical_psf(self) -> str | galsim.GSObject | Sequence[galsim.GSObject] | None:
        """The PSF that selections are made with."""
        if callable(self.psf):
            return None
        return self.psf.kind if isinstance(self.psf, VaryingPSF) else self.psf


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulationOptions(ObservingOptions):
    """Which sources make a blend, and how the survey sees them: the attributes of `ObservingOptions`, and these.

    Attributes
    ----------
    n_sources : int, optional
        Number of sources; by default uniform between 1 and `max_sources`.
    catalog : path, table or SkySources, optional
        A CATSIM table (see `jaxblend.simulation.catsim.read_catsim`), or sources made beforehand, by `read_catsim`,
        `read_sources` (any table), `read_cosmos` or `galsim_sources` (any GalSim object). By default a built-in
        population.
    max_sources : int
        Largest number of sources where `n_sources` is not given.
    max_offset : float
        Largest distance of a source from the stamp centre along x and along y, arcsec.
    selection : Selection, optional
        Cuts; by default i < 25.3 and S/N > 10 in the reference band.
    layout : AbstractLayout, optional
        Which sources go where, see `jaxblend.simulation.layouts`; by default ``Uniform`` with `n_sources`,
        `max_sources` and `max_offset`, which another layout does not take.
    rotate : bool
        Whether to turn each source by a random angle of its own, before the selection.
    shear : (g1, g2), (m, 2) array or callable, optional
        Reduced shear of the blend, as by a lens that conserves area: the same for all, a row of a table drawn for
        each blend, or what a function of a NumPy generator draws. It is applied to the sources that the selection
        let pass: to their shapes, and to their places about the stamp centre. The truth is what is seen, and its
        ``meta["shear"]`` has the shear.
    shear_positions : bool
        Whether the shear moves the sources, too.
    dither : bool
        Whether to move the whole scene by up to half a pixel along x and along y, uniformly, after the shear.
    """

    n_sources: int | None = None
    catalog: str | PathLike | astropy.table.Table | SkySources | None = None
    max_sources: int = 5
    max_offset: float = 2.4
    selection: Selection | None = None
    layout: AbstractLayout | None = None
    rotate: bool = False
    shear: Shear | None = None
    shear_positions: bool = True
    dither: bool = False

    def __post_init__(self) -> None:
        ObservingOptions.__post_init__(self)
        if self.shear is not None:
            check_shear(self.shear)
        if self.layout is None:
            self._uniform()
        elif not isinstance(self.layout, AbstractLayout):
            raise TypeError(f"Got layout={self.layout!r}, expected one of jaxblend.simulation.layouts, or None.")
        elif self._uniform() != Uniform():
            raise ValueError(
                f"Got layout={self.layout} and n_sources={self.n_sources}, max_sources={self.max_sources}, "
                f"max_offset={self.max_offset}: these three are of the default layout; give them to the layout, "
                "if it has them."
            )

    @property
    def effective_layout(self) -> AbstractLayout:
        """The layout, or the default one."""
        return self._uniform() if self.layout is None else self.layout

    @property
    def effective_selection(self) -> Selection:
        """The selection, or the default one."""
        return Selection() if self.selection is None else self.selection

    def _uniform(self) -> Uniform:
        return Uniform(n_sources=self.n_sources, max_sources=self.max_sources, max_offset=self.max_offset)


def keywords_of(options: type) -> Callable[[Function], Function]:
    """Decorate a function that takes ``**options`` so that its signature names the fields of an options class."""

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        function.__dict__["__signature__"] = signature.replace(
            parameters=[*own, *inspect.signature(options).parameters.values()]
        )
        return function

    return decorate


def parse_options(options: type, given: dict[str, Any]) -> Any:
    """Make an options class of keywords.

    Raises
    ------
    TypeError
        If there is no option of that name; the message lists those there are.
    """
    known = list(inspect.signature(options).parameters)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(f"Got unknown options {unknown}, expected some of {known}.")
    return options(**given)
