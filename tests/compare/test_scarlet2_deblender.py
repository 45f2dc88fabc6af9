import sys

import numpy as np
import pytest

from jaxblend.compare import Scarlet2


def test_a_missing_package_is_named(monkeypatch, sky):
    monkeypatch.setitem(sys.modules, "scarlet2", None)
    with pytest.raises(ImportError, match=r"scarlet2 is needed for this deblender .*: pip install 'scarlet2>=0.5'"):
        Scarlet2()(sky.observation)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the packages that it brings
@pytest.mark.parametrize("given", [True, False])
def test_sources_come_out_with_their_flux(sky, given):
    pytest.importorskip("scarlet2")
    order = [2, 0, 1]
    result = Scarlet2(max_steps=300)(sky.observation, sky.positions[order] if given else None)
    assert result.images.shape == sky.isolated.shape
    if given:
        np.testing.assert_allclose(result.positions, sky.positions[order], atol=1e-3)
    flux, distance = sky.errors(result)
    assert distance.max() < 0.5
    assert np.abs(flux).max() < 0.15
    light = sky.isolated.sum(axis=0)
    assert ((result.images.sum(axis=0) - light) ** 2).sum() < 0.02 * (light**2).sum()
    assert "flux_g_err" not in result.catalog.colnames


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_source_beyond_the_edge_has_no_light(sky):
    pytest.importorskip("scarlet2")
    result = Scarlet2(max_steps=3)(sky.observation, np.concatenate([[[10.0, -0.4]], sky.positions[:1]]))
    assert not result.images[0].any()
    assert result.images[1].any()
    assert list(result.catalog["flux_g"] > 0) == [False, True]


@pytest.mark.filterwarnings("ignore")
def test_its_checks_are_left_as_they_were(empty_sky):
    scarlet2 = pytest.importorskip("scarlet2")
    scarlet2.set_validation(True)
    result = Scarlet2()(empty_sky)
    assert result.images.shape == (0, *empty_sky.image.shape)
    assert scarlet2.validation_utils.VALIDATION_SWITCH
