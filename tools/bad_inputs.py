"""Write docs/reference/bad-input.md: what each of many wrong inputs gets, copied from running it.

Run: python tools/bad_inputs.py
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxblend.errors import JaxblendWarning
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AiryPSF, GaussianPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF

IMAGE = np.random.default_rng(0).normal(size=(2, 32, 40))
ONES = np.ones(IMAGE.shape)

HEAD = """# Wrong input

What is wrong is refused with a `ValueError` that says what was given and what was expected; what can be repaired is
repaired, with a `JaxblendWarning` and a line in `observation.report`. Nothing becomes NaN in silence. The messages
below are those of an image of 2 bands and 32 x 40 pixels; `tools/bad_inputs.py` writes this page by trying each one.

| input | what it gets |
|---|---|
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


def cases() -> dict[str, Callable[[], object]]:
    """Each wrong input in words, and the call that makes it."""
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
        "padding below 1": {"padding": 0.5},
    }
    calls: dict[str, Callable[[], object]] = {k: lambda v=v: observe(**v) for k, v in inputs.items()}
    return calls | {
        "FWHM of 0": lambda: GaussianPSF(0.0),
        "Moffat with beta 1": lambda: MoffatPSF(0.7, 1.0),
        "obscuration of 1": lambda: AiryPSF(0.1, 1.0),
    }


def outcome(call: Callable[[], object]) -> str:
    """The class and message of the error or warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except ValueError as error:
            return f"ValueError: {error}"
    if not caught or not all(issubclass(w.category, JaxblendWarning) for w in caught):
        raise RuntimeError(f"neither an error nor a JaxblendWarning: {[str(w.message) for w in caught]}")
    return "; ".join(f"JaxblendWarning: {w.message}" for w in caught)


def main() -> None:
    """Write the page."""
    rows = [f"| {name} | {outcome(call).replace('|', chr(92) + '|')} |" for name, call in cases().items()]
    page = Path(__file__).parents[1] / "docs" / "reference" / "bad-input.md"
    page.write_text(HEAD + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
