import galsim
import jax
import numpy as np
import pytest

from jaxblend.metrics.moments import adaptive_moments

PSF = galsim.Kolmogorov(fwhm=0.7)


def drawn(profile, shift=(0.0, 0.0), noise=0.0, seed=0):
    image = profile.withFlux(100).shift(*shift).drawImage(nx=61, ny=53, scale=0.2).array
    return np.asarray(image + np.random.default_rng(seed).normal(0, noise, image.shape), float)


def galaxy(n, radius, g1, g2, **options):
    return drawn(galsim.Convolve(galsim.Sersic(n=n, half_light_radius=radius).shear(g1=g1, g2=g2), PSF), **options)


IMAGES = [
    galaxy(0.5, 0.4, 0.3, -0.2),
    galaxy(1, 0.9, -0.1, 0.35, shift=(0.31, -0.17)),
    galaxy(4, 0.6, 0.0, 0.0),
    galaxy(4, 1.2, 0.5, 0.3),
    galaxy(1, 0.5, 0.2, 0.1, noise=0.02, shift=(-0.9, 0.6)),
    drawn(PSF, noise=0.02, seed=1),
]


def by_galsim(image):
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(image))
    shape, centre = found.observed_shape, found.moments_centroid
    return (
        found.moments_amp,
        (centre.x - 1, centre.y - 1),
        found.moments_sigma,
        (shape.g1, shape.g2),
        found.moments_rho4,
    )


@pytest.mark.parametrize(("double", "tolerance"), [(True, 3e-6), (False, 1e-5)])
def test_moments_are_those_of_galsim(double, tolerance):
    with jax.enable_x64(double):
        found = adaptive_moments(np.array(IMAGES))
    assert np.asarray(found.converged).all()
    for i, image in enumerate(IMAGES):
        flux, position, sigma, g, rho4 = by_galsim(image)
        np.testing.assert_allclose(found.flux[i], flux, rtol=tolerance)
        np.testing.assert_allclose(found.position[i], position, atol=tolerance, rtol=0)
        np.testing.assert_allclose(found.sigma[i], sigma, rtol=tolerance)
        np.testing.assert_allclose(found.g[i], g, atol=tolerance, rtol=0)
        np.testing.assert_allclose(found.rho4[i], rho4, rtol=tolerance)


def test_a_gaussian_gets_its_own_numbers():
    image = drawn(galsim.Gaussian(sigma=0.8).shear(g1=0.2, g2=-0.3), shift=(0.2, 0.4))
    with jax.enable_x64(True):
        found = adaptive_moments(image)
    np.testing.assert_allclose(found.flux, 100, rtol=1e-5)
    np.testing.assert_allclose(found.position, [30 + 1, 26 + 2], atol=1e-5)
    # The pixel adds its own variance, 1/12, to that of the Gaussian along both axes.
    variance = 4**2 / (1 - 0.13) * np.array([1 + 0.13 + 0.4, 1 + 0.13 - 0.4]) + 1 / 12
    covariance = 4**2 / (1 - 0.13) * 2 * -0.3
    np.testing.assert_allclose(found.sigma**4, variance.prod() - covariance**2, rtol=1e-4)
    np.testing.assert_allclose(found.rho4, 2, rtol=1e-4)


def test_flux_changes_the_flux_alone():
    one, half = adaptive_moments(IMAGES[1]), adaptive_moments(IMAGES[1] / 2)
    np.testing.assert_allclose(half.flux, one.flux / 2, rtol=1e-5)
    np.testing.assert_allclose(half.g, one.g, atol=1e-5)


def test_masked_pixels_are_not_looked_at():
    image, where = IMAGES[1], np.ones_like(IMAGES[1], bool)
    where[24:26, 30] = where[0] = False
    spoiled = np.where(where, image, np.nan)
    expected = galsim.hsm.FindAdaptiveMom(galsim.Image(image), badpix=galsim.Image((~where).astype(int)))
    found = adaptive_moments(spoiled, where=where)
    np.testing.assert_allclose(found.sigma, expected.moments_sigma, rtol=1e-5)
    np.testing.assert_allclose(found.g, [expected.observed_shape.g1, expected.observed_shape.g2], atol=1e-5)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (-IMAGES[0], {}),  # its flux is negative
        (np.zeros((20, 20)), {}),
        (np.full((20, 20), np.nan), {"where": False}),
        (IMAGES[0], {"position": (-50.0, 26.0)}),  # outside
        (IMAGES[3], {"max_iterations": 3}),
    ],
)
def test_what_has_no_moments_says_so(image, options):
    found = adaptive_moments(image, **options)
    assert not found.converged
    assert np.isnan(np.concatenate([np.ravel(a) for a in found[:5]])).all()
    assert found.iterations <= 400


def test_company_changes_nothing():
    alone = [adaptive_moments(image) for image in IMAGES[:3]]
    together = jax.jit(lambda images: adaptive_moments(images))(np.array([IMAGES[:3], [*IMAGES[:2], -IMAGES[2]]]))
    assert together.g.shape == (2, 3, 2)
    for i, one in enumerate(alone):
        for name, value in one._asdict().items():
            np.testing.assert_allclose(getattr(together, name)[0, i], value, rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(together.converged[1], [True, True, False])


def test_it_finds_what_it_is_pointed_at():
    pair = galaxy(1, 0.4, 0, 0, shift=(-3, 0)) + galaxy(1, 0.4, 0, 0, shift=(3.5, 1))
    found = adaptive_moments(np.array([pair, pair]), position=[[14.0, 27.0], [48.0, 30.0]], sigma=2.0)
    np.testing.assert_allclose(found.position, [[15, 26], [47.5, 31]], atol=0.02)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"image must be \(..., H, W\)"):
        adaptive_moments(np.ones(4))
    with pytest.raises(ValueError, match="image is NaN or infinite in 3 of 9"):
        adaptive_moments(np.where(np.eye(3), np.nan, 1.0))
