"""scarlet cannot be installed from PyPI: a stand-in has the interface, and fits one Gaussian of the PSF's width."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from jaxblend.compare import Scarlet


class Source:
    def __init__(self, frame, center):
        self.center = np.array(center) + 0.25
        y, x = np.indices(frame.shape[1:])
        shape = np.exp(-0.5 * ((y - center[0]) ** 2 + (x - center[1]) ** 2))
        self.model = np.ones((frame.shape[0], 1, 1)) * shape / shape.sum()

    def get_model(self, frame):
        return self.model


class Observation:
    def __init__(self, image, *, psf, weights, channels):
        assert image.shape == weights.shape
        assert psf.shape[0] == len(channels)
        self.image = image

    def match(self, frame):
        assert frame.shape == self.image.shape
        return self

    def render(self, model):
        return 2 * model


class Blend:
    def __init__(self, sources, observation):
        self.sources = sources

    def fit(self, steps, e_rel):
        for i, source in enumerate(self.sources):
            source.model = source.model * (100.0 * (i + 1))


def init_all_sources(frame, centers, observation, **options):
    assert options["silent"]
    if len(centers) > len({tuple(np.round(c)) for c in centers}):
        raise np.linalg.LinAlgError("Singular matrix")
    skipped = [i for i, (_, x) in enumerate(centers) if x > 40]
    return [Source(frame, c) for i, c in enumerate(centers) if i not in skipped], skipped


@pytest.fixture
def scarlet(monkeypatch):
    module = ModuleType("scarlet")
    module.Frame = lambda shape, psf, channels: SimpleNamespace(shape=shape)
    module.GaussianPSF = lambda sigma: sigma
    module.ImagePSF = np.asarray
    module.Observation, module.Blend = Observation, Blend
    module.initialization = SimpleNamespace(init_all_sources=init_all_sources)
    module.measure = SimpleNamespace(flux=lambda source: source.model.sum(axis=(1, 2)))
    monkeypatch.setitem(sys.modules, "scarlet", module)


@pytest.mark.usefixtures("scarlet")
def test_rows_are_in_the_order_of_positions_and_skipped_ones_are_flagged(sky):
    positions = np.array([[20.0, 33.0], [45.0, 5.0], [14.0, 16.0]])
    result = Scarlet()(sky.observation, positions)
    np.testing.assert_array_equal(result.catalog["flags"], [0, 1, 0])
    np.testing.assert_allclose(result.positions, positions + np.array([[0.25], [0.0], [0.25]]))
    np.testing.assert_allclose(result.fluxes[:, 0], [100.0, 0.0, 200.0])
    np.testing.assert_allclose(result.images.sum(axis=(2, 3))[:, 1], [200.0, 0.0, 400.0], rtol=1e-6)
    assert np.unravel_index(result.images[0, 0].argmax(), (48, 48)) == (33, 20)


@pytest.mark.usefixtures("scarlet")
def test_without_positions_detections_are_taken(sky):
    assert len(Scarlet()(sky.observation).catalog) == 3


@pytest.mark.usefixtures("scarlet")
def test_nothing_in_noise(empty_sky):
    assert Scarlet()(empty_sky).images.shape == (0, *empty_sky.image.shape)


@pytest.mark.usefixtures("scarlet")
def test_two_sources_in_one_pixel_are_flagged(sky):
    result = Scarlet()(sky.observation, [[10.0, 10.0], [10.1, 10.0]])
    np.testing.assert_array_equal(result.catalog["flags"], [1, 1])
    assert not result.images.any()


@pytest.mark.parametrize("found", [None, ModuleType("scarlet")])
def test_the_wrong_package_is_told_apart(monkeypatch, sky, found):
    monkeypatch.setitem(sys.modules, "scarlet", found)
    with pytest.raises(ImportError, match=r"scarlet .*: build it from source .*on PyPI is another"):
        Scarlet()(sky.observation)
