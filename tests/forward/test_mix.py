"""Mixes: every source is drawn by its own model, and what it does not use changes nothing."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.forward.free_form import FreeForm, Lattice
from jaxblend.forward.galaxies import BulgeDisk, Exponential, Sersic, Star
from jaxblend.forward.mix import Mix
from jaxblend.priors import population_prior

SMALL = FreeForm(Lattice.of(3, spacing=0.8, reach=3.0, correlation=0.6, contrast=0.8))
K = jnp.linspace(-5, 5, 11)[None]


def own(mix, i):
    return Mix(mix.models, jnp.asarray(i))


def test_each_source_is_drawn_by_its_own_model():
    mix = Mix.of([SMALL, BulgeDisk(), BulgeDisk()], slots=4)
    assert [type(mix.models[i]).__name__ for i in mix.which] == ["FreeForm", "BulgeDisk", "BulgeDisk", "BulgeDisk"]
    values = {"log_radius": -0.3, "g1": 0.1, "g2": -0.2, "log_ratio": -0.5, "shear_ratio": 0.4}
    latent = {name: 0.5 + i for i, name in enumerate(SMALL.latent_names)}
    place = [n for n in mix.shape_names if n not in values]
    shape = jnp.array([values.get(name, 0.0) for name in mix.shape_names])
    shape = shape.at[len(mix.shape_names) - len(place) :].set(jnp.array(list(latent.values())))
    for i, model in enumerate(mix.models):
        alone = jnp.array([{**values, **latent}[name] for name in model.shape_names])
        fractions = jnp.array([0.3, 0.7])
        one = own(mix, i)
        np.testing.assert_allclose(one.amplitudes(shape, K, 0.5 * K), model.amplitudes(alone, K, 0.5 * K), atol=1e-6)
        np.testing.assert_allclose(one.shear(shape, fractions), model.shear(alone, fractions), rtol=1e-6)
        np.testing.assert_allclose(
            one.half_light_radius(shape, fractions), model.half_light_radius(alone, fractions), rtol=1e-6
        )


def test_a_star_uses_no_shape():
    mix = Mix.of([Star(), Exponential()], slots=2)
    assert mix.shape_names == ("log_radius", "g1", "g2")
    star = [type(model).__name__ for model in mix.models].index("Star")
    np.testing.assert_array_equal(own(mix, star).amplitudes(jnp.array([0.2, 0.1, 0.3]), K, K), 1.0)


def test_one_model_for_all_is_that_model():
    assert Mix.of([BulgeDisk(), BulgeDisk()], slots=3) == BulgeDisk()
    assert Mix.of([SMALL, SMALL], slots=2) is SMALL


def test_models_of_other_components_are_refused():
    with pytest.raises(ValueError, match="same number of components, got BulgeDisk 2, Sersic 1"):
        Mix.of([BulgeDisk(), Sersic()], slots=2)


def test_latent_numbers_are_each_models_own():
    mix = Mix.of([SMALL, FreeForm(Lattice.of(2, spacing=0.8, reach=3.0, correlation=0.6, contrast=0.5))], slots=2)
    assert [len(names) for names, _ in mix.latents] == [3, 2]
    prior = population_prior(mix, "gr", zero_point=[27.0, 27.0], position_scatter=0.2)
    assert prior.names[2 + 2 : 2 + 2 + len(mix.shape_names)] == mix.shape_names
    plain = Mix.of([Exponential(), Sersic()], slots=2)
    assert plain.shape_names == ("log_radius", "g1", "g2", "sersic_index")
