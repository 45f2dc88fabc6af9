import jax
import numpy as np
import pytest

from jaxblend.metrics import coverage, coverage_in_bins, ecdf_test
from jaxblend.plot.calibration import coverage_picture, ecdf_picture, tarp_picture


@pytest.fixture(scope="module")
def tests():
    rng = np.random.default_rng(0)
    return {"calibrated": ecdf_test(rng.random(200)), "overconfident": ecdf_test(rng.beta(0.5, 0.5, 200))}


@pytest.mark.parametrize("picture", [ecdf_picture, tarp_picture])
def test_the_ecdf_and_its_band(tmp_path, tests, picture):
    figure = picture(tests)
    assert figure.save(tmp_path / "ecdf.png", dpi=40.0).read_bytes()[:4] == b"\x89PNG"
    first, second = (axes.get_title(loc="left") for axes in figure.axes)
    assert first.startswith("calibrated\nn = 200, p = 0.")
    assert "worst" not in first
    assert "p < 0.0001, worst at" in second
    assert len(figure.axes[1].lines) == len(figure.axes[0].lines) + 1  # the circle
    assert len(picture(tests["calibrated"]).axes) == 1


def test_coverage_in_bins_even_of_nothing(tmp_path):
    rng, key = np.random.default_rng(1), jax.random.key(0)
    inside = coverage(rng.normal(size=(200, 50)), rng.normal(size=200))
    binned = coverage_in_bins(inside, rng.random(200), edges=[-np.inf, 0.5, 1.0, 2000.0], key=key)
    figure = coverage_picture({f"method {i}": binned for i in range(5)}, label="S/N")
    assert figure.save(tmp_path / "coverage.png", dpi=40.0).read_bytes()[:4] == b"\x89PNG"
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["−∞", "0.5", "1", "2000"]
    assert [text.get_text() for text in axes.texts[3:]] == [f"n = {count}" for count in binned.count]
    assert sum(axes.get_visible() for axes in figure.axes) == 5


def test_nothing_is_no_picture():
    with pytest.raises(ValueError, match="nothing to draw"):
        ecdf_picture({})
