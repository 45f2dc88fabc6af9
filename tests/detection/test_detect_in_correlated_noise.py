"""Thresholds where the noise is correlated between pixels."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from jaxblend.detection import detect
from jaxblend.detection.combine import combine
from jaxblend.detection.peaks import filtered_noise, gaussian_kernel, matched_filter
from jaxblend.errors import JaxblendWarning
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.frames.search_again import look_again

FWHM, SIDE, N = 4.0, 400, 4
ROWS = np.array([[0.25, 1.0, 0.25], [0.6, 1.0, 0.6]])  # kernels of two bands
KERNELS = np.array([np.outer(row, row) / np.sum(row**2) for row in ROWS])
CORRELATIONS = np.array([fftconvolve(k, k[::-1, ::-1]) for k in KERNELS])


def noise(kind, seed, *, weight=None):
    """Two bands of nothing, of unit variance but for ``weight``."""
    rng = np.random.default_rng(seed)
    if kind == "white":
        image = rng.normal(size=(2, SIDE, SIDE))
    else:
        image = np.array([fftconvolve(rng.normal(size=(SIDE + 2, SIDE + 2)), k, "valid") for k in KERNELS])
    weight = np.ones((2, SIDE, SIDE)) if weight is None else weight
    return Observation(
        image / np.sqrt(np.where(weight > 0, weight, 1)),
        weight,
        GaussianPSF(FWHM * 0.2),
        pixel_scale=0.2,
        noise_correlation=CORRELATIONS if kind == "known" else None,
    )


@pytest.fixture(scope="module")
def counts():
    """False detections in 640,000 pixels above 3 and 4 standard deviations."""
    frames = {kind: [noise(kind, seed) for seed in range(N)] for kind in ("white", "known", "ignored")}
    return {
        kind: [sum(len(detect(frame, min_snr=least)) for frame in some) for least in (3.0, 4.0)]
        for kind, some in frames.items()
    }


def test_as_many_false_detections_as_in_white_noise(counts):
    assert counts["white"][0] > 80
    assert 0.6 < counts["known"][0] / counts["white"][0] < 1.6
    assert max(counts["white"][1], counts["known"][1]) < 8
    assert counts["ignored"][1] > 100


def test_nothing_is_found_at_the_default_significance():
    assert sum(len(detect(noise("known", seed))) for seed in range(N)) == 0
    assert sum(len(detect(noise("ignored", seed))) for seed in range(N)) > 10


@pytest.mark.parametrize("uneven", [False, True])
def test_matched_filter_has_unit_noise(uneven):
    weight = np.ones((2, SIDE, SIDE))
    if uneven:
        y, x = np.mgrid[:SIDE, :SIDE]
        weight = np.stack([1 + 3 * x / SIDE, 2 + y / SIDE])
        weight[:, 100:120, 30:60] = weight[1, 300:, 300:] = 0
    significance = matched_filter(combine(noise("known", 7, weight=weight)), FWHM)
    inside = significance[20:-20, 20:-20]
    assert inside[inside != 0].std() == pytest.approx(1.0, abs=0.04)


def test_noise_of_a_filtered_image_is_that_of_filtered_noise():
    rng = np.random.default_rng(3)
    for kernel, correlation in zip(KERNELS, CORRELATIONS, strict=True):
        image = fftconvolve(rng.normal(size=(1002, 1002)), kernel, "valid")
        for shape in (gaussian_kernel(FWHM), gaussian_kernel(1.0), rng.normal(size=(3, 5))):
            found = fftconvolve(image, shape[::-1, ::-1], "valid").std() / np.sqrt(np.sum(shape.astype(float) ** 2))
            assert filtered_noise(shape, correlation) == pytest.approx(found, rel=0.02)
    assert filtered_noise(gaussian_kernel(FWHM), None) == 1.0


def test_a_band_without_data_has_no_say():
    weight = np.ones((2, SIDE, SIDE))
    weight[1] = 0
    with pytest.warns(JaxblendWarning, match="no usable pixel"):
        frame = noise("known", 0, weight=weight)
    known = frame.noise_correlation
    np.testing.assert_allclose(combine(frame).correlation, known[0], atol=1e-6)
    np.testing.assert_allclose(combine(noise("known", 0)).correlation, known.mean(0), atol=1e-6)


def test_significance_of_a_source_is_its_flux_over_its_scatter():
    light = np.zeros((SIDE, SIDE))
    light[50::100, 50::100] = 1
    light = gaussian_filter(light, FWHM / 2.3548)
    kernel = gaussian_kernel(FWHM).astype(float)
    scatter = np.mean([fftconvolve(noise("known", seed).image.sum(0), kernel, "same").std() for seed in range(3)])
    half = len(kernel) // 2
    response = 2 * np.sum(kernel * light[50 - half : 51 + half, 50 - half : 51 + half])  # of both bands
    empty = noise("known", 11)
    table = detect(empty.replace(image=empty.image + (40 * scatter / response * light).astype(np.float32)))
    assert len(table) == 16
    assert np.mean(table["snr"]) == pytest.approx(40, rel=0.03)


@pytest.mark.parametrize(("kind", "fewest", "most"), [("known", 0, 0), ("ignored", 5, 10_000)])
def test_the_search_of_the_residual_knows_of_it_too(kind, fewest, most):
    asked = []

    def fit_batch(observations, positions, **options):
        asked.extend(positions)
        raise AskedError

    try:
        look_again(noise(kind, 5), [], fit_batch, fwhm=FWHM, max_group=8, min_snr=5.0)
    except AskedError:
        pass
    assert fewest <= len(asked) <= most


class AskedError(Exception):
    """What was found would be fitted now."""
