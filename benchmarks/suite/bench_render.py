"""Drawing a blend of three galaxies in three bands, and slopes."""

import jax
import jax.numpy as jnp
import pytest

import jaxblend as jb
from jaxblend.fitting.prepare import prepare
from jaxblend.forward.render import images, render
from jaxblend.infer.columns import exact_normal_equations
from jaxblend.infer.posterior import in_bands, objective


@pytest.fixture(scope="module")
def blend(blends):
    one = blends[0]
    item = prepare([one.observation], one.positions, model=jb.BulgeDisk())
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if hasattr(leaf, "shape") else leaf, item.blend())


@pytest.fixture(scope="module")
def middle(blend):
    return jnp.zeros((len(blend.present), blend.prior.size))


@pytest.mark.parametrize("draw", [render, images], ids=lambda draw: draw.__name__)
def test_draw(timed, blend, middle, draw):
    exposure, bands = blend.with_bands()[0]
    call = jax.jit(lambda u: draw(in_bands(blend.sources(u), bands), exposure.frame, exposure.transfer))
    timed(lambda: call(middle), lambda image: bool(jnp.isfinite(image).all()), rounds=50)


def test_gradient(timed, blend, middle):
    call = jax.jit(jax.value_and_grad(lambda u: objective(u, blend)))
    timed(lambda: call(middle), lambda found: bool(jnp.isfinite(found[1]).all()), rounds=50)


def test_curvature(timed, blend, middle):
    call = jax.jit(lambda u: exact_normal_equations(u, blend))
    timed(lambda: call(middle), lambda found: bool(jnp.isfinite(found[0]).all()), rounds=20)
