"""Write docs/reference/bad-input.md: what each of many wrong inputs gets, copied from running it.

Run: python tools/bad_inputs.py
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from bad_commands import of_command_line, write_files

import jaxblend as jb
from jaxblend.errors import JaxblendWarning
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AiryPSF, GaussianPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF

IMAGE = np.random.default_rng(0).normal(size=(2, 32, 40))
ONES = np.ones(IMAGE.shape)
PLACES = np.array([[10.0, 12.0], [24.0, 18.0]])
CORRELATION = np.outer([0.3, 1, 0.3], [0.3, 1, 0.3])

HEAD = """# Wrong input

What is wrong is refused with a `ValueError` that says what was given and what was expected; what can be repaired is
repaired, with a `JaxblendWarning` and a line in `observation.report`. Nothing becomes NaN in silence: a row of a
catalogue that holds one is flagged `failed`. `tools/bad_inputs.py` writes this page by trying each input.
"""
TABLE = """
## {title}

{text}

| input | what it gets |
|---|---|
{rows}
"""


def observe(**keywords) -> Observation:
    """An Observation that is right but for the keywords."""
    return Observation(**({"image": IMAGE, "weight": 1.0, "psf": GaussianPSF(0.7), "pixel_scale": 0.2} | keywords))


def with_pixel(array, value):
    """A copy with one pixel changed."""
    copy = np.array(array, float)
    copy[0, 3, 4] = value
    return copy


def psf_array(shape=(15, 15), x=0.0, y=0.0, total=1.0):
    """A Gaussian PSF at an offset from the middle of its array."""
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in shape)
    image = np.exp(-((columns - x) ** 2 + (rows[:, None] - y) ** 2) / 4.5)
    return total * image / image.sum()


def of_observation() -> dict[str, Callable[[], object]]:
    """What an Observation and a PSF are given."""
    inputs: dict[str, dict] = {
        "image of one dimension": {"image": np.ones(40)},
        "image of four dimensions": {"image": np.ones((1, 2, 32, 40))},
        "image without bands": {"image": np.ones((0, 32, 40))},
        "image of 3 x 40 pixels": {"image": np.ones((2, 3, 40))},
        "complex image": {"image": IMAGE + 1j},
        "name of a file as image": {"image": "image.fits"},
        "image that is NaN everywhere": {"image": ONES * np.nan},
        "image with one NaN": {"image": with_pixel(IMAGE, np.nan)},
        "image with one infinite pixel": {"image": with_pixel(IMAGE, np.inf)},
        "image with a pixel of 1e300": {"image": with_pixel(IMAGE, 1e300)},
        "image with a filler of 1e30": {"image": with_pixel(IMAGE, 1e30)},
        "masked array with masked pixels": {"image": np.ma.masked_greater(IMAGE, 2.5)},
        "no weight and no variance": {"weight": None},
        "weight and variance": {"variance": 1.0},
        "negative weight": {"weight": with_pixel(ONES, -1)},
        "negative variance": {"weight": None, "variance": with_pixel(ONES, -1)},
        "weight of another shape": {"weight": np.ones((32, 41))},
        "weight for 3 bands": {"weight": np.ones(3)},
        "weight 0 everywhere": {"weight": 0.0},
        "weight 0 in one band": {"weight": [1.0, 0.0]},
        "weight with one NaN": {"weight": with_pixel(ONES, np.nan)},
        "infinite weight of one pixel": {"weight": with_pixel(ONES, np.inf)},
        "variance of 1e-300 in one pixel": {"weight": None, "variance": with_pixel(ONES, 1e-300)},
        "image in erg/s/cm2/Hz, weight to match": {"image": 1e-30 * IMAGE, "weight": 1e60},
        "weight that is the variance of such an image": {"image": 1e-30 * IMAGE, "weight": 1e-60},
        "mask of another shape": {"mask": np.zeros((40, 32), bool)},
        "mask of fractions": {"mask": np.full((32, 40), 0.5)},
        "mask that is True everywhere": {"mask": np.ones((32, 40), bool)},
        "no PSF": {"psf": None},
        "name as PSF": {"psf": "moffat"},
        "PSF of one dimension": {"psf": np.ones(15)},
        "PSF for 3 bands": {"psf": np.ones((3, 15, 15))},
        "PSF object for 3 bands": {"psf": KolmogorovPSF([0.7, 0.8, 0.9])},
        "PSF with NaN": {"psf": with_pixel(np.ones((1, 15, 15)), np.nan)},
        "PSF of zeros": {"psf": np.zeros((15, 15))},
        "PSF that sums to 3": {"psf": psf_array(total=3)},
        "PSF that sums to 1e9": {"psf": psf_array(total=1e9)},
        "PSF with an even side": {"psf": psf_array((14, 15))},
        "PSF off centre": {"psf": psf_array(x=0.4, y=-0.7)},
        "PSFs with odd and even sides": {"psf": [psf_array(), psf_array((14, 14))]},
        "ImagePSF without a band axis": {"psf": ImagePSF(psf_array())},
        "PSF oversampled 1.5 times": {"psf": psf_array(), "psf_oversampling": 1.5},
        "no pixel scale and no WCS": {"pixel_scale": None},
        "pixel scale and WCS": {"wcs": object()},
        "WCS that is none": {"wcs": object(), "pixel_scale": None},
        "pixel scale 0": {"pixel_scale": 0},
        "pixel scale as text": {"pixel_scale": "0.2"},
        "3 names for 2 bands": {"bands": "grz"},
        "one name twice": {"bands": "gg"},
        "number as bands": {"bands": 2},
        "3 zero points for 2 bands": {"zero_point": [27.0, 27.0, 27.0]},
        "zero point NaN": {"zero_point": np.nan},
        "zero point of 1e4": {"zero_point": 1e4},
        "padding below 1": {"padding": 0.5},
        "noise correlation with an even side": {"noise_correlation": np.ones((2, 3))},
        "covariance as noise correlation": {"noise_correlation": 4 * CORRELATION},
        "noise correlation off its middle": {"noise_correlation": np.triu(CORRELATION)},
        "noise correlation of no noise": {"noise_correlation": np.maximum(CORRELATION, 0.9)},
        "gain of 0": {"gain": 0.0},
    }
    calls: dict[str, Callable[[], object]] = {k: lambda v=v: observe(**v) for k, v in inputs.items()}
    return calls | {
        "FWHM of 0": lambda: GaussianPSF(0.0),
        "Moffat with beta 1": lambda: MoffatPSF(0.7, 1.0),
        "obscuration of 1": lambda: AiryPSF(0.1, 1.0),
    }


def of_fit() -> dict[str, Callable[[], object]]:
    """What fit and fit_batch are given."""
    good = observe(zero_point=27.0)
    per_source = observe(psf=np.stack([[psf_array()] * 2] * 3))

    class Odd(jb.Exponential):
        @property
        def shape_names(self):
            return "log_radius", "g1", "g2", "boxiness"

    prior = jb.population_prior(jb.BulgeDisk(), "g", zero_point=[27.0], position_scatter=0.2)
    fits: dict[str, tuple] = {
        "no position": (good, []),
        "positions of one dimension": (good, [10.0, 12.0]),
        "positions of 3 columns": (good, np.ones((2, 3))),
        "positions as text": (good, "10 12"),
        "position NaN": (good, [[10.0, np.nan], [20.0, 12.0]]),
        "position far outside the image": (good, [[10.0, 12.0], [500.0, 12.0]]),
        "right ascension and declination for one image": (good, [[150.1, 2.2]]),
        "stars for another number of sources": (good, PLACES, {"stars": [True]}),
        "stars as 0 and 1": (good, PLACES, {"stars": [0, 1]}),
        "PSFs of 3 sources for 2 positions": (per_source, PLACES),
        "array in place of an Observation": (IMAGE, PLACES),
        "no Observation": ([], PLACES),
        "a WCS for one image of two": ([good, observe(wcs=wcs(), pixel_scale=None, bands="gr")], PLACES),
        "the same bands in two images": ([good, good], PLACES),
        "model by name": (good, PLACES, {"model": "sersic"}),
        "model as a class": (good, PLACES, {"model": jb.Sersic}),
        "model whose shape has no default prior": (good, PLACES, {"model": Odd()}),
        "prior by name": (good, PLACES, {"prior": "flat"}),
        "prior for one band": (good, PLACES, {"prior": prior}),
        "prior and population": (good, PLACES, {"prior": prior, "population": jb.Population()}),
        "population by name": (good, PLACES, {"population": "field"}),
        "population with a scatter below 0": (good, PLACES, {"population": jb.Population(magnitude_scatter=-1.0)}),
        "population with NaN": (good, PLACES, {"population": jb.Population(magnitude=np.nan)}),
        "position_scatter of 0": (good, PLACES, {"position_scatter": 0.0}),
        "position_scatter as text": (good, PLACES, {"position_scatter": "0.2"}),
        "zero point of another unit": (observe(zero_point=0.0), PLACES),
        "zero point that is 15 magnitudes off": (observe(zero_point=12.0), PLACES),
    }
    calls = {name: lambda a=a: jb.fit(*a[:2], **dict(*a[2:])) for name, a in fits.items()}
    return calls | {
        "batch: 2 images, positions of 1": lambda: jb.fit_batch([good, good], [PLACES]),
        "batch: 1 image, positions of 2": lambda: jb.fit_batch([good], [PLACES, PLACES]),
        "batch: stars of 1 blend of 2": lambda: jb.fit_batch([good, good], [PLACES] * 2, stars=[[True, False]]),
        "batch: NaN in the positions of the second": lambda: jb.fit_batch([good, good], [PLACES, PLACES * np.nan]),
        "batch: images as an array": lambda: jb.fit_batch([IMAGE], [PLACES]),
    }


def of_deblend() -> dict[str, Callable[[], object]]:
    """What deblend is given."""
    good = observe()
    given: dict[str, dict] = {
        "rounds of 0": {"rounds": 0},
        "max_group of 0": {"max_group": 0},
        "batch_size below 0": {"batch_size": -1},
        "residual_snr NaN": {"residual_snr": np.nan},
        "model by name": {"model": "sersic"},
        "detections of one dimension": {"detections": [10.0, 12.0]},
        "detections with NaN": {"detections": [[10.0, np.nan]]},
        "detection outside the image": {"detections": [[10.0, 12.0], [500.0, 12.0]]},
        "table of detections without x and y": {"detections": Table({"ra": [1.0], "dec": [2.0]})},
    }
    calls: dict[str, Callable[[], object]] = {k: lambda v=v: jb.deblend(good, **v) for k, v in given.items()}
    several = observe(psf=np.stack([[psf_array()] * 2] * 3))
    return calls | {
        "two images": lambda: jb.deblend([good, good]),
        "PSF per source": lambda: jb.deblend(several),
        "detect with a threshold of 0": lambda: jb.detect(good, threshold=0),
    }


def of_posteriors() -> dict[str, Callable[[], object]]:
    """Draws and odds."""
    fit, key = jb.fit(observe(), PLACES), jax.random.key(0)
    bare = jb.fit_batch([observe()], [PLACES], keep_observations=False)[0]
    pair = jb.one_or_two(observe(), PLACES[0])

    def compare(hypotheses=pair, **keywords):
        return jb.compare_models(observe(), hypotheses, **({"method": "laplace"} | keywords))

    return {
        "a number as the key": lambda: jb.sample(fit, key=0),
        "a method that is not there": lambda: jb.sample(fit, key=key, method="mcmc"),
        "no draws": lambda: jb.sample(fit, key=key, n_draws=0),
        "a guide by name": lambda: jb.sample(fit, key=key, method="svi", guide="normal"),
        "a fit that has let its images go": lambda: jb.sample(bare, key=key),
        "the same in a batch": lambda: jb.sample_batch([fit, bare], key=key),
        "draws of a band that was not fitted": lambda: jb.sample(fit, key=key, method="laplace").of("flux_z"),
        "one hypothesis": lambda: compare(pair[:1]),
        "alternatives of unequal odds": lambda: compare([*pair, jb.Hypothesis("two", PLACES, odds=2.0)]),
        "importance sampling without a key": lambda: compare(method="importance"),
        "a hypothesis outside of the image": lambda: compare([pair[0], jb.Hypothesis("far", [[400.0, 3.0]])]),
        "two positions for one source": lambda: jb.one_or_two(observe(), PLACES),
    }


def flagged() -> dict[str, Callable[[], object]]:
    """Blends that are fitted, and what the flags then say."""
    y, x = np.mgrid[:32, :40]
    light = sum(60 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 12) for px, py in PLACES)
    masked = np.where((np.abs(x - PLACES[0, 0]) < 6) & (np.abs(y - PLACES[0, 1]) < 6), 0.0, 1.0)
    one_pixel = np.where((x == 10) & (y == 12), 1.0, 0.0)

    def flags(positions=PLACES, image=light, **keywords):
        fit = jb.fit(observe(image=image + IMAGE, zero_point=27.0, **keywords), positions)
        names = [" + ".join(jb.decode_flags(int(bits))) or "no flag" for bits in fit.flags]
        raise ValueError("; ".join(f"source {i}: {name}" for i, name in enumerate(names)))

    return {
        "nothing wrong": flags,
        "the first source on masked pixels": lambda: flags(weight=masked),
        "one band masked": lambda: flags(weight=[1.0, 0.0]),
        "all but one pixel masked": lambda: flags(weight=one_pixel),
        "no light at all": lambda: flags(image=0.0),
        "a sky of 20 times the noise left in": lambda: flags(image=20.0),
        "light below 0": lambda: flags(image=-light),
        "weight 1e6 times too large": lambda: flags(weight=1e6),
        "both positions on one source": lambda: flags(positions=PLACES[[0, 0]]),
        "a position where nothing is": lambda: flags(positions=np.array([PLACES[0], [30.0, 28.0]])),
        "a position 3 pixels outside the image": lambda: flags(positions=np.array([PLACES[0], [42.0, 12.0]])),
    }


def wcs():
    """A tangent plane of 0.2 arcsec a pixel."""
    plane = WCS(naxis=2)
    plane.wcs.ctype, plane.wcs.crval, plane.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [20, 16]
    plane.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    return plane


def outcome(call: Callable[[], object], name: str) -> str:
    """The class and message of the error or warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except ValueError as error:
            return f"ValueError: {error}"
    if not caught or not all(issubclass(w.category, JaxblendWarning) for w in caught):
        raise RuntimeError(f"{name}: neither an error nor a JaxblendWarning: {[str(w.message) for w in caught]}")
    return "; ".join(f"JaxblendWarning: {w.message}" for w in caught)


def table(title: str, text: str, cases: dict[str, Callable[[], object]], *, bare: bool = False) -> str:
    """A section of the page."""
    rows = []
    for name, call in cases.items():
        result = outcome(call, name).replace("|", "\\|")
        rows.append(f"| {name} | {result.removeprefix('ValueError: ') if bare else result} |")
    return TABLE.format(title=title, text=text, rows="\n".join(rows))


def main() -> None:
    """Write the page."""
    page = Path(__file__).resolve().parents[1] / "docs" / "reference" / "bad-input.md"
    image = "The image has 2 bands and 32 x 40 pixels."
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_files(IMAGE, PLACES)
        sections = (
            table("Observations and PSFs", image, of_observation()),
            table("`fit` and `fit_batch`", f"{image} Two sources.", of_fit()),
            table("`deblend` and `detect`", image, of_deblend()),
            table("`sample` and `compare_models`", f"{image} Two sources.", of_posteriors()),
            table(
                "The command line",
                "One message on the standard error, and status 2; `--debug` shows the traceback.",
                of_command_line(),
                bare=True,
            ),
            table(
                "What is fitted and flagged",
                "These pass the door; `decode_flags` names the bits of the column `flags`.",
                flagged(),
                bare=True,
            ),
        )
    page.write_text(HEAD + "".join(sections))


if __name__ == "__main__":
    main()
