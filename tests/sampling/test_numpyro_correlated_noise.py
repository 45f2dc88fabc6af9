"""Correlated noise in the NumPyro model, against SciPy's dense Gaussian."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxblend as jb

pytest.importorskip("numpyro")

from numpyro.handlers import seed, substitute, trace, uncondition
from numpyro.infer import Predictive
from numpyro.infer.util import log_density

from jaxblend.forward.vecchia import whitening_coefficients
from jaxblend.sampling.correlated_normal import CorrelatedNormal

ROW = np.array([0.25, 1.0, 0.25])
CORRELATION = np.outer(*[np.correlate(ROW, ROW, "full") / np.sum(ROW**2)] * 2)
SIZE = 10
POSITIONS = np.array([[3.2, 5.1], [6.0, 4.4]])
VALUES = {
    "offset": np.array([[0.06, -0.03], [-0.1, 0.05]]),
    "log_flux": np.log([[90.0], [60.0]]),
    "log_radius": np.log([0.5, 0.3]),
    "g": np.array([[0.2, 0.1], [-0.15, 0.05]]),
}


def masked_and_uneven():
    """(2, 10, 10) weights: pixels, a row and the end of another are masked, in the two bands not the same."""
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2, (2, SIZE, SIZE)) * (rng.random((2, SIZE, SIZE)) > 0.1)
    weight[0, 6] = weight[1, :, -1] = 0
    return weight


def dense(sigma, used, correlation=CORRELATION):
    """(n, n) covariance of the used pixels of one band."""
    at = np.argwhere(used)
    lags = at[:, None] - at[None] + len(correlation) // 2
    inside = ((lags >= 0) & (lags < len(correlation))).all(-1)
    y, x = np.moveaxis(np.where(inside[..., None], lags, 0), -1, 0)
    return np.where(inside, correlation[y, x], 0.0) * np.outer(sigma[used], sigma[used])


def exact(residual, sigma, used):
    """Log density of all bands by SciPy."""
    return sum(
        scipy.stats.multivariate_normal(np.zeros(u.sum()), dense(s, u)).logpdf(r[u])
        for r, s, u in zip(residual, sigma, used, strict=True)
    )


def noise_of(n, sigma, used):
    """(n, C, 10, 10) draws of the dense Gaussian."""
    rng, noise = np.random.default_rng(5), np.zeros((n, *used.shape))
    for c in range(len(used)):
        root = np.linalg.cholesky(dense(sigma[c], used[c]))
        noise[:, c, used[c]] = rng.normal(size=(n, len(root))) @ root.T
    return noise


def distribution(loc, weight):
    used = weight > 0
    scale = np.where(used, 1 / np.sqrt(np.where(used, weight, 1)), 1.0)
    coefficients = whitening_coefficients(np.stack([CORRELATION] * len(weight)), used, float)
    return CorrelatedNormal(jnp.asarray(loc), jnp.asarray(scale), jnp.asarray(coefficients)), scale, used


def observe(weight, image=None, **options):
    image = np.random.default_rng(1).normal(size=weight.shape) if image is None else image
    return jb.Observation(
        image,
        weight,
        jb.GaussianPSF(fwhm=0.7),
        pixel_scale=0.2,
        bands="ri"[: len(weight)],
        zero_point=27.0,
        noise_correlation=CORRELATION,
        **options,
    )


def test_the_density_is_that_of_the_dense_gaussian_where_all_pixels_are_neighbours():
    weight = np.zeros((1, 3, 5))
    weight[0, :, :3] = np.random.default_rng(2).uniform(0.5, 2, (3, 3))
    with jax.enable_x64(True):
        normal, scale, used = distribution(np.zeros((1, 3, 5)), weight)
        value = np.random.default_rng(3).normal(size=(4, 1, 3, 5))
        found = normal.log_prob(value)
    np.testing.assert_allclose(found, [exact(v, scale, used) for v in value], rtol=1e-9)


def test_the_density_is_close_to_that_of_the_dense_gaussian_with_masks():
    with jax.enable_x64(True):
        loc = np.random.default_rng(4).normal(size=(2, SIZE, SIZE))
        normal, scale, used = distribution(loc, masked_and_uneven())
        noise = noise_of(50, scale, used)
        found = np.asarray(normal.log_prob(loc + noise))
    expected = np.array([exact(n, scale, used) for n in noise])
    # The mean is Kullback and Leibler's divergence.
    assert 0 < (expected - found).mean() < 0.3
    assert np.std(expected - found) < 0.1 * np.std(expected)


def test_draws_have_the_covariance_and_the_entropy():
    with jax.enable_x64(True):
        normal, scale, used = distribution(np.full((2, SIZE, SIZE), 3.0), masked_and_uneven())
        drawn = np.asarray(normal.sample(jax.random.key(0), (20_000,)))
        density = np.asarray(normal.log_prob(drawn))
        peak = float(normal.log_prob(np.full((2, SIZE, SIZE), 3.0)))
        white = drawn - 3.0
    for c in range(2):
        assert np.abs(white[:, c].mean(0)).max() < 0.05
        found = np.corrcoef(white[:, c, used[c]].T)
        unit = dense(np.ones((SIZE, SIZE)), used[c])
        assert np.abs(found - unit).max() < 0.06
        assert np.sqrt(np.mean((found - unit) ** 2)) < 0.01
        np.testing.assert_allclose(white[:, c].std(0), scale[c], rtol=0.03)
    # Minus the entropy of its own density is known, since its determinant is: half a nat for each used pixel.
    assert density.mean() == pytest.approx(peak - used.sum() / 2, abs=0.3)


def test_draws_can_be_differentiated_and_shaped():
    normal = distribution(np.zeros((2, SIZE, SIZE)), masked_and_uneven())[0]
    assert normal.sample(jax.random.key(0)).shape == (2, SIZE, SIZE)
    assert normal.sample(jax.random.key(0), (2, 3)).shape == (2, 3, 2, SIZE, SIZE)
    assert normal.log_prob(jnp.zeros((2, 3, 2, SIZE, SIZE))).shape == (2, 3)
    again = jax.tree.map(lambda leaf: leaf, normal)
    assert again.log_prob(normal.mean) == normal.log_prob(normal.mean)

    def total(shift):
        return CorrelatedNormal(normal.loc + shift, normal.scale, normal.coefficients).sample(jax.random.key(0)).sum()

    assert float(jax.jit(jax.grad(total))(0.0)) == pytest.approx(2 * SIZE**2, rel=1e-5)


def image_of(model, values=None):
    """The distribution of the image at some values of the sites, and the data; compiled as one program."""
    several = {**VALUES, "log_flux": np.repeat(VALUES["log_flux"], model.blend.n_bands, 1)}

    @jax.jit
    def site(model, values):
        found = trace(substitute(seed(model, 0), values)).get_trace()["image"]
        return found["fn"], found["value"]

    return site(model, jax.tree.map(jnp.asarray, values or several))


@pytest.mark.parametrize("gain", [None, 2.0])
def test_the_model_has_the_density_of_its_image(gain):
    obs = observe(masked_and_uneven(), gain=gain)
    used = obs.weight > 0
    clean = np.asarray(image_of(jb.numpyro_model(obs, POSITIONS, model=jb.Exponential()))[0].mean, float)
    photons = 0.0 if gain is None else np.maximum(clean, 0) / gain  # correlated as the rest, as in ``fit``
    scale = np.sqrt(1 / np.where(used, obs.weight, 1) + photons)
    noise = noise_of(20, scale, used)
    model = jb.numpyro_model(observe(obs.weight, clean + noise[0], gain=gain), POSITIONS, model=jb.Exponential())
    normal, image = image_of(model)
    np.testing.assert_allclose(image, clean + noise[0], atol=1e-5)
    found = np.asarray(normal.log_prob(clean + noise))
    missed = found - [exact(n, scale, used) for n in noise]
    assert missed[0] == pytest.approx(float(normal.log_prob(image)) - exact(noise[0], scale, used), abs=1e-3)
    assert np.abs(missed).max() < 1.5
    assert abs(missed.mean()) < 0.4
    # A masked pixel may hold anything.
    assert normal.log_prob(jnp.where(used, image, 1e4)) == normal.log_prob(image)


def test_it_is_the_objective_of_fit():
    obs = observe(masked_and_uneven()[:1])
    fit = jb.fit(obs, POSITIONS, model=jb.Exponential())
    model = jb.numpyro_model(obs, POSITIONS, model=jb.Exponential())
    normal, image = image_of(model, model.values_at(fit))
    u = np.asarray(fit.result.u)
    assert float(normal.log_prob(image) - normal.log_prob(normal.mean)) == pytest.approx(
        0.5 * (u**2).sum() - float(fit.result.objective), rel=1e-4
    )


def test_images_are_drawn_with_correlated_noise():
    obs = observe(np.ones((1, 24, 24)), np.zeros((1, 24, 24)))
    model = uncondition(jb.numpyro_model(obs, POSITIONS, model=jb.Exponential(), stars=[True, True]))
    posterior = jax.tree.map(lambda v: jnp.repeat(jnp.asarray(v)[None], 300, 0), VALUES)
    drawn = Predictive(model, posterior)(jax.random.key(1))["image"]
    noise = np.asarray(drawn - drawn.mean(0))[:, 0]
    for y, x in ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (0, 3), (2, 3)):
        first, second = noise[:, : 24 - y, max(0, -x) : 24 - max(0, x)], noise[:, y:, max(0, x) : 24 + min(0, x)]
        expected = CORRELATION[2 + y, 2 + x] if max(y, x) < 3 else 0
        assert np.mean(first * second) == pytest.approx(expected, abs=0.015), (y, x)
    assert noise.var() == pytest.approx(1, abs=0.02)


def test_stacked_models_are_as_one_by_one():
    models = [
        jb.numpyro_model(observe(masked_and_uneven()[c : c + 1]), POSITIONS, model=jb.Exponential()) for c in range(2)
    ]
    values = jax.tree.map(jnp.asarray, VALUES)
    at = jax.jit(jax.vmap(lambda model: log_density(model, (), {}, values)[0]))
    together, swapped = (at(jax.tree.map(lambda *x: jnp.stack(x), *some)) for some in (models, models[::-1]))
    np.testing.assert_allclose(together, swapped[::-1], rtol=1e-5)
    assert abs(together[0] - together[1]) > 1
