"""`jaxblend compare`: deblenders side by side, those that fail, and those that are not installed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from jaxblend import compare
from jaxblend.cli.main import main
from jaxblend.cli.methods import deblend_all
from jaxblend.cli.stored import read_blends
from jaxblend.compare import SEP, Deblender, Peaks
from jaxblend.io.tables import read_table

SMALL = "--survey", "LSST:gr", "--n", "3", "--stamp-size", "32", "--n-sources", "2"


@dataclass(frozen=True)
class Lost(Deblender):
    """One that is not installed."""

    name: ClassVar[str] = "lost"
    uses_positions: ClassVar[bool] = False

    def separate(self, observation, positions):
        raise ImportError("lost is needed for this deblender: pip install lost")


@dataclass(frozen=True)
class Moody(Peaks):
    """Peaks, but not on every blend."""

    name: ClassVar[str] = "moody"
    most_light: ClassVar[float]

    def separate(self, observation, positions):
        if observation.image.mean() > self.most_light:
            raise RuntimeError("no mood for light")
        return Peaks().separate(observation, positions)


@pytest.fixture(scope="module")
def blends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blends")
    command = "simulate", *SMALL, "--format", "hdf5", "--decentring", "pixel", "--out", folder
    assert main([str(word) for word in command]) == 0
    return folder / "blends.h5"


@pytest.fixture
def run(tmp_path, capsys):
    def run(*options):
        capsys.readouterr()
        command = "compare", *options, "--n-bootstrap", 5, "--out", tmp_path / "o"
        return main([str(argument) for argument in command]), capsys.readouterr()

    return run


@pytest.fixture
def known(monkeypatch, blends):
    """Deblenders that there are: one of them fails on the brightest blend, one is not installed."""
    light = [blend.observation.image.mean() for blend in read_blends(blends)]
    monkeypatch.setattr(Moody, "most_light", np.mean(sorted(light)[-2:]), raising=False)
    monkeypatch.setattr(compare, "deblenders", lambda: {"sep": SEP, "moody": Moody, "lost": Lost})
    return int(np.argmax(light))


def test_side_by_side(tmp_path, run, blends):
    status, printed = run(blends, "--methods", "sep", "peaks")
    assert status == 0
    table = read_table(tmp_path / "o/comparison.ecsv")
    assert table.colnames == ["metric", "sep", "sep_err", "peaks", "peaks_err", "unit", "meaning"]
    rows = {row["metric"]: row for row in table}
    for name in ("sep", "peaks"):
        own = read_table(tmp_path / "o" / name / "table.ecsv")
        for row in own:
            np.testing.assert_allclose(rows[row["metric"]][name], row["value"])
            assert rows[row["metric"]]["meaning"] == row["meaning"]
        assert rows["seconds"][name] > 0
    bins = read_table(tmp_path / "o/bins.ecsv")
    assert set(bins["method"]) == {"sep", "peaks"}
    recall = bins[(bins["by"] == "snr") & (bins["metric"] == "recall") & (bins["method"] == "sep")]
    np.testing.assert_allclose(recall["value"], read_table(tmp_path / "o/sep/snr.ecsv")["recall"])
    precision = bins[(bins["by"] == "detection_flux") & (bins["metric"] == "precision") & (bins["method"] == "sep")]
    np.testing.assert_allclose(precision["value"], read_table(tmp_path / "o/sep/detection_flux.ecsv")["precision"])
    text = (tmp_path / "o/comparison.md").read_text()
    assert "| recall | " in text
    assert "## recall by snr" in text
    assert "## f1 by detection_flux" in text
    assert {"blend_fraction", "colour_g_r_outliers", "blended_area_mean"} <= set(rows)
    written = {path.name for path in (tmp_path / "o").iterdir()}
    pictures = "efficiency recall residuals errors_snr errors_blendedness gallery sources_of_blend_0".split()
    assert {f"{name}.png" for name in pictures} <= written
    assert "3 blends" in printed.out


def test_blends_that_are_drawn_now_and_a_failure(tmp_path, run, known):
    status, printed = run(*SMALL, "--methods", "sep", "moody", "--decentring", "pixel", "--gallery", 0)
    assert status == 0
    assert "moody failed on 1 of 3 blends, first on blend" in printed.err
    assert "RuntimeError: no mood for light" in printed.err
    rows = {row["metric"]: row for row in read_table(tmp_path / "o/comparison.ecsv")}
    assert rows["failed_blends"]["moody"] == pytest.approx(1 / 3)
    assert rows["failed_blends"]["sep"] == 0
    assert f"moody failed on 1 blends: [{known}]." in (tmp_path / "o/comparison.md").read_text()
    assert not (tmp_path / "o/gallery.png").exists()


def test_blends_that_are_drawn_now_can_have_correlated_noise(tmp_path, run, monkeypatch):
    seen, row = [], np.array([0.4, 1.0, 0.4])

    class Watching(Peaks):
        def separate(self, observation, positions):
            seen.append(observation.noise_correlation)
            return super().separate(observation, positions)

    monkeypatch.setattr(compare, "deblenders", lambda: {"peaks": Watching})
    np.save(tmp_path / "c.npy", np.outer(row, row))
    noise = "--noise", "gaussian", "--noise-correlation", tmp_path / "c.npy"
    assert run(*SMALL, *noise, "--methods", "peaks", "--gallery", 0)[0] == 0
    np.testing.assert_allclose(seen[-3:], [[np.outer(row, row)] * 2] * 3)  # the first looks whether it runs


def test_what_has_ended_is_written_before_the_rest_is_done(tmp_path, run, blends, monkeypatch):
    class Killed(Peaks):
        def separate(self, observation, positions):
            if observation.image.any():  # the trial is empty
                raise KeyboardInterrupt
            return super().separate(observation, positions)

    monkeypatch.setattr(compare, "deblenders", lambda: {"peaks": Peaks, "sep": Killed})
    with pytest.raises(KeyboardInterrupt):
        run(blends, "--methods", "peaks", "sep")
    assert (tmp_path / "o/peaks/table.ecsv").exists()
    assert not (tmp_path / "o/comparison.ecsv").exists()


def test_what_is_not_installed_is_left_out_unless_it_is_asked_for(run, known, blends):
    status, printed = run(blends)
    assert status == 0
    assert "Left out: lost. lost is needed for this deblender: pip install lost" in printed.out
    status, printed = run(blends, "--methods", "sep", "lost")
    assert status == 2
    assert printed.err.startswith("error: --methods lost: lost is needed for this deblender: pip install lost")


def test_positions_that_go_with_the_blends(blends):
    stored = read_blends(blends)
    run = deblend_all(Peaks(), stored, at_positions=True)
    assert not run.errors
    for result, blend in zip(run.results, stored, strict=True):
        np.testing.assert_allclose(result.positions, blend.positions)
        assert np.abs(blend.positions[:, 0] - blend.truth["x"].value).max() > 0
    assert len(run.seconds) == 3


def test_positions_of_blends_as_fits_are_those_of_the_truth(tmp_path, run):
    command = "simulate", *SMALL, "--format", "fits", "--isolated", "--out", tmp_path / "fits"
    assert main([str(word) for word in command]) == 0
    for blend in read_blends(tmp_path / "fits"):
        np.testing.assert_allclose(blend.positions, np.stack([blend.truth[name].value for name in "xy"], axis=1))
    assert run(tmp_path / "fits", "--methods", "peaks", "--positions", "given", "--gallery", 0)[0] == 0
    rows = {row["metric"]: row["peaks"] for row in read_table(tmp_path / "o/comparison.ecsv")}
    assert rows["recall"] == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("none.h5 --methods peaks", "There is no file or folder none.h5: expected blends.h5"),
        ("--methods peaks none.h5", "Got --methods none.h5, expected some of peaks, sep"),
        ("--methods peaks none.h5", "(write the blends before --methods)"),
        ("{blends} --methods peaks --n 7", "and options of a simulation, expected one of them"),
        ("--methods peaks --survey LSST HSC", "expected one: deblenders see one image"),
        ("--methods peaks --n 0", "Got --n 0"),
        ("{blends} --methods peaks --gallery -1", "Got --gallery -1"),
        ("{blends} --methods peaks --band q", "band must be one of ('g', 'r')"),
        ("{blends} --methods peaks --max-separation 0", "max_separation must be positive"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(run, blends, options, expected):
    status, printed = run(*options.format(blends=blends).split())
    assert status == 2
    assert expected in printed.err
    assert len(printed.err.splitlines()) == 1
