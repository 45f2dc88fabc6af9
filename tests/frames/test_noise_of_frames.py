"""What is known of the noise of a frame reaches every stamp, the catalogue and its error bars."""

import numpy as np
import pytest
from scipy.signal import fftconvolve

import jaxblend as jb
from jaxblend.io.tables import read_table, write_table

ROW = np.array([0.25, 1.0, 0.25])
CORRELATION = np.outer(*[np.correlate(ROW, ROW, "full") / np.sum(ROW**2)] * 2)
SIDE, POSITIONS = 72, np.array([[18.0, 20.0], [50.0, 46.0]])
OPTIONS = {
    "model": jb.Exponential(),
    "detections": POSITIONS,
    "search_again": False,
    "stars": False,
    "rounds": 1,
}


@pytest.fixture(scope="module")
def observation():
    kernel = np.outer(ROW, ROW) / np.sum(ROW**2)
    image = fftconvolve(np.random.default_rng(2).normal(size=(SIDE + 2, SIDE + 2)), kernel, "valid")
    y, x = np.mgrid[:SIDE, :SIDE]
    for px, py in POSITIONS:
        image += 60 * np.exp(-0.5 * np.hypot(x - px, y - py) ** 2 / 2.5**2)
    return jb.Observation(
        image, 1.0, jb.GaussianPSF(fwhm=0.8), pixel_scale=0.2, bands="r", zero_point=27.0, noise_correlation=CORRELATION
    )


@pytest.fixture(scope="module")
def scene(observation):
    return jb.deblend(observation.replace(gain=np.array([50.0])), **OPTIONS)


def test_every_stamp_has_the_noise_of_the_frame(scene):
    assert len(scene.fits) == 2
    for fit in scene.fits:
        (stamp,) = fit.observations
        assert stamp.shape != scene.observation.shape
        np.testing.assert_array_equal(stamp.noise_correlation, scene.observation.noise_correlation)
        np.testing.assert_array_equal(stamp.gain, [50.0])
        assert fit.item.whitenings[0] is not None


@pytest.mark.slow
def test_error_bars_are_those_of_the_noise(scene, observation):
    errors = [np.asarray(s.catalog["flux_r_err"]) for s in (scene, jb.deblend(observation, **OPTIONS))]
    white = np.asarray(jb.deblend(observation.replace(noise_correlation=None), **OPTIONS).catalog["flux_r_err"])
    assert (errors[1] > 1.3 * white).all()
    assert (errors[0] > 1.01 * errors[1]).all()  # photons, besides


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet"])
def test_the_catalogue_says_so(tmp_path, scene, suffix):
    expected = {"noise_correlation": {"r": {"x": 0.44444, "y": 0.44444}}, "gain": {"r": 50.0}}
    for number, table in enumerate((scene.catalog, scene.fits[0].catalog)):
        meta = read_table(write_table(table, tmp_path / f"{number}.{suffix}")).meta
        assert {name: meta[name] for name in expected} == expected


def test_white_noise_is_not_mentioned(observation):
    white = observation.replace(noise_correlation=None, image=np.zeros((1, SIDE, SIDE), np.float32))
    meta = jb.deblend(white, model=jb.Exponential()).catalog.meta
    assert not {"noise_correlation", "gain"} & set(meta)
