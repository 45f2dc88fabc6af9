from types import SimpleNamespace

import numpy as np
import pytest
from fake_fit import catalog, gaussians

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.plot.gallery import gallery_picture, sources_picture

POSITIONS = np.array([[6.0, 7.0], [14.0, 11.0]])


def made(bands="gri", *, n=2, seed=0):
    """A blend of Gaussians, and a result that is the truth."""
    positions = POSITIONS[:n]
    templates = np.zeros((0, 18, 20)) if n == 0 else gaussians(positions, (18, 20), 2.0)
    isolated = 900 * np.repeat(templates[:, None], len(bands), axis=1)
    noise = np.random.default_rng(seed).normal(size=(len(bands), 18, 20))
    image = (noise + isolated.sum(axis=0)).astype(np.float32)
    observation = Observation(image, np.ones_like(image), GaussianPSF(0.7), pixel_scale=0.2, bands=bands)
    table = catalog(observation, positions, np.full((n, len(bands)), 900.0))
    blend = SimpleNamespace(observation=observation, isolated=isolated, truth=table)
    return blend, SimpleNamespace(images=isolated, catalog=table)


def as_stamps(result):
    """As a scene has its images."""
    place = slice(2, 16), slice(1, 19)
    stamps = [(image[:, *place], place) for image in result.images]
    return SimpleNamespace(images=stamps, catalog=result.catalog)


def first_titles(figure, n):
    return [axes.get_title(loc="left") for axes in figure.axes[:n]]


@pytest.mark.parametrize("bands", ["r", "gri"])
def test_a_line_for_each_blend(tmp_path, bands):
    (first, result), (second, other) = made(bands), made(bands, n=0, seed=1)
    results = {"exact": [result, other], "scene": [as_stamps(result), None]}
    figure = gallery_picture([first, second], results)
    assert figure.save(tmp_path / "g.png", dpi=40.0).read_bytes()[:4] == b"\x89PNG"
    assert len(figure.axes) == 12
    assert first_titles(figure, 6) == ["image", "truth", "exact", "residual", "scene", "residual"]
    assert first_titles(figure, 12)[6:] == [""] * 6
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["failed", ""]
    whole, stamps = (np.asarray(figure.axes[i].images[0].get_array()) for i in (3, 5))
    np.testing.assert_allclose(whole[2:16, 1:19], stamps[2:16, 1:19], atol=1e-4)
    assert np.std(whole) == pytest.approx(1.0, abs=0.1)  # the noise, in units of it


def test_without_truth_and_residuals(tmp_path):
    blend, result = made()
    figure = gallery_picture(
        [SimpleNamespace(observation=blend.observation)], {"exact": [result]}, residuals=False, names=["mine"]
    )
    assert first_titles(figure, 2) == ["image", "exact"]
    assert len(figure.axes) == 2
    assert figure.axes[0].get_ylabel() == "mine"


def test_blends_side_by_side():
    blends = [made(seed=i)[0] for i in range(4)]
    figure = gallery_picture(blends, {}, per_line=3)
    assert len(figure.axes) == 12
    assert first_titles(figure, 12) == ["image", "truth"] * 3 + [""] * 6
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == [*(f"blend {i}" for i in range(4)), "", ""]
    assert [axes.axison for axes in figure.axes[6:]] == [True, True, False, False, False, False]
    assert len(gallery_picture(blends[:1], {}, per_line=3).axes) == 2


def test_each_source_alone(tmp_path):
    blend, result = made()
    figure = sources_picture(
        blend, {"exact": result, "half": result, "none": None}, {"exact": [0, 1], "half": [-1, 0], "none": [-1, -1]}
    )
    assert figure.save(tmp_path / "s.png", dpi=40.0).read_bytes()[:4] == b"\x89PNG"
    grid = np.array(figure.axes).reshape(4, 3)
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["truth", "exact", "half", "none"]
    assert [axes.get_title(loc="left") for axes in grid[0]] == ["image", "galaxy, S/N 100", "star, S/N 10"]
    words = [[text.get_text() for text in axes.texts] for axes in grid[2:].ravel()]
    assert words == [[], ["not found"], [], ["failed"], ["not found"], ["not found"]]
    exact, half = (np.asarray(axes.images[0].get_array()) for axes in (grid[1, 1], grid[2, 2]))
    np.testing.assert_array_equal(exact, half)  # both are of the first row of the result
    assert len(sources_picture(blend, {}, {}, max_sources=1).axes) == 2


def test_wrong_input_is_said():
    blend, result = made()
    with pytest.raises(ValueError, match="at least one blend"):
        gallery_picture([], {})
    with pytest.raises(ValueError, match="Got 2 results of exact for 1 blends"):
        gallery_picture([blend], {"exact": [result, result]})
    with pytest.raises(ValueError, match="band 'z'"):
        gallery_picture([blend], {"exact": [result]}, band="z")
    with pytest.raises(ValueError, match="Got per_line=0"):
        gallery_picture([blend], {}, per_line=0)
    with pytest.raises(ValueError, match="no images of isolated sources"):
        sources_picture(SimpleNamespace(observation=blend.observation), {}, {})
