"""Free-form galaxies: the smooth disk they fall back to, their slopes, and that nothing in them is negative."""

import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.forward.free_form import FreeForm, Lattice


@pytest.fixture(scope="module")
def galaxy():
    return FreeForm(Lattice.of(5, spacing=0.5, reach=4.0, correlation=0.6, contrast=0.8))


def shape_of(galaxy, z, log_radius=0.0, g1=0.0, g2=0.0):
    return jnp.concatenate([jnp.array([log_radius, g1, g2, -0.5, 0.3]), jnp.asarray(z, jnp.float32)])


def test_without_a_field_it_is_an_exponential_disk_after_a_psf(galaxy):
    k = jnp.linspace(0, 8, 60)[None]  # per half-light radius
    disk = galaxy.amplitudes(shape_of(galaxy, jnp.zeros(5)), k, 0 * k)[1, 0]
    expected = [galsim.Exponential(half_light_radius=1.0).kValue(float(x), 0.0).real for x in k[0]]
    # Seen with a PSF as wide as the galaxy; the splats are too few for the cusp.
    psf = np.exp(-0.5 * (np.asarray(k[0]) * 0.42 * 2) ** 2)
    np.testing.assert_allclose(disk * psf, expected * psf, atol=0.01)
    assert np.max(np.abs(disk.imag)) < 1e-6


def test_size_and_shear_move_the_lattice_as_they_move_a_galaxy(galaxy):
    z = np.array([1.0, -0.5, 0.3, 2.0, -1.0])
    rng = np.random.default_rng(0)
    kx, ky = jnp.asarray(rng.uniform(-4, 4, (2, 1, 30)), jnp.float32)
    lattice = galaxy.lattice
    share = np.asarray(lattice.share(jnp.asarray(z)))
    places = np.concatenate([lattice.place, -lattice.place])
    pieces = [
        galsim.Gaussian(sigma=float(w), flux=float(s)).shift(*map(float, p))
        for p, w, s in zip(places, np.tile(lattice.width, 2), share, strict=True)
    ]
    expected = galsim.Sum(pieces).expand(1.3).withFlux(1.0).shear(g1=0.2, g2=-0.1)
    found = galaxy.amplitudes(shape_of(galaxy, z, np.log(1.3), 0.2, -0.1), kx, ky)[1, 0]
    theirs = [expected.kValue(float(x), float(y)) for x, y in zip(kx[0], ky[0], strict=True)]
    np.testing.assert_allclose(found, theirs, atol=1e-5)


def test_slopes_are_those_of_the_values(galaxy):
    with jax.enable_x64(True):
        rng = np.random.default_rng(1)
        kx, ky = jnp.asarray(rng.uniform(-4, 4, (2, 1, 10)))
        shape = shape_of(galaxy, rng.normal(size=5), 0.1, 0.2, -0.1).astype(float)

        def values(shape):
            return galaxy.amplitudes(shape, kx, ky)

        slopes = jax.jacfwd(values)(shape)
        for i, step in enumerate(1e-5 * np.eye(len(shape))):
            expected = (values(shape + step) - values(shape - step)) / 2e-5
            np.testing.assert_allclose(slopes[..., i], expected, atol=1e-8)


def test_no_light_is_negative_and_the_field_is_as_strong_as_was_asked(galaxy):
    z = jax.random.normal(jax.random.key(0), (200, 5))
    share = jax.vmap(galaxy.lattice.share)(z)
    assert (share > 0).all()
    np.testing.assert_allclose(share.sum(1), 1.0, rtol=1e-5)
    many = Lattice.of(60, spacing=0.5, reach=4.0, correlation=0.6, contrast=0.8)
    np.testing.assert_allclose((many.modes**2).sum(1), 0.64, rtol=0.1)
