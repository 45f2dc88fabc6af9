import io
import json
import os
import subprocess
import sys
import time

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from rich.console import Console

from jaxblend.cli.main import COMMANDS, main
from jaxblend.cli.truth import summarise
from jaxblend.io.npz import read_npz
from jaxblend.io.tables import read_table


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr()


@pytest.fixture
def long_catalog():
    rng, n = np.random.default_rng(0), 58
    table = QTable({"id": np.arange(n), "kind": np.where(np.arange(n) % 5, "galaxy", "star")})
    errors = {"x": (u.pix, 0.05), "y": (u.pix, 0.05), "mag_r": (u.ABmag, 0.034), "radius": (u.arcsec, 0.05)}
    for name, (unit, error) in errors.items():
        table[name] = rng.uniform(18, 2000 if name in "xy" else 25, n) * unit
        table[f"{name}_err"] = np.full(n, error) * (u.mag if unit is u.ABmag else unit)
    for name in ("g1", "g2"):
        table[name], table[f"{name}_err"] = rng.uniform(-0.5, 0.5, n), np.full(n, 0.03)
    table["flags"] = np.where(np.arange(n) % 3, 0, 1 + 2 + 16)
    return table


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_a_long_catalogue_is_never_cut(long_catalog, width):
    console = Console(width=width, file=io.StringIO())
    console.print(summarise(long_catalog, ("g", "r", "i"), title="all sources", width=width))
    printed = console.file.getvalue()
    lines = printed.splitlines()
    assert "…" not in printed
    assert max(map(len, lines)) <= width
    assert [int(line.split()[0]) for line in lines if line.split()[:1] and line.split()[0].isdigit()] == list(range(30))
    assert "28 more sources" in printed
    assert ("g1" in lines[2]) == (width >= 100)
    assert "shared_flux" in printed
    assert "±0.03" in printed


def test_help_is_quick_and_has_every_command():
    """Measured in a process of its own, as a user meets it; the limit is generous for a busy machine."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "jaxblend.cli.main", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert time.perf_counter() - start < 3
    assert all(name in done.stdout for name in COMMANDS)


def test_help_imports_nothing_heavy():
    program = (
        "import sys, jaxblend.cli.main\n"
        "print(sorted(name for name in ('jax', 'astropy', 'matplotlib', 'galsim', 'scipy') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_example(capsys, name):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert f"jaxblend {name} " in capsys.readouterr().out.split("For example:")[1]


def test_simulate_then_fit(tmp_path, capsys, fake_fitting):
    out = tmp_path / "blends"
    arguments = "--survey", "LSST", "--bands", "gri", "--n", 2, "--seed", 5, "--stamp-size", 32, "--n-sources", 2
    status, printed = run(capsys, "simulate", *arguments, "--out", out)
    assert status == 0
    assert "blend_0001.npz" in printed.out
    truth = read_table(out / "truth.parquet")
    assert list(truth["blend"]) == [0, 0, 1, 1]
    options = json.loads((out / "options.json").read_text())
    assert options["options"]["seed"] == 5
    assert options["versions"]["jax"]
    stored = read_npz(out / "blend_0001.npz")
    np.testing.assert_allclose(stored.positions[:, 0], truth["x"].value[2:])

    status, printed = run(capsys, "fit", out / "blend_0001.npz", "--out", tmp_path / "fitted")
    assert status == 0
    written = {path.name for path in (tmp_path / "fitted").iterdir()}
    assert written == {
        "catalog.ecsv",
        "catalog.parquet",
        "deblended.fits",
        "model.fits",
        "blend.png",
        "options.json",
    }
    assert all(name in printed.out for name in written)


def test_positions_from_a_table_or_detected(tmp_path, capsys, fake_fitting, cube):
    (tmp_path / "p.csv").write_text("x,y\n4.0,5.0\n20.0,12.0\n")
    common = "--psf-fwhm", 0.7, "--catalog-formats", "ecsv", "--out", tmp_path / "o"
    assert run(capsys, "fit", cube, "--positions", tmp_path / "p.csv", *common)[0] == 0
    np.testing.assert_allclose(read_table(tmp_path / "o/catalog.ecsv")["x"].value, [4.0, 20.0])
    assert run(capsys, "fit", cube, *common)[0] == 0
    assert len(read_table(tmp_path / "o/catalog.ecsv")) == 1


def test_the_demo_compares_with_the_truth(tmp_path, capsys, fake_fitting):
    status, printed = run(capsys, "demo", "--out", tmp_path)
    assert status == 0
    assert printed.out.count("galaxy") == 8  # four in the truth, four in the fit
    assert printed.out.count("star ") >= 2
    assert "4 (star: ln evidence +12.5 as a star)" in printed.out
    assert "truth above fit" in printed.out
    assert sorted(read_table(tmp_path / "truth.ecsv")["kind"]) == [*4 * ["galaxy"], "star"]
    assert (tmp_path / "blend.png").exists()
    assert (tmp_path / "catalog.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("fit",), "Got no file"),
        (("deblend", "none.fits"), "There is no file none.fits"),
        (("fit", "a.npz", "--weight", "w.fits"), "Got --weight with a.npz"),
        (("fit", "a.npz", "--psf", "p.fits", "--psf-fwhm", "0.7"), "Got both --psf and --psf-fwhm"),
        (("fit", "a.npz", "b.fits"), "expected one .npz or FITS files only"),
        (("simulate", "--survey", "Vera"), "Got survey 'Vera'"),
        (("simulate", "--n", "0"), "Got --n 0"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(capsys, arguments, expected):
    status, printed = run(capsys, *arguments)
    assert status == 2
    assert printed.err.startswith("error: ")
    assert expected in printed.err
    assert "Traceback" not in printed.err
    with pytest.raises((ValueError, OSError)):
        main([*arguments, "--debug"])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("b.npz", "", "b.npz could not be read as a NumPy archive (it is not a zip file)"),
        ("c.csv", "x,y\none,2\n", "c.csv: could not convert"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, capsys, fake_fitting, cube, name, text, expected):
    (tmp_path / name).write_text(text)
    given = [tmp_path / name] if name.endswith("npz") else [cube, "--positions", tmp_path / name]
    status, printed = run(capsys, "fit", *given, "--psf-fwhm", 0.7, "--out", tmp_path / "o")
    assert status == 2
    assert expected in printed.err
    assert "Traceback" not in printed.err


def test_a_folder_that_cannot_be_made_is_said_before_the_work(capsys, cube):
    status, printed = run(capsys, "deblend", cube, "--psf-fwhm", 0.7, "--out", cube)
    assert status == 2
    assert "File exists" in printed.err
    assert "deblending" not in printed.out


def test_warnings_of_the_package_are_one_line(tmp_path, capsys, fake_fitting):
    path = tmp_path / "b.npz"
    image = np.random.default_rng(0).normal(size=(1, 20, 20)).astype(np.float32)
    mask = np.full(image.shape, 4)
    np.savez(path, image=image, weight=np.ones_like(image), mask=mask, positions=[[9.0, 9.0]], bands=["r"])
    status, printed = run(capsys, "fit", path, "--pixel-scale", 0.2, "--psf-fwhm", 0.7, "--out", tmp_path / "o")
    assert status == 0
    assert printed.err.startswith("warning: The mask has bits [2]")
    assert len(printed.err.splitlines()) == 1


def test_programs_are_kept_in_the_users_cache(tmp_path):
    program = (
        "import jax, jaxblend.cli.main as m; m.keep_compiled_programs(); print(jax.config.jax_compilation_cache_dir)"
    )
    for given, expected in (
        ({"XDG_CACHE_HOME": str(tmp_path)}, f"{tmp_path}/jaxblend/jax"),
        ({"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "elsewhere")}, str(tmp_path / "elsewhere")),
    ):
        kept = {key: value for key, value in os.environ.items() if key != "JAX_COMPILATION_CACHE_DIR"}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=kept | given
        )
        assert done.stdout.strip() == expected
