import numpy as np

import jaxblend as jb
from jaxblend.compare import Jaxblend

MODEL = jb.Exponential()


def test_given_positions_are_fitted_in_their_order(sky):
    order = [2, 0, 1]
    result = Jaxblend(model=MODEL)(sky.observation, sky.positions[order])
    np.testing.assert_allclose(result.positions, sky.positions[order], atol=0.3)
    np.testing.assert_allclose(result.fluxes, sky.fluxes[order], rtol=0.2)
    np.testing.assert_array_equal(result.images.shape, sky.isolated.shape)
    np.testing.assert_allclose(result.images.sum(axis=(2, 3)), sky.fluxes[order], rtol=0.2)
    assert {"radius", "g1", "g2", "flags"} <= set(result.catalog.colnames)
    assert result.catalog.meta["deblender"] == "jaxblend"
    assert result.catalog.meta["model"] == "Exponential"


def test_without_positions_it_finds_them(sky):
    result = Jaxblend(model=MODEL)(sky.observation)
    flux, distance = sky.errors(result)
    assert len(result.catalog) == 3
    assert distance.max() < 0.3
    assert np.abs(flux).max() < 0.2
    assert result.images.shape == sky.isolated.shape
    explained = 1 - ((sky.isolated.sum(0) - result.images.sum(0)) ** 2).sum() / (sky.isolated.sum(0) ** 2).sum()
    assert explained > 0.99


def test_nothing_is_found_in_noise(empty_sky):
    result = Jaxblend(model=MODEL)(empty_sky)
    assert result.images.shape == (0, *empty_sky.image.shape)
    assert result.fluxes.shape == (0, 2)
