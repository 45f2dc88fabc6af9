"""The catalogue of a real fit on disk, and the full covariance behind its errors."""

import dataclasses
import math
import warnings
from importlib.metadata import PackageNotFoundError, version

import jax
import numpy as np
import pytest
from astropy.io.fits.verify import VerifyWarning
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

import jaxblend as jb
from jaxblend.fitting import catalog as catalog_module
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


def plain(value):
    if isinstance(value, dict):
        return all(type(key) is str and plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    return type(value) in (str, int) or (type(value) is float and math.isfinite(value))


def test_metadata_say_what_the_fit_was_made_with(fitted):
    meta = fitted.catalog.meta
    assert plain(meta)
    assert {name: meta[name] for name in ("reference_band", "zero_point", "pixel_scale", "model")} == {
        "reference_band": "r",
        "zero_point": {"r": 27.0, "i": 27.0},
        "pixel_scale": [0.2],
        "model": "BulgeDisk",
    }
    assert tuple(meta["prior"]) == fitted.item.prior.names
    assert meta["prior"]["du"] == {"p16": -0.2, "p50": 0.0, "p84": 0.2}
    np.testing.assert_allclose(meta["prior"]["log_flux_r"]["p50"], 0.4 * np.log(10) * (27 - 24), rtol=1e-4)


@pytest.mark.parametrize("model", [jb.BulgeDisk(), jb.Sersic()])
def test_percentiles_of_the_prior_are_those_of_draws(model):
    prior = jb.population_prior(model, "gri", zero_point=27.0, position_scatter=0.3)
    described = catalog_module._described(prior)
    draws = jax.vmap(prior.physical)(jax.random.normal(jax.random.key(0), (20_000, prior.size)))
    expected = np.percentile(draws, [15.87, 50, 84.13], axis=0).T
    values = np.array([list(described[name].values()) for name in prior.names])
    width = expected[:, 2] - expected[:, 0]
    assert np.abs((values - expected) / width[:, None]).max() < 0.03


def test_a_fit_without_images_has_no_prior_to_tell(fitted):
    light = dataclasses.replace(fitted, observations=(), item=None)
    meta = fitted.catalog.meta
    del meta["prior"]
    assert light.catalog.meta == meta


def test_surveycodex_is_named_where_it_is_installed(fitted, monkeypatch):
    assert fitted.catalog.meta["surveycodex"] == version("surveycodex")

    def without(name):
        if name == "surveycodex":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(catalog_module, "version", without)
    monkeypatch.setattr(catalog_module, "_versions", catalog_module._versions.__wrapped__)
    meta = fitted.catalog.meta
    assert "surveycodex" not in meta
    assert meta["jax"] == version("jax")


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
