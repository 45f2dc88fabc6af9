import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table

from jaxblend.io.atomic import atomic_path, write_json
from jaxblend.io.tables import read_positions, read_table, write_table


@pytest.fixture
def table():
    table = QTable(meta={"survey": "LSST", "bands": ["g", "r"], "config": {"starts": 4, "grid": np.arange(2).tolist()}})
    table["id"] = [0, 1]
    table["x"], table["y"] = [1.5, 2.5] * u.pix, [3.0, 4.0] * u.pix
    table["flux_g"] = [10.0, np.nan] * u.electron
    table["mag_g"] = [22.0, 23.0] * u.ABmag
    table["mag_g_err"] = [0.1, 0.2] * u.mag
    table["kind"] = ["star", "galaxy"]
    return table


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".parquet"])
def test_units_and_nested_metadata_survive(tmp_path, table, suffix):
    again = read_table(write_table(table, tmp_path / f"deep/t{suffix}"))
    assert again.colnames == table.colnames
    assert again.meta == table.meta
    assert [str(again[name].unit) for name in ("x", "flux_g", "mag_g", "mag_g_err")] == [
        "pix",
        "electron",
        "mag(AB)",
        "mag",
    ]
    np.testing.assert_array_equal(again["flux_g"].value, table["flux_g"].value)
    assert list(again["kind"]) == ["star", "galaxy"]
    assert again["mag_g"][0].to_value(u.ABmag) == 22.0


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".parquet"])
def test_columns_are_of_the_same_kind_again(tmp_path, table, suffix):
    """Text is text and every number what it was, in this machine's byte order: JAX takes no other."""
    table["size"] = np.array([1.5, 2.5], np.float32) * u.arcsec
    table["flags"], table["star"] = np.array([0, 2**31], np.uint32), [True, False]
    again = read_table(write_table(table, tmp_path / f"t{suffix}"))
    assert {name: again[name].dtype for name in again.colnames} == {name: table[name].dtype for name in table.colnames}
    assert all(type(again[name]) is type(table[name]) for name in table.colnames)
    assert (again["kind"] == table["kind"]).all()
    assert again["flags"].tolist() == [0, 2**31]
    assert again["star"].tolist() == [True, False]


def test_a_fits_table_of_another_program(tmp_path):
    masked = MaskedColumn([7, 8], mask=[False, True])
    at = SkyCoord([1.0, 2.0], [3.0, 4.0], unit="deg")
    written = QTable({"name": [b"a", "é".encode()], "x": [1.0, np.nan] * u.pix, "n": masked, "at": at})
    written.write(tmp_path / "t.fits")
    again = read_table(tmp_path / "t.fits")
    assert again["name"].tolist() == ["a", "é"]
    assert again["name"].dtype.kind == "U"
    assert again["n"].tolist() == [7, None]
    assert again["x"].unit == u.pix
    assert all(again[name].dtype.isnative for name in ("name", "x", "n"))
    np.testing.assert_allclose(again["at"].dec.deg, [3.0, 4.0])


def test_parquet_columns_are_plain(tmp_path, table):
    import pyarrow.parquet

    stored = pyarrow.parquet.read_table(write_table(table, tmp_path / "t.parquet"))
    assert stored.column_names == table.colnames
    assert stored["mag_g"].to_pylist() == [22.0, 23.0]


def test_a_table_in_an_unknown_format_is_refused(tmp_path, table):
    with pytest.raises(ValueError, match=r"t\.txt.*\.ecsv, \.fits, \.parquet"):
        write_table(table, tmp_path / "t.txt")
    with pytest.raises(FileNotFoundError, match="no table"):
        read_table(tmp_path / "none.ecsv")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_json({"a": np.float32(1.0), "b": np.arange(2), "c": tmp_path}, tmp_path / "o.json")
    old = path.read_text()

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_text() == old
    assert [p.name for p in tmp_path.iterdir()] == ["o.json"]


def test_positions_in_pixels_and_on_the_sky(tmp_path, table):
    np.testing.assert_array_equal(read_positions(write_table(table, tmp_path / "p.ecsv")), [[1.5, 3.0], [2.5, 4.0]])
    (tmp_path / "p.csv").write_text("RA,Dec\n1.0,2.0\n")

    class Shifted:
        def world_to_pixel_values(self, ra, dec):
            return ra + 10, dec + 20

    np.testing.assert_array_equal(read_positions(tmp_path / "p.csv", wcs=Shifted()), [[11.0, 22.0]])
    with pytest.raises(ValueError, match=r"\['RA', 'Dec'\], expected x, y \(pixels\); the image has no WCS"):
        read_positions(tmp_path / "p.csv")


def test_positions_must_be_finite(tmp_path):
    write_table(Table({"x": [1.0, np.nan], "y": [1.0, 2.0]}), tmp_path / "p.ecsv")
    with pytest.raises(ValueError, match="row 1 is not finite"):
        read_positions(tmp_path / "p.ecsv")
