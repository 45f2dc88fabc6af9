"""Draws of a blend whose noise is correlated: widths against the dense Fisher matrix, and those of white noise."""

import functools

import galsim
import jax
import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve
from scipy.signal import fftconvolve

import jaxblend as jb

SIZE, SCALE = 24, 0.2
ROW = np.array([0.25, 1.0, 0.25])
KERNEL = np.outer(ROW, ROW) / np.sum(ROW**2)
CORRELATION = np.outer(*[np.correlate(ROW, ROW, "full") / np.sum(ROW**2)] * 2)
POSITIONS = np.array([[9.0, 11.2], [14.5, 12.6]])
TRUTH = {"star": (9.0, 11.2, 1000.0), "galaxy": (14.5, 12.6, 1500.0, 0.45, 0.1, 0.05)}


def drawn(x, y, flux, radius=None, g1=0.0, g2=0.0):
    """(24, 24) image of one source by GalSim."""
    psf = galsim.Moffat(beta=3.0, fwhm=0.8)
    source = psf
    if radius is not None:
        galaxy = galsim.Exponential(half_light_radius=radius).shear(g1=g1, g2=g2)
        source = galsim.Convolve(galaxy, psf)
    image = galsim.Image(SIZE, SIZE, scale=SCALE)
    offset = galsim.PositionD(x, y) - galsim.PositionD(0.5 * (SIZE - 1), 0.5 * (SIZE - 1))
    return source.withFlux(flux).drawImage(image, offset=offset).array.astype(float)


def expected_widths(covariance):
    """Standard deviations of the fluxes of star and galaxy and of its radius, by Fisher's matrix."""
    columns = []
    for values in TRUTH.values():
        for i, value in enumerate(values):
            step = 1e-3 * max(abs(value), 0.5)
            high, low = (drawn(*values[:i], value + sign * step, *values[i + 1 :]) for sign in (1, -1))
            columns.append((high - low).ravel() / (2 * step))
    design = np.array(columns).T
    fisher = design.T @ cho_solve(cho_factor(covariance), design)
    return np.sqrt(np.diagonal(np.linalg.inv(fisher)))[[2, 5, 6]]


def covariance_of(correlation):
    """(576, 576), of pixels of variance 1."""
    y, x = np.mgrid[:SIZE, :SIZE].reshape(2, -1)
    lags = np.stack([y[:, None] - y, x[:, None] - x]) + len(correlation) // 2
    inside = ((lags >= 0) & (lags < len(correlation))).all(0)
    return np.where(inside, correlation[tuple(np.where(inside, lags, 0))], 0.0)


@pytest.fixture(scope="module")
def posteriors():
    """Draws of one image by the noise that is assumed and the method; each drawn when it is first asked for."""
    white = np.random.default_rng(8).normal(size=(SIZE + 2, SIZE + 2))
    image = sum(drawn(*values) for values in TRUTH.values()) + fftconvolve(white, KERNEL, "valid")

    @functools.cache
    def draws(noise, method):
        obs = jb.Observation(
            image,
            1.0,
            jb.MoffatPSF(fwhm=0.8, beta=3.0),
            pixel_scale=SCALE,
            bands="r",
            zero_point=27.0,
            noise_correlation=CORRELATION if noise == "correlated" else None,
        )
        fit = jb.fit(obs, POSITIONS, model=jb.Exponential(), stars=[True, False])
        options = {"n_draws": 500, "warmup": 100, "chains": 2} if method == "nuts" else {"n_draws": 400}
        return jb.sample(fit, key=jax.random.key(1), method=method, **options)

    return draws


def widths(posterior):
    """As ``expected_widths``."""
    flux = posterior.of("flux_r").std(0)
    return np.array([*flux, posterior.of("radius")[:, 1].std()])


@pytest.mark.parametrize(
    ("noise", "method"),
    [
        pytest.param("correlated", "nuts", marks=pytest.mark.slow),
        ("correlated", "importance"),
        ("correlated", "laplace"),
        pytest.param("white", "importance", marks=pytest.mark.slow),
    ],
)
def test_widths_are_those_of_the_dense_gaussian(posteriors, noise, method):
    expected = expected_widths(covariance_of(CORRELATION) if noise == "correlated" else np.eye(SIZE**2))
    np.testing.assert_allclose(widths(posteriors(noise, method)), expected, rtol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nuts", "importance"])
def test_correlated_noise_makes_posteriors_wider(posteriors, method):
    expected = expected_widths(covariance_of(CORRELATION)) / expected_widths(np.eye(SIZE**2))
    assert (expected > 1.3).all()
    ratio = widths(posteriors("correlated", method)) / widths(posteriors("white", "importance"))
    np.testing.assert_allclose(ratio, expected, rtol=0.2)


@pytest.mark.slow
def test_nuts_and_importance_agree(posteriors):
    nuts, importance = posteriors("correlated", "nuts"), posteriors("correlated", "importance")
    assert nuts.diagnostics["r_hat"] < 1.05
    assert importance.diagnostics["k_hat"] < 0.7
    np.testing.assert_allclose(widths(nuts), widths(importance), rtol=0.2)
    for source in range(2):
        one, two = (p.of("flux_r")[:, source] for p in (nuts, importance))
        assert abs(one.mean() - two.mean()) < 0.3 * one.std()


@pytest.mark.parametrize("method", [pytest.param("nuts", marks=pytest.mark.slow), "importance"])
def test_what_is_sampled_is_the_density_in_pixels(posteriors, method):
    assert posteriors("correlated", method).diagnostics["density_error"] < 0.5
