import json
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fake_fit import fake_fit, fake_scene

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.io.fits import read_fits
from jaxblend.io.output import write_fit, write_scene
from jaxblend.io.tables import read_table

POSITIONS = np.array([[8.0, 9.0], [20.0, 14.0], [27.0, 2.0]])


def wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = (150.0, 2.0), (15.0, 11.0), (-0.2 / 3600, 0.2 / 3600)
    return wcs


@pytest.fixture(scope="module")
def observation():
    image = np.random.default_rng(1).normal(size=(2, 24, 32)).astype(np.float32)
    psf = GaussianPSF(fwhm=np.array(0.7))
    return Observation(image, np.ones_like(image), psf, wcs=wcs(), bands="gr", zero_point=[27.0, 27.5], survey="LSST")


def test_a_fit_in_a_folder(tmp_path, observation):
    fit = fake_fit(observation, POSITIONS)
    options = {"out": tmp_path, "starts": np.int64(4)}
    files = write_fit(fit, tmp_path / "new/folder", options=options, formats=("ecsv", "fits", "parquet"))
    assert sorted(files) == ["catalog.ecsv", "catalog.fits", "catalog.parquet", "deblended", "model", "options"]
    assert sorted(path.name for path in (tmp_path / "new/folder").iterdir()) == sorted(p.name for p in files.values())
    assert json.loads(files["options"].read_text()) == {"out": str(tmp_path), "starts": 4}
    catalog = read_table(files["catalog.parquet"])
    assert catalog.meta["survey"] == "LSST"
    np.testing.assert_allclose(catalog["x"].value, POSITIONS[:, 0])
    with fits.open(files["deblended"]) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["SOURCE_0", "SOURCE_1", "SOURCE_2"]
        np.testing.assert_array_equal(hdus["SOURCE_1"].data, fit.images[1])
        np.testing.assert_allclose(WCS(hdus[1].header, naxis=2).pixel_to_world_values(14.0, 10.0), (150.0, 2.0))
    with fits.open(files["model"]) as hdus:
        np.testing.assert_allclose(hdus["MODEL"].data + hdus["RESIDUAL"].data, observation.image, atol=1e-5)


def test_a_written_image_can_be_read_again(tmp_path, observation):
    files = write_fit(fake_fit(observation, POSITIONS), tmp_path, formats=())
    fits.PrimaryHDU(np.asarray(observation.weight)).writeto(tmp_path / "weight.fits")
    again = read_fits(f"{files['model']}[MODEL]", weight=tmp_path / "weight.fits", psf=observation.psf)
    assert again.bands == observation.bands
    np.testing.assert_allclose(again.zero_point, observation.zero_point)
    np.testing.assert_allclose(again.frame.jacobian, observation.frame.jacobian, rtol=1e-4, atol=1e-6)


def test_a_joint_fit_has_images_per_observation(tmp_path, observation):
    one = fake_fit(observation, POSITIONS)
    joint = SimpleNamespace(observations=(observation, observation), catalog=one.catalog, image_of=one.image_of)
    names = {path.name for path in write_fit(joint, tmp_path, formats=("ecsv",)).values()}
    assert names == {"catalog.ecsv", "deblended_0.fits", "model_0.fits", "deblended_1.fits", "model_1.fits"}


def test_cutouts_of_a_frame_know_their_place(tmp_path, observation):
    files = write_scene(fake_scene(observation, POSITIONS, half=4), tmp_path, options={})
    with fits.open(files["deblended"]) as hdus:
        header = hdus["SOURCE_1"].header
        assert (header["X0"], header["Y0"]) == (16, 10)
        assert hdus["SOURCE_1"].data.shape == (2, 9, 9)
        np.testing.assert_allclose(WCS(header, naxis=2).pixel_to_world_values(14.0 - 16, 10.0 - 10), (150.0, 2.0))
        assert hdus["SOURCE_2"].data.shape == (2, 7, 9)


def test_unknown_formats_are_refused(tmp_path, observation):
    with pytest.raises(ValueError, match="csv"):
        write_fit(fake_fit(observation, POSITIONS), tmp_path, formats=("csv",))
