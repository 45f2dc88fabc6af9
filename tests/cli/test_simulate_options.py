"""`jaxblend simulate`: that each option reaches the simulation, and what wrong ones get."""

import json
import sys

import numpy as np
import pytest
from astropy.table import Table

from jaxblend.cli.fit import find_positions
from jaxblend.cli.inputs import ImageOptions, read_images
from jaxblend.cli.main import main
from jaxblend.cli.stored import read_blends, read_truth
from jaxblend.io.npz import read_npz
from jaxblend.io.tables import read_table, write_table

SMALL = "--survey", "LSST:r", "--n", "2", "--stamp-size", "24"
NO_PICTURE = "--gallery", "0"


@pytest.fixture
def run(tmp_path, capsys):
    """Simulate into the folder "o": the status and what was printed."""

    def run(*options, small=SMALL, out="o"):
        command = "simulate", *small, *NO_PICTURE, *options, "--out", tmp_path / out
        return main([str(argument) for argument in command]), capsys.readouterr()

    return run


def test_without_options_blends_are_those_of_always(tmp_path, run):
    assert run("--n-sources", 2)[0] == 0
    assert run("--n-sources", 2, small=("--survey", "LSST", "--bands", "r", *SMALL[2:]), out="p")[0] == 0
    first, second = (read_npz(tmp_path / folder / "blend_0001.npz") for folder in "op")
    np.testing.assert_array_equal(first.observation.image, second.observation.image)
    assert read_table(tmp_path / "o/truth.ecsv").meta["layout"].startswith("Uniform(n_sources=2")


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("isolated", "Isolated()"),
        ("uniform max_offset=1.5", "Uniform(n_sources=None, max_sources=5, max_offset=1.5)"),
        ("density per_arcmin2=300 allow_empty=no", "Density(per_arcmin2=300, side=None, allow_empty=False)"),
        ("pair separation=0.8,1.2 centre=middle", "Pair(separation=(0.8, 1.2), flux_ratio=None"),
        ("cluster richness=3 radius=1.5 profile=nfw", "Cluster(richness=3, radius=1.5, profile='nfw'"),
    ],
)
def test_layouts(tmp_path, run, layout, expected):
    assert run("--layout", *layout.split())[0] == 0
    truth = read_table(tmp_path / "o/truth.parquet")
    assert truth.meta["layout"].startswith(expected)
    if layout.startswith("pair"):
        assert len(truth) == 4
        apart = np.hypot(*(np.diff(truth[name].value[:2])[0] for name in "xy")) * truth.meta["pixel_scale"]
        assert 0.8 <= apart <= 1.2


def test_a_red_sequence_is_its_redshift(tmp_path, run):
    small = "--survey", "LSST:gr", *SMALL[2:]
    assert run("--layout", "cluster", "richness=3", "radius=1", "red_sequence=0.3", small=small)[0] == 0
    np.testing.assert_allclose(read_table(tmp_path / "o/truth.ecsv")["redshift"], 0.3)


def test_several_surveys_have_a_folder_each(tmp_path, run):
    status, printed = run("--n-sources", 2, small=("--survey", "LSST:r", "Euclid_VIS", *SMALL[2:]))
    assert status == 0
    assert "LSST/blend_0000.npz" in printed.out
    seen = {name: read_blends(tmp_path / "o" / name) for name in ("LSST", "Euclid_VIS")}
    assert [blend.observation.survey for blend in seen["Euclid_VIS"]] == ["Euclid_VIS"] * 2
    for one, other in zip(*seen.values(), strict=True):
        np.testing.assert_array_equal(one.truth["catalog_row"], other.truth["catalog_row"])
    with pytest.raises(ValueError, match=r"holds Euclid_VIS, LSST: name one of them"):
        read_blends(tmp_path / "o")


def test_one_file_holds_the_same_as_many(tmp_path, run):
    options = "--n-sources", 2, "--isolated", "--decentring", "pixel"
    for kind in ("npz", "hdf5", "fits"):
        status, printed = run(*options, "--format", kind, out=kind)
        assert status == 0
        assert "Next: jaxblend" in printed.out
    many, one, cubes = (read_blends(tmp_path / kind) for kind in ("npz", "hdf5", "fits"))
    np.testing.assert_array_equal(read_blends(tmp_path / "hdf5/blends.h5")[1].positions, one[1].positions)
    for first, second, third in zip(many, one, cubes, strict=True):
        np.testing.assert_array_equal(first.observation.image, second.observation.image)
        np.testing.assert_array_equal(first.observation.image, third.observation.image)
        np.testing.assert_array_equal(first.positions, second.positions)
        np.testing.assert_allclose(first.positions, third.positions)
        for other in (second, third):
            np.testing.assert_array_equal(first.isolated, other.isolated)
            np.testing.assert_array_equal(first.truth["flux_r"].value, other.truth["flux_r"].value)


def test_blends_of_an_earlier_run_are_replaced(tmp_path, run):
    assert run("--n-sources", 1, "--format", "hdf5", "--seed", 5, "--gallery", 1)[0] == 0
    assert (tmp_path / "o/gallery.png").exists()
    (tmp_path / "o/notes.txt").write_text("mine")
    assert run("--n-sources", 1, "--n", 3)[0] == 0
    assert run("--n-sources", 1)[0] == 0
    assert len(read_blends(tmp_path / "o")) == 2
    names = {path.name for path in (tmp_path / "o").iterdir()}
    truths = {"truth.ecsv", "truth.parquet", "truth.md"}
    assert names == {"blend_0000.npz", "blend_0001.npz", *truths, "options.json", "notes.txt"}


def test_blends_are_read_in_the_order_of_their_numbers(tmp_path, run):
    small = "--survey", "LSST:r", "--stamp-size", "16", "--max-sources", "1"
    assert run("--n", 11, small=small)[0] == 0
    expected = [blend.observation.image for blend in read_blends(tmp_path / "o")]
    for path in (tmp_path / "o").glob("blend_*.npz"):
        path.rename(path.with_name(f"blend_{int(path.stem[-4:])}.npz"))  # 10 before 2 in the order of names
    for blend, image in zip(read_blends(tmp_path / "o"), expected, strict=True):
        np.testing.assert_array_equal(blend.observation.image, image)


def test_folders_that_do_not_hold_together_are_refused(tmp_path, run):
    assert run("--n-sources", 1)[0] == 0
    (tmp_path / "o/blend_0001.npz").unlink()
    with pytest.raises(ValueError, match=r"it is the truth of 2 blends, but .* has 1\."):
        read_blends(tmp_path / "o")
    (tmp_path / "o/blend_0000.fits").touch()
    with pytest.raises(ValueError, match=r"has blends of several kinds, blend_\*\.npz, blend_\*\.fits"):
        read_blends(tmp_path / "o")


def test_the_truth_counts_blends_without_sources(tmp_path, run):
    small = "--survey", "LSST:r", "--n", "3", "--stamp-size", "24", "--seed", "1"
    assert run("--layout", "density", "per_arcmin2=300", "allow_empty=yes", small=small)[0] == 0
    for name in ("truth.ecsv", "truth.parquet"):
        assert [len(truth) > 0 for truth in read_truth(tmp_path / "o" / name)] == [True, True, False]


def test_the_truth_in_short(tmp_path, run):
    small = "--survey", "LSST:gr", "--n", "3", "--stamp-size", "24"
    status, printed = run("--gallery", 2, "--noise", "sky", small=small)
    assert status == 0
    assert "truth.md\n  gallery.png\n" in printed.out
    truth = read_table(tmp_path / "o/truth.ecsv")
    assert (tmp_path / "o/gallery.png").read_bytes()[:4] == b"\x89PNG"
    lines = (tmp_path / "o/truth.md").read_text().splitlines()
    stars = np.sum(truth["kind"] == "star")
    assert lines[2].startswith(f"3 blends of {len(truth)} sources ({len(truth) - stars} galaxies, {stars} stars), ")
    assert lines[2].endswith("seen by LSST in g, r at 0.2 arcsec per pixel.")
    rows = {tuple(cells[:2]): cells[2:] for cells in ([c.strip() for c in line.split("|")[1:-1]] for line in lines)}
    numbers = np.unique(truth["blend"], return_counts=True)[1]
    assert rows["sources in a blend", ""][:2] == ["3", str(numbers.min())]
    for name, column, digits in (("S/N", "snr", 1), ("blendedness", "blendedness", 3), ("magnitude", "mag_r", 2)):
        values = np.asarray(truth[column])  # in the reference band
        expected = [len(values), *(f"{np.quantile(values, q):.{digits}f}" for q in (0, 0.16, 0.5, 0.84, 1))]
        assert rows[name, "r"] == [str(value) for value in expected]
        assert rows[name, "g"] != rows[name, "r"]


def test_blends_none_of_which_has_a_source(tmp_path, run):
    assert run("--layout", "density", "per_arcmin2=1e-6", "allow_empty=yes", "--gallery", 2)[0] == 0
    assert "2 blends of 0 sources (0 galaxies, 0 stars)" in (tmp_path / "o/truth.md").read_text()


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, printed = run("--gallery", 1)
    assert status == 2
    assert printed.err.startswith("error: gallery.png needs matplotlib")
    assert "pip install matplotlib, or --gallery 0" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert run("--n-sources", 1)[0] == 0


@pytest.mark.parametrize("form", ["npz", "hdf5", "fits"])
def test_correlated_noise(tmp_path, run, form):
    row = np.array([0.4, 1.0, 0.4])
    np.save(tmp_path / "c.npy", np.outer(row, row))
    options = "--noise", "gaussian", "--noise-correlation", tmp_path / "c.npy", "--format", form
    assert run(*options, "--isolated", "--n-sources", 1)[0] == 0
    for blend in read_blends(tmp_path / "o"):
        observation = blend.observation
        np.testing.assert_allclose(observation.noise_correlation, np.outer(row, row)[None], atol=1e-6)
        noise = (observation.image - blend.isolated.sum(axis=0)) * np.sqrt(observation.weight)
        assert 0.2 < np.mean(noise[:, :, 1:] * noise[:, :, :-1]) / np.mean(noise**2) < 0.6


def test_a_blend_as_fits_brings_its_seeds(tmp_path, run):
    assert run("--format", "fits", "--decentring", "pixel", "--n-sources", 2)[0] == 0
    for number, blend in enumerate(read_blends(tmp_path / "o")):
        files = (str(tmp_path / f"o/blend_000{number}.fits"),)
        positions, origin = find_positions(read_images(files, ImageOptions()), None, files)
        own = blend.truth
        np.testing.assert_allclose(positions, np.stack([own["seed_x"].value, own["seed_y"].value], axis=1))
        assert origin == "of the file"
        assert np.abs(positions[:, 0] - own["x"].value).max() > 0


def test_both_backends_draw_the_same(tmp_path, run):
    for backend in ("galsim", "device"):
        options = "--backend", backend, "--noise", "none", "--n-sources", 2, "--format", "hdf5"
        assert run(*options, out=backend)[0] == 0
    for first, second in zip(*(read_blends(tmp_path / backend) for backend in ("galsim", "device")), strict=True):
        image = first.observation.image
        np.testing.assert_allclose(second.observation.image, image, atol=2e-4 * image.max())
        np.testing.assert_allclose(first.truth["x"].value, second.truth["x"].value)


def test_positions_off_the_truth_are_in_it_too(tmp_path, run):
    assert run("--decentring", "pixel", "--n-sources", 2)[0] == 0
    (first, _) = read_blends(tmp_path / "o")
    for axis, name in enumerate("xy"):
        np.testing.assert_allclose(first.positions[:, axis], first.truth[f"seed_{name}"].value)
        off = np.abs(first.positions[:, axis] - first.truth[name].value)
        assert np.all((off > 0) & (off <= 0.5))


def test_shear_and_noise(tmp_path, run):
    assert run("--shear", "-0.02", "0.01", "--noise", "none", "--isolated", "--rotate", "--dither")[0] == 0
    (first, _) = read_blends(tmp_path / "o")
    np.testing.assert_allclose(first.observation.image, first.isolated.sum(axis=0), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(first.truth["shear_g1"], -0.02)
    np.testing.assert_allclose(first.truth["shear_g2"], 0.01)
    table = write_table(Table({"g1": [0.03, 0.05], "g2": [0.0, 0.01]}), tmp_path / "shears.csv")
    assert run("--shear", table, "--n-sources", 1, out="p")[0] == 0
    assert set(read_table(tmp_path / "p/truth.ecsv")["shear_g1"]) <= {0.03, 0.05}


def test_defects_and_cuts(tmp_path, run):
    options = "--artefacts", "dead_pixels=0.2", "--selection", "min_snr=50.0", "--max-magnitude", 23
    status, printed = run(*options)
    assert not printed.err
    assert status == 0
    truth = read_table(tmp_path / "o/truth.ecsv")
    assert truth["snr"].min() > 50
    assert truth["mag_r"].value.max() < 23
    dead = read_npz(tmp_path / "o/blend_0000.npz").observation.weight == 0
    assert 0.1 < dead.mean() < 0.3
    kept = json.loads((tmp_path / "o/options.json").read_text())["options"]
    assert kept["artefacts"] == ["dead_pixels=0.2"]
    assert kept["seed"] == 1


def test_a_catalogue_of_any_table(tmp_path, run):
    table = Table({"rmag": [22.0, 21.0], "hlr": [0.6, 0.4], "g1": [0.1, 0.0], "g2": [0.0, 0.2]})
    table["ra"], table["dec"] = [10.0, 10.0], [0.0, 1.2 / 3600]
    table["sersic_index"] = [1.0, 1.0]
    path = write_table(table, tmp_path / "mine.csv")
    columns = "--columns", "mag_r=rmag", "radius=hlr"
    assert run("--catalog", path, *columns, "--layout", "groups", "linking_length=2")[0] == 0
    truth = read_table(tmp_path / "o/truth.ecsv")
    np.testing.assert_allclose(sorted(truth["radius"].value), [0.4, 0.4, 0.6, 0.6])
    table.rename_columns(["rmag", "hlr"], ["mag_r", "radius"])
    assert run("--catalog", write_table(table, tmp_path / "ours.parquet"), "--n-sources", 1, out="p")[0] == 0


def test_a_catsim_table_serves_surveys_with_bands_between_its_own(tmp_path, run):
    sizes = {"a_b": 0.4, "b_b": 0.3, "a_d": 0.9, "b_d": 0.5, "pa_bulge": 30.0, "pa_disk": 30.0}
    light = {"fluxnorm_bulge": 1.0, "fluxnorm_disk": 2.0, "fluxnorm_agn": 0.0}
    magnitudes = {f"{band}_ab": 22.0 - 0.2 * i for i, band in enumerate("ugrizy")}
    table = Table({name: [value] for name, value in (sizes | light | magnitudes).items()})
    path = write_table(table, tmp_path / "catsim.fits")
    small = "--survey", "LSST:gri", "Euclid_VIS", *SMALL[2:]
    assert run("--catalog", path, "--n-sources", 1, small=small)[0] == 0
    magnitude = read_table(tmp_path / "o/Euclid_VIS/truth.ecsv")["mag_IE"].value
    assert np.all((21.2 < magnitude) & (magnitude < 21.6))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--survey LSST:x", "Got bands 'x' for LSST"),
        ("--survey LSST:r HSC:i --bands r", "write the bands behind each name"),
        ("--layout ring", "Got --layout ring, expected one of uniform, density"),
        ("--layout density 60", "expected settings as NAME=VALUE, not '60'"),
        ("--layout density per_arcmin=60", "Got --layout density with per_arcmin, expected some of per_arcmin2, side"),
        ("--layout density per_arcmin2=-1", "--layout density: Got per_arcmin2=-1"),
        ("--layout pair", "--layout pair: "),
        ("--layout pair separation=1 --n-sources 3", "these three are of the default layout"),
        ("--layout cluster richness=3 radius=1 red_sequence=-1", "--layout cluster red_sequence: Got RedSequence"),
        ("--layout groups linking_length=1", "Groups needs the positions of a catalogue"),
        ("--shear 0.1 0.2 0.3", "Got --shear 0.1 0.2 0.3, expected two numbers"),
        ("--shear 0.9 0.9", "expected reduced shears of modulus below 1"),
        ("--shear none.csv", "There is no table none.csv"),
        ("--shear {folder}/empty.csv", "empty.csv: it has the columns ['x'], expected g1 and g2"),
        ("--columns mag_r=r", "Got --columns without --catalog"),
        ("--catalog {folder}/empty.csv --columns mag_q=x", "empty.csv: Got columns for ['mag_q']"),
        ("--selection snr=3", "Got --selection with snr, expected some of max_magnitude"),
        ("--artefacts dead_pixels=2", "--artefacts: Got dead_pixels=2"),
        ("--psf moffat airy", "Got --psf moffat airy, expected one kind"),
        ("--psf moffat width_scatter=-1", "--psf: Got width_scatter=-1"),
        ("--noise sky --variance model", 'Got noise="sky" and variance="model"'),
        ("--stamp-size 3", "Got stamp_size=3 pixels"),
        ("--gallery -1", "Got --gallery -1, expected a number of blends"),
        ("--noise-correlation {folder}/c.npy", 'expected noise="gaussian" or "sky" with it'),
        ("--noise sky --noise-correlation none.npy", "There is no file none.npy"),
        ("--noise sky --noise-correlation {folder}/wrong.npy", "wrong.npy: noise_correlation has shape (2, 3)"),
        ("--survey LSST:r HSC:i --noise sky --noise-correlation {folder}/c.npy", "Got noise_correlation"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(tmp_path, run, options, expected):
    (tmp_path / "empty.csv").write_text("x\n1\n")
    np.save(tmp_path / "c.npy", np.outer([0.3, 1.0, 0.3], [0.3, 1.0, 0.3]))
    np.save(tmp_path / "wrong.npy", np.ones((2, 3)))
    status, printed = run(*options.format(folder=tmp_path).split())
    assert status == 2
    assert printed.err.startswith("error: ")
    assert expected in printed.err
    assert len(printed.err.splitlines()) == 1
