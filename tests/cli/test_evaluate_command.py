"""`jaxblend evaluate`: what it reads, what it writes, and what wrong input gets."""

import json
import shutil

import astropy.units as u
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.cli.main import main
from jaxblend.cli.stored import read_blends
from jaxblend.compare import Deblended
from jaxblend.io.images import Extension, write_images
from jaxblend.io.tables import read_table, write_table

N = 3
INSIDE = np.pad(np.ones((23, 22)), ((1, 0), (2, 0)))  # the stamps that results have


@pytest.fixture(scope="module")
def blends(tmp_path_factory):
    """The folder of three blends of two sources, with their images."""
    folder = tmp_path_factory.mktemp("blends")
    small = "--survey", "LSST:r", "--n", N, "--stamp-size", 24, "--n-sources", 2, "--isolated", "--shear", 0.02, 0
    assert main([str(word) for word in ("simulate", *small, "--out", folder)]) == 0
    return folder


@pytest.fixture
def run(tmp_path, capsys):
    """Evaluate into the folder "o": the status and what was printed."""

    def run(result, truth, *options):
        capsys.readouterr()
        command = "evaluate", result, truth, *options, "--n-bootstrap", 5, "--out", tmp_path / "o"
        return main([str(argument) for argument in command]), capsys.readouterr()

    return run


def numbers(folder):
    table = read_table(folder / "table.ecsv")
    return dict(zip(table["metric"], table["value"], strict=True))


def write_results(folder, blends, *, images=True, skip=()):
    """The truth as the results, as folders that jaxblend deblend writes: stamps, in another order than the rows."""
    for number, blend in enumerate(read_blends(blends)):
        if number in skip:
            continue
        path = folder / f"blend_{number:04d}"
        catalog = blend.truth["id", "x", "y", "flux_r", "kind", "radius", "g1", "g2"]
        write_table(catalog, path / "catalog.ecsv")
        if images:
            stamps = [
                Extension(f"SOURCE_{i}", image[:, 1:, 2:], {"SOURCEID": i}, (2, 1))
                for i, image in enumerate(blend.isolated)
            ]
            write_images(path / "deblended.fits", stamps[::-1], observation=blend.observation)
    return folder


@pytest.mark.slow
def test_folders_with_images(tmp_path, run, blends):
    status, printed = run(write_results(tmp_path / "r", blends), blends)
    assert status == 0
    assert "6 of 6 sources found" in printed.out
    values = numbers(tmp_path / "o")
    assert values["recall"] == values["precision"] == 1
    assert values["flux_r_median"] == 0
    stamped = [blend.isolated * INSIDE for blend in read_blends(blends)]
    truths = read_blends(blends)
    results = [Deblended("same", images, one.truth) for images, one in zip(stamped, truths, strict=True)]
    expected = jb.evaluate(results, truths, n_bootstrap=2).sources
    np.testing.assert_allclose(read_table(tmp_path / "o/sources.ecsv")["cosine"], expected["cosine"], rtol=1e-5)
    written = {path.name for path in (tmp_path / "o").iterdir()}
    pictures = "efficiency recall residuals errors_snr errors_blendedness gallery sources_of_blend_0".split()
    assert {"table.ecsv", "report.md", "snr.ecsv", "options.json", *(f"{name}.png" for name in pictures)} <= written
    assert all(name in printed.out for name in ("gallery.png", "report.md"))
    assert json.loads((tmp_path / "o/options.json").read_text())["options"]["evaluation"]["n_bootstrap"] == 5


def test_a_blend_without_a_catalogue_failed(tmp_path, run, blends):
    results = write_results(tmp_path / "r", blends, images=False, skip=[1])
    status, printed = run(results, blends, "--gallery", 0)
    assert status == 0
    assert "has no catalogue of blends 1: they count as failed" in printed.err
    values = numbers(tmp_path / "o")
    assert values["failed_blends"] == pytest.approx(1 / N)
    assert values["recall"] == pytest.approx(2 / N)
    assert "cosine_mean" not in values
    assert not (tmp_path / "o/gallery.png").exists()


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet"])
def test_one_table_against_the_table_of_the_truth(tmp_path, run, blends, suffix):
    table = read_table(blends / "truth.ecsv")
    table["x"] += 0.5 * u.pix
    table = table[1:]  # one source less
    path = write_table(table, tmp_path / f"found.{suffix}")
    assert run(path, blends / "truth.parquet", "--max-separation", 0.5)[0] == 0
    values = numbers(tmp_path / "o")
    assert values["recall"] == pytest.approx(5 / 6)
    assert values["offset_median"] == pytest.approx(0.1)
    assert read_table(tmp_path / "o/sources.ecsv")["shear_g1"][0] == pytest.approx(0.02)


@pytest.mark.slow
def test_one_blend_from_its_own_folder_and_file(tmp_path, run, blends):
    results = write_results(tmp_path / "r", blends, images=False)
    truth = read_table(blends / "truth.ecsv")
    path = write_table(truth[truth["blend"] == 0], tmp_path / "truth.csv")
    one = write_table(truth[truth["blend"] == 0], tmp_path / "truth.ecsv")
    assert run(results / "blend_0000", one, "--max-separation", 0.5)[0] == 0
    assert run(results / "blend_0000/catalog.ecsv", one, "--max-separation", 0.5)[0] == 0
    assert len(read_table(tmp_path / "o/sources.ecsv")) == 2
    status, printed = run(path, path, "--max-separation", 0.5)
    assert status == 2
    assert 'its meta["pixel_scale"] must be' in printed.err


@pytest.mark.parametrize(
    ("result", "truth", "expected"),
    [
        ("none", "{blends}", "There is no file or folder none: expected a catalogue"),
        ("{found}", "none.ecsv", "There is no table none.ecsv"),
        ("{found}", "none.h5", "There is no file or folder none.h5: expected blends.h5"),
        ("{found}", "{empty}", "There is no truth.ecsv in"),
        ("{empty}", "{blends}", "expected catalogues whose names end in the number of their blend"),
        ("{found}", "{blends}", "found.csv: the truth is that of 3 blends, and there is no column blend"),
        ("{beyond}", "{blends}", "beyond.csv: it has rows of blends [7]"),
        ("{far}", "{blends}", "has results of blends [9], but the truth is that of 3 blends"),
        ("{found}", "{found}.txt", "expected one of .ecsv"),
        ("{blends}/truth.ecsv", "{blends}/truth.ecsv", "give max_separation in arcsec"),
        ("{gap}", "{gap}", "numbered [0, 2], expected 0, 1, 2"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(tmp_path, run, blends, result, truth, expected):
    names = {"found": "found.csv", "beyond": "beyond.csv", "empty": "empty", "far": "far", "gap": "gap"}
    paths = {name: tmp_path / file for name, file in names.items()} | {"blends": blends}
    for folder in ("empty", "far"):
        paths[folder].mkdir()
    shutil.copytree(blends, paths["gap"])
    (paths["gap"] / "blend_0001.npz").unlink()
    paths["found"].write_text("x,y,flux_r\n4,5,6\n")
    paths["beyond"].write_text("blend,x,y,flux_r\n7,4,5,6\n")
    (paths["far"] / "blend_9.csv").write_text("x,y,flux_r\n4,5,6\n")
    status, printed = run(result.format(**paths), truth.format(**paths))
    assert status == 2
    assert printed.err.startswith("error: ")
    assert expected in printed.err
    assert len(printed.err.splitlines()) == 1


def test_images_of_another_blend_are_refused(tmp_path, run, blends):
    results = write_results(tmp_path / "r", blends)
    blend = read_blends(blends)[0]
    large = Extension("SOURCE_0", np.zeros((1, 30, 30)), {"SOURCEID": 0})
    write_images(results / "blend_0000/deblended.fits", [large], observation=blend.observation)
    status, printed = run(results, blends)
    assert status == 2
    assert "the result is not one of this blend" in printed.err
