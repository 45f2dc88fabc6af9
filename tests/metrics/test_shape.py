import galsim
import jax
import numpy as np
import pytest

from jaxblend.metrics.shape import distortion, ellipticity_residual, moments_residual, reduced_shear, size_residual

RNG = np.random.default_rng(0)
G = RNG.uniform(-0.65, 0.65, (5, 2))


def image(g1=0.1, g2=-0.2, radius=0.6, shift=(0.0, 0.0)):
    profile = galsim.Convolve(
        galsim.Exponential(half_light_radius=radius).shear(g1=g1, g2=g2), galsim.Gaussian(fwhm=0.7)
    )
    return profile.withFlux(100).shift(*shift).drawImage(nx=51, ny=45, scale=0.2).array.astype(float)


def hsm(array):
    return galsim.hsm.FindAdaptiveMom(galsim.Image(array))


def test_definitions_are_galsims():
    shears = [galsim.Shear(g1=g1, g2=g2) for g1, g2 in G]
    expected = [(shear.e1, shear.e2) for shear in shears]
    np.testing.assert_allclose(distortion(G), expected, atol=1e-6)
    np.testing.assert_allclose(reduced_shear(expected), G, atol=1e-6)
    np.testing.assert_array_equal(reduced_shear(np.zeros(2)), 0)


def test_residuals_are_what_their_formulas_say():
    rng = np.random.default_rng(1)
    true = rng.uniform(-0.5, 0.5, G.shape)
    np.testing.assert_allclose(ellipticity_residual(G, true), G - true, atol=1e-6)
    np.testing.assert_array_equal(ellipticity_residual(G, G), 0)
    np.testing.assert_allclose(size_residual([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]), [-0.5, 0, 0.5])
    np.testing.assert_array_equal(size_residual([0.0, 1.0], [0.0, 0.0]), [0, np.inf])


def test_moments_residuals_are_those_of_galsim():
    truths = [image(), image(radius=1.0)]
    estimates = [image(g1=0.2, radius=0.7, shift=(0.1, 0.0)), image(g2=0.0, radius=0.9)]
    residual = moments_residual(np.array(estimates), np.array(truths))
    for i, (estimate, truth) in enumerate(zip(map(hsm, estimates), map(hsm, truths), strict=True)):
        found, true = estimate.observed_shape, truth.observed_shape
        np.testing.assert_allclose(residual.g[i], [found.g1 - true.g1, found.g2 - true.g2], atol=1e-5)
        np.testing.assert_allclose(residual.size[i], estimate.moments_sigma / truth.moments_sigma - 1, atol=1e-5)
        shift = estimate.moments_centroid - truth.moments_centroid
        np.testing.assert_allclose(residual.position[i], [shift.x, shift.y], atol=1e-5)
    assert np.asarray(residual.converged).all()


def test_right_images_and_half_their_flux_have_no_error_of_shape():
    for factor in (1.0, 0.5):
        residual = moments_residual(factor * image(), image())
        np.testing.assert_allclose(residual.g, 0, atol=1e-6)
        np.testing.assert_allclose(residual.size, 0, atol=1e-6)


def test_what_does_not_count_changes_nothing():
    where = np.array([True, False, True, True, False])
    spoiled = np.where(where[:, None], G, np.nan)
    for function in (distortion, reduced_shear, lambda g, where: ellipticity_residual(g, g + 0.1, where=where)):
        result = np.asarray(function(spoiled, where=where))
        np.testing.assert_array_equal(result[where], function(G[where], where=where[where]))
        assert np.isnan(result[~where]).all()
    np.testing.assert_array_equal(size_residual([1.0, np.nan], [2.0, 2.0], where=[True, False]), [-0.5, np.nan])
    pair = np.array([image(), np.full((45, 51), np.nan)])
    residual = moments_residual(pair, pair, where=np.array([True, False])[:, None, None])
    np.testing.assert_array_equal(residual.converged, [True, False])
    assert np.isnan(residual.g[1]).all()


def test_jit_and_vmap_give_the_same():
    for function in (distortion, reduced_shear, lambda g: ellipticity_residual(g, 0.5 * g)):
        for run in (jax.jit(function), jax.vmap(function)):
            np.testing.assert_allclose(run(G), function(G), rtol=1e-6)
    pair = np.array([image(), image(g1=0.3)])
    batched = jax.jit(moments_residual)(pair, pair[::-1])
    for i in range(2):
        one = moments_residual(pair[i], pair[1 - i])
        np.testing.assert_allclose(batched.g[i], one.g, atol=1e-6)
        np.testing.assert_allclose(batched.size[i], one.size, atol=1e-6)


def test_impossible_shapes_are_refused_and_nan_inside_jit():
    with pytest.raises(ValueError, match=r"\|g\| must be below 1, but is not for 1 of 2"):
        distortion([[0.8, 0.7], [0.1, 0.2]])
    for function in (distortion, reduced_shear):
        assert np.isnan(jax.jit(function)(np.array([0.8, 0.7]))).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"e must be \(..., 2\)"):
        reduced_shear([0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="one shape"):
        ellipticity_residual(G, G[:2])
