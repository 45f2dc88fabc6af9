import importlib
import sys
from types import ModuleType

import numpy as np
import pytest
from astropy.io import fits
from fake_fit import fake_fit, fake_scene


def one_fit(observation, positions, *, stars=None):
    """The last source is compact, and has more evidence as a star."""
    fit = fake_fit(observation, positions)
    fit.stars = np.zeros(len(positions), bool) if stars is None else stars
    fit.log_evidence = 12.5 * fit.stars.sum()
    fit.catalog["kind"] = np.where(fit.stars, "star", "galaxy")
    return fit


@pytest.fixture
def fake_fitting(monkeypatch):
    """What the commands call, without the wait; gives the options of every call of ``deblend``."""
    asked = []
    fitting, frames, detecting, flags = (ModuleType(name) for name in ("fitting", "frames", "detect", "flags"))
    fitting.fit = one_fit

    def deblend(observation, **options):
        asked.append(options)
        return fake_scene(observation, [[8.0, 9.0], [20.0, 14.0]], half=3)

    frames.deblend = deblend
    detecting.detect = lambda observation: np.array([(8.0, 9.0)], dtype=[("x", float), ("y", float)])
    flags.decode_flags = lambda bits: []
    importlib.import_module("jaxblend.frames.stars")  # the real one, before its package is replaced
    monkeypatch.setitem(sys.modules, "jaxblend.fitting", fitting)
    monkeypatch.setitem(sys.modules, "jaxblend.frames", frames)
    monkeypatch.setitem(sys.modules, "jaxblend.detection", detecting)
    monkeypatch.setitem(sys.modules, "jaxblend.infer.flags", flags)
    return asked


@pytest.fixture
def cube(tmp_path):
    header = fits.Header({"BANDS": "gri", "PIXSCALE": 0.2})
    noise = np.random.default_rng(0).normal(size=(3, 24, 32)).astype(np.float32)
    weight = fits.ImageHDU(np.ones_like(noise), name="WEIGHT")
    image = fits.ImageHDU(noise, header, name="IMAGE")
    fits.HDUList([fits.PrimaryHDU(), image, weight]).writeto(tmp_path / "cube.fits")
    return str(tmp_path / "cube.fits")
