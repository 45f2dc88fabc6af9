"""`jaxblend deblend`: what it writes, and that its options reach `jaxblend.deblend`."""

import inspect
import json

import numpy as np
import pytest
from astropy.table import Table

from jaxblend.cli.main import main
from jaxblend.forward.galaxies import BulgeDisk, Sersic
from jaxblend.frames import deblend as real_deblend
from jaxblend.io.tables import read_table, write_table


@pytest.fixture
def run(tmp_path, capsys, cube):
    """Deblend the cube into the folder "o": the status and what was printed."""

    def run(*options):
        command = "deblend", cube, "--psf-fwhm", 0.7, *options, "--out", tmp_path / "o"
        return main([str(argument) for argument in command]), capsys.readouterr()

    return run


def kept_options(folder):
    return json.loads((folder / "options.json").read_text())["options"]["frame"]


def test_deblend_a_frame(tmp_path, run, fake_fitting):
    status, printed = run("--zero-point", 27, "--bands", "gr")
    assert status == 0
    assert "2 sources" in printed.out
    catalog = read_table(tmp_path / "o/catalog.parquet")
    assert {"mag_g", "mag_r"} <= set(catalog.colnames)
    assert "mag_i" not in catalog.colnames
    assert (tmp_path / "o/frame.png").exists()


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits", "parquet"])
def test_options_are_passed_on_and_kept(tmp_path, run, fake_fitting, suffix):
    path = write_table(Table({"x": [4.0, 20.0], "y": [5.0, 12.0]}), tmp_path / f"p.{suffix}")
    options = "--model sersic --rounds 1 --max-group 5 --residual-snr 7.5 --position-scatter 0.1".split()
    assert run(*options, "--no-search-again", "--no-stars", "--detections", path)[0] == 0
    (asked,) = fake_fitting
    assert type(asked.pop("model")) is Sersic
    np.testing.assert_array_equal(asked.pop("detections"), [[4.0, 5.0], [20.0, 12.0]])
    plain = {"rounds": 1, "max_group": 5, "residual_snr": 7.5, "position_scatter": 0.1}
    assert asked == plain | {"search_again": False, "stars": False}
    assert kept_options(tmp_path / "o") == asked | {"model": "sersic", "detections": str(path)}


def test_without_options_a_frame_is_deblended_as_in_python(tmp_path, run, fake_fitting):
    assert run()[0] == 0
    (asked,) = fake_fitting
    parameters = inspect.signature(real_deblend).parameters
    assert type(asked.pop("model")) is BulgeDisk  # None in Python stands for it
    assert asked == {name: parameters[name].default for name in asked}
    assert kept_options(tmp_path / "o") == asked | {"model": "bulge-disk"}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--rounds", "0", "rounds must be a whole number of at least 1, got 0"),
        ("--max-group", "-3", "max_group must be a whole number of at least 1, got -3"),
        ("--residual-snr", "nan", "residual_snr must be a positive number, got nan"),
        ("--position-scatter", "-0.1", "position_scatter must be arcsec, above 0"),
        ("--detections", "none.csv", "There is no table none.csv"),
        ("--detections", "sources.txt", "Got the table sources.txt, expected one of .ecsv, .fits"),
        ("--detections", "{folder}/empty.csv", "empty.csv: there are no sources in it"),
        ("--detections", "{folder}/far.csv", "detections [1] are not in the image of 32 x 24 pixels"),
        ("--detections", "{folder}/sky.csv", "expected x, y (pixels)"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(tmp_path, run, option, value, expected):
    (tmp_path / "empty.csv").write_text("x,y\n")
    (tmp_path / "far.csv").write_text("x,y\n4,5\n400,5\n")
    (tmp_path / "sky.csv").write_text("ra,dec\n1,2\n")
    status, printed = run(option, value.format(folder=tmp_path))
    assert status == 2
    assert printed.err.startswith("error: ")
    assert expected in printed.err
    assert len(printed.err.splitlines()) == 1


@pytest.mark.parametrize(("option", "value"), [("--model", "disk"), ("--rounds", "2.5"), ("--rounds", "two")])
def test_a_value_of_another_kind_is_refused_with_its_option(capsys, option, value):
    with pytest.raises(SystemExit) as stopped:
        main(["deblend", "image.fits", option, value])
    assert stopped.value.code == 2
    assert option in capsys.readouterr().err
