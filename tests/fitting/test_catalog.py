"""The catalogue of a real fit on disk, and the full covariance behind its errors."""

import warnings

import numpy as np
import pytest
from astropy.io.fits.verify import VerifyWarning
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

import jaxblend as jb
from jaxblend.io.tables import read_table, write_table


@pytest.fixture(scope="module")
def fitted(blend):
    obs, positions, _, stars = blend
    return jb.fit(obs, positions, stars=stars)


def same_columns(again, table):
    assert again.colnames == table.colnames
    for name in table.colnames:
        assert str(again[name].unit) == str(table[name].unit), name
        values = [np.asarray(getattr(t[name], "value", t[name])) for t in (again, table)]
        values = [v.astype(str) if v.dtype.kind == "S" else v for v in values]  # FITS knows bytes alone
        assert values[0].dtype.kind == values[1].dtype.kind, name
        np.testing.assert_array_equal(*values, err_msg=name)


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet"])
def test_a_fits_catalogue_survives_each_format_with_units_and_metadata(tmp_path, fitted, suffix):
    table = fitted.catalog
    again = read_table(write_table(table, tmp_path / f"catalog.{suffix}"))
    same_columns(again, table)
    assert again.meta == table.meta
    assert again.meta["bands"] == ["r", "i"]
    assert set(again.meta["chi2_per_pixel"]) == {"r", "i"}
    assert again["mag_r"][0] - again["mag_i"][0] == table["mag_r"][0] - table["mag_i"][0]


def test_astropy_itself_writes_and_reads_ecsv(tmp_path, fitted):
    fitted.catalog.write(tmp_path / "catalog.ecsv")
    again = QTable.read(tmp_path / "catalog.ecsv")
    same_columns(again, fitted.catalog)
    assert again.meta == fitted.catalog.meta


def test_astropy_itself_writes_fits_and_parquet_with_every_column(tmp_path, fitted):
    """Nested metadata does not fit a FITS header: that takes ``write_table``."""
    import pyarrow.parquet

    table = fitted.catalog
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        warnings.simplefilter("ignore", VerifyWarning)
        table.write(tmp_path / "catalog.fits")
        again = QTable.read(tmp_path / "catalog.fits")
    same_columns(again, table)
    table.write(tmp_path / "catalog.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "catalog.parquet").column_names == table.colnames


def test_catalogues_of_many_blends_stack(tmp_path, fitted):
    from astropy.table import vstack

    both = vstack([fitted.catalog, fitted.catalog[:2]], metadata_conflicts="silent")
    again = read_table(write_table(both, tmp_path / "all.parquet"))
    assert len(again) == 5
    assert again["x"].unit == fitted.catalog["x"].unit


def test_errors_of_the_catalogue_are_the_covariances(fitted):
    n, names = fitted.n, fitted.quantity_names
    covariance = fitted.covariance
    assert covariance.shape == (n * len(names),) * 2
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-6, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > -1e-6 * np.diagonal(covariance).max()
    np.testing.assert_allclose(np.diagonal(covariance), fitted.errors.reshape(-1) ** 2)
    for quantity, column in (("radius", "radius_err"), ("g1", "g1_err"), ("bulge_fraction", "bulge_fraction_err")):
        np.testing.assert_allclose(fitted.errors[:, names.index(quantity)], fitted.catalog[column].value)
    flux = fitted.catalog["flux_r_err"] / fitted.catalog["flux_r"]
    np.testing.assert_allclose(fitted.errors[:, names.index("log_flux_r")], flux)
    assert (fitted.errors[2, names.index("radius") :] == 0).all()  # a star has neither size nor shape


def test_the_whitened_covariance_is_the_inverse_curvature_and_no_wider_than_the_prior(fitted):
    whitened = fitted.whitened_covariance
    size = len(whitened)
    hessian = np.asarray(fitted.result.hessian, float)[:size, :size]
    np.testing.assert_allclose(whitened @ hessian, np.eye(size), atol=2e-2)
    assert np.diagonal(whitened).max() < 1.01


def test_the_flux_of_a_blended_pair_is_better_known_than_its_parts(fitted):
    """What neighbours trade, their sum does not feel: an error of the sum needs the covariance of the two."""
    q, band = len(fitted.quantity_names), fitted.quantity_names.index("log_flux_r")
    flux = np.asarray(fitted.catalog["flux_r"])[:2]
    rows = np.array([band, q + band])
    covariance = fitted.covariance[np.ix_(rows, rows)] * np.outer(flux, flux)
    assert covariance[0, 1] < 0
    assert covariance.sum() < np.trace(covariance)
