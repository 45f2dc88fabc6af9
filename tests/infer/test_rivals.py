"""The modes that starts lead to: found, told apart, and kept."""

import equinox as eqx
import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.fitting.prepare import prepare
from jaxblend.infer.map import maximum_a_posteriori

SHIFT = 3.0  # pixels from the middle


@pytest.fixture(scope="module")
def item():
    """Two stars, unequal in flux; the seeds of both are in the middle, with a wide scatter."""
    image = galsim.Image(32, 32, scale=0.2)
    for sign, flux in ((1, 500.0), (-1, 300.0)):
        star = galsim.Moffat(beta=3.0, fwhm=0.7, flux=flux)
        star.shift(sign * SHIFT * 0.2, 0.0).drawImage(image, add_to_image=True)
    data = image.array + np.random.default_rng(0).normal(0, 1.0, (32, 32))
    psf = jb.MoffatPSF(fwhm=0.7, beta=3.0)
    observation = jb.Observation(data[None], 1.0, psf, pixel_scale=0.2, bands="r", zero_point=27.0)
    middle = np.full((2, 2), 15.5)
    return prepare((observation,), middle, model=jb.BulgeDisk(), stars=[True, True], position_scatter=0.6)


@eqx.filter_jit
def search(item, starts):
    return maximum_a_posteriori(item.blend(), starts)


def start(item, order):
    u = np.zeros((2, item.prior.size), np.float32)
    u[:, 0] = np.array(order) * SHIFT * 0.2 / 0.6
    return u


def test_sources_that_may_be_exchanged_are_two_modes(item):
    starts = jnp.asarray([start(item, (1, -1)), start(item, (-1, 1)), start(item, (1, -1)) + 0.05])
    found = jax.tree.map(np.asarray, search(item, starts))
    assert np.isfinite(found.rival_objective).tolist() == [True, False]  # two of three starts end in one mode
    # The two are one scene with two names, of one magnitude prior.
    assert found.rival_objective[0] == pytest.approx(found.objective, abs=0.1)
    np.testing.assert_allclose(found.rival_u[0][::-1], found.u, atol=0.05)
    assert found.second_mode.all()


def test_one_mode_has_no_rival(item):
    starts = jnp.asarray([start(item, (1, -1)), start(item, (1, -1)) + 0.1])
    found = jax.tree.map(np.asarray, search(item, starts))
    assert np.isinf(found.rival_objective).all()
    assert not found.second_mode.any()
