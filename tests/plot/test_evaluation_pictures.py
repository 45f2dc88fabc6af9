import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from matplotlib.figure import Figure

import jaxblend as jb
from jaxblend.plot.binned import binned_picture, recall_picture
from jaxblend.plot.evaluation import efficiency_picture, residual_picture

N_BLENDS, N_SOURCES = 10, 3


def truth(rng):
    table = QTable(meta={"pixel_scale": 0.2, "reference_band": "r", "bands": ["r"]})
    table["id"] = np.arange(N_SOURCES)
    table["x"], table["y"] = rng.uniform(0, 400, (2, N_SOURCES)) * u.pix
    table["flux_r"] = rng.uniform(1, 2, N_SOURCES)
    table["snr"] = 10 ** rng.uniform(0.8, 2.4, N_SOURCES)
    table["radius"], table["g1"], table["g2"] = np.full(N_SOURCES, 0.5) * u.arcsec, *np.zeros((2, N_SOURCES))
    return table


@pytest.fixture(scope="module")
def evaluations():
    """One that finds everything and measures shapes, one that is short-sighted, without shapes, and far off once."""
    rng = np.random.default_rng(4)
    truths = [truth(rng) for _ in range(N_BLENDS)]
    keen, blind = [each.copy() for each in truths], []
    for table in keen:
        table["flux_r"] *= 1 + 0.1 * rng.normal(size=N_SOURCES)
        table["g1"] = 0.05 * rng.normal(size=N_SOURCES)
    for each in truths:
        table = each["id", "x", "y", "flux_r", "snr"]
        table["flux_r"] *= 1 + 0.3 * rng.normal(size=N_SOURCES)
        blind.append(table[np.asarray(table["snr"]) > 20])
    blind[0]["flux_r"] *= 100
    blind[3] = None
    return {
        name: jb.evaluate(results, truths, max_separation=1.0, n_bootstrap=10)
        for name, results in (("keen", keen), ("blind", blind))
    }


def png(picture, tmp_path):
    return picture.save(tmp_path / "p.png", dpi=40.0).read_bytes()[:4] == b"\x89PNG"


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]


def test_the_efficiency_matrix_has_its_numbers(tmp_path, evaluations):
    figure = efficiency_picture(evaluations)
    assert png(figure, tmp_path)
    assert titles(figure)[0] == "keen\n100.0% of 30 found"
    for axes, evaluation in zip(figure.axes, evaluations.values(), strict=True):
        written = {tuple(map(int, text.xy)): float(text.get_text()) for text in axes.texts}
        counts = evaluation.efficiency
        assert written == {(t, f): counts[f, t] for f, t in np.argwhere(counts)}
        assert axes.get_xlim() == (N_SOURCES - 0.5, N_SOURCES + 0.5)
    assert titles(efficiency_picture(evaluations["keen"])) == ["100.0% of 30 found"]


def test_residuals_are_shares_of_found_sources_and_none_is_lost(tmp_path, evaluations):
    figure = residual_picture(evaluations)
    assert png(figure, tmp_path)
    flux, magnitude, size, shape = figure.axes
    assert flux.get_title(loc="left").startswith("flux, r")
    assert [len(axes.patches) for axes in (flux, magnitude, size, shape)] == [2, 2, 1, 1]
    for axes in figure.axes:
        for outline in axes.patches:
            heights = outline.get_xy()[1::2, 1]
            assert heights.sum() == pytest.approx(1.0)
    last = flux.patches[1].get_xy()[-2, 1]  # the source that is a hundred times too bright
    assert last > 0
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["keen", "blind"]
    assert not residual_picture(evaluations["keen"]).legends


def test_recall_in_bins_is_that_of_the_evaluation(tmp_path, evaluations):
    figure = recall_picture(evaluations)
    assert png(figure, tmp_path)
    (axes,) = figure.axes
    table = evaluations["blind"].in_bins("snr", metrics=["recall"])
    table = table[table["count"] > 0]
    np.testing.assert_allclose(axes.containers[1].lines[0].get_ydata(), table["recall"])
    assert [text.get_text() for text in axes.texts] == [
        f"n = {n}" if i == 0 else f"{n}" for i, n in enumerate(table["count"])
    ]
    edges = [float(text.get_text()) for text in axes.get_xticklabels()]
    assert edges == [*table["snr_low"], table["snr_high"][-1]]


def test_recall_is_drawn_on_axes_of_the_users(evaluations):
    axes = Figure().add_subplot()
    assert recall_picture(evaluations, edges=[0, 20, np.inf], axes=axes) is axes.get_figure()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["keen", "blind"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "20", "∞"]


def test_errors_in_bins_have_a_panel_for_what_somebody_knows(tmp_path, evaluations):
    figure = binned_picture(evaluations, by="snr")
    assert png(figure, tmp_path)
    assert titles(figure) == [
        "median error: flux in r",
        "scatter (NMAD): flux in r",
        "scatter (NMAD): size",
        "scatter (NMAD): g1",
    ]
    one = binned_picture(evaluations["keen"], by="snr", metrics=["flux_r_mean_absolute", "magnitude_r_outliers"])
    assert titles(one) == ["mean |error|: flux in r", "share of outliers: magnitude in r"]
    assert not one.legends


def test_nothing_is_no_picture(evaluations):
    for picture in (efficiency_picture, residual_picture, recall_picture, binned_picture):
        with pytest.raises(ValueError, match="nothing to draw"):
            picture({})
    with pytest.raises(ValueError, match="no source has a snr"):
        recall_picture(evaluations, edges=[1e5, 1e6])
    with pytest.raises(ValueError, match="no result has any of"):
        binned_picture(evaluations["blind"], by="snr", metrics=["size_nmad"])
    with pytest.raises(ValueError, match="cannot bin by 'blendedness'"):
        binned_picture(evaluations)
