import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from jaxblend.forward.psf import GaussianPSF
from jaxblend.io.fits import read_fits, read_psf
from jaxblend.io.header import zero_point_from_header
from jaxblend.io.planes import read_planes

SHAPE = (12, 10)


def tan_header(shift=0.0, scale=0.2):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 150.0, 2.0
    wcs.wcs.crpix = 5.0 + shift, 6.0
    wcs.wcs.cdelt = -scale / 3600, scale / 3600
    return wcs.to_header()


def plane(value, **cards):
    header = tan_header(cards.pop("shift", 0.0)) if cards.pop("wcs", True) else fits.Header()
    header.update({key.upper(): card for key, card in cards.items()})
    return fits.ImageHDU(np.full(SHAPE, value, np.float32), header)


def write(path, *hdus):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


@pytest.fixture
def psf():
    return GaussianPSF(fwhm=np.array(0.7))


@pytest.fixture
def pairs(tmp_path):
    """Images and inverse variances side by side, as the Legacy Surveys' cutouts have them."""
    hdus = []
    for number, band in enumerate("gr", start=1):
        hdus += [plane(number, band=band, imagetyp="image"), plane(10.0 * number, band=band, imagetyp="invvar")]
    return write(tmp_path / "pairs.fits", *hdus)


def test_images_and_inverse_variances_side_by_side(pairs, psf):
    obs = read_fits(pairs, psf=psf, zero_point=22.5)
    assert obs.bands == ("g", "r")
    assert obs.image.shape == (2, *SHAPE)
    np.testing.assert_array_equal(obs.weight[:, 0, 0], [10.0, 20.0])
    np.testing.assert_allclose(obs.zero_point, 22.5)
    assert abs(float(obs.frame.pixel_scale) - 0.2) < 1e-5
    ra, dec = obs.wcs.pixel_to_world_values(4.0, 5.0)
    np.testing.assert_allclose([ra, dec], [150.0, 2.0])


@pytest.mark.parametrize("bands", ["rg", ["r", "g"]])
def test_bands_are_chosen_by_the_names_of_the_headers(pairs, psf, bands):
    obs = read_fits(pairs, psf=psf, bands=bands)
    assert obs.bands == ("r", "g")
    np.testing.assert_array_equal(obs.image[:, 0, 0], [2.0, 1.0])
    np.testing.assert_array_equal(obs.weight[:, 0, 0], [20.0, 10.0])
    assert read_fits(pairs, psf=psf, bands="r").bands == ("r",)


def test_one_file_per_band_with_weights_in_other_files(tmp_path, psf):
    images = [write(tmp_path / f"{band}.fits", plane(1.0, filter=f"{band} DECam c0002")) for band in "gr"]
    weights = [write(tmp_path / f"{band}.w.fits", plane(4.0)) for band in "gr"]
    obs = read_fits(images, weight=weights, psf=psf)
    assert obs.bands == ("g", "r")
    np.testing.assert_array_equal(obs.weight, 4.0)
    np.testing.assert_array_equal(read_fits(images, variance=weights, psf=psf).weight, 0.25)
    with pytest.raises(ValueError, match="both weight and variance"):
        read_fits(images, weight=weights, variance=weights, psf=psf)


def test_an_exposure_with_image_mask_variance_and_psf(tmp_path):
    mask = plane(0.0, extname="MASK", mp_bad=0, mp_sat=1, mp_cr=5)
    mask.data = mask.data.astype(np.int32)
    mask.data[3, 4], mask.data[5, 5] = 1, 32
    psf = fits.ImageHDU(np.ones((5, 5), np.float32) / 25, name="PSF")
    path = write(tmp_path / "e.fits", plane(1.0, extname="IMAGE"), mask, plane(0.5, extname="VARIANCE"), psf)
    obs = read_fits(path, bands="i", zero_point=27.0)
    assert obs.bands == ("i",)
    assert obs.weight[0, 3, 4] == 0
    assert obs.weight[0, 5, 5] == 2.0
    assert np.sum(obs.weight == 0) == 1
    again = read_fits(f"{path}[IMAGE]", variance=f"{path}[3]", psf=f"{path}[PSF]", bands="i")
    assert np.sum(again.weight == 0) == 0


def test_a_cube_names_its_bands_and_zero_points(tmp_path, psf):
    header = fits.Header({"BANDS": "gri", "MAGZP0": 27.0, "MAGZP1": 27.5, "MAGZP2": 28.0, "PIXSCALE": 0.168})
    path = tmp_path / "cube.fits"
    fits.PrimaryHDU(np.ones((3, *SHAPE), np.float32), header).writeto(path)
    sigma = tmp_path / "rms.fits"
    fits.PrimaryHDU(np.full((3, *SHAPE), 0.5, np.float32)).writeto(sigma)
    obs = read_fits(path, variance=sigma, psf=psf)
    assert obs.bands == ("g", "r", "i")
    assert read_fits(path, variance=sigma, psf=psf, bands="ig").image.shape == (2, *SHAPE)
    np.testing.assert_allclose(obs.zero_point, [27.0, 27.5, 28.0])
    assert abs(float(obs.frame.pixel_scale) - 0.168) < 1e-6
    assert obs.wcs is None


def test_psf_images_of_different_sizes_keep_their_centre(tmp_path):
    small, large = np.zeros((5, 5), np.float32), np.zeros((9, 9), np.float32)
    small[2, 2] = large[4, 4] = 1.0
    path = write(tmp_path / "psf.fits", fits.ImageHDU(small), fits.ImageHDU(large))
    psf = read_psf(path, oversampling=2, includes_pixel=False)
    np.testing.assert_array_equal(psf.image[:, 4, 4], 1.0)
    assert (psf.oversampling, psf.includes_pixel) == (2, False)
    even = write(tmp_path / "even.fits", fits.ImageHDU(small), fits.ImageHDU(np.zeros((8, 8), np.float32)))
    with pytest.raises(ValueError, match="all odd or all even"):
        read_psf(even)


def test_what_does_not_fit_together_is_said(tmp_path, pairs, psf):
    with pytest.raises(FileNotFoundError, match=r"none\.fits"):
        read_fits(tmp_path / "none.fits")
    with pytest.raises(ValueError, match=r"no extension 'SCI'.*name one"):
        read_fits(f"{pairs}[SCI]")
    with pytest.raises(ValueError, match=r"bands \['g', 'r', 'i'\] for 2 images.*\['g', 'r'\]"):
        read_fits(pairs, psf=psf, bands="gri")
    with pytest.raises(ValueError, match="2 x weight but no image"):
        read_fits(write(tmp_path / "w.fits", plane(1.0, extname="WHT"), plane(1.0, extname="IVAR")))
    shifted = write(tmp_path / "shifted.fits", plane(1.0, band="g"), plane(1.0, band="r", shift=3.0))
    with pytest.raises(ValueError, match=r"differ by up to 3\.00 pixels"):
        read_fits(shifted, psf=psf)
    bare = write(tmp_path / "bare.fits", plane(1.0, wcs=False), plane(1.0, wcs=False, extname="WHT"))
    with pytest.raises(ValueError, match="pixel_scale in arcsec"):
        read_fits(bare, psf=psf)
    assert abs(float(read_fits(bare, psf=psf, pixel_scale=0.3).frame.pixel_scale) - 0.3) < 1e-6
    text = tmp_path / "text.fits"
    text.write_text("no")
    with pytest.raises(ValueError, match="could not be read as FITS"):
        read_fits(text)


def test_planes_that_do_not_match_are_counted(tmp_path, pairs, psf):
    three = write(tmp_path / "three.fits", *[plane(1.0) for _ in range(3)])
    with pytest.raises(ValueError, match="3 planes of weight"):
        read_fits(pairs, weight=three, psf=psf)
    assert len(read_planes(three, role="weight")) == 3


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"MAGZERO": 27.0, "BUNIT": "nJy"}, 27.0),
        ({"BUNIT": "nanomaggy"}, 22.5),
        ({"BUNIT": "nJy"}, 31.4),
        ({"FLUXMAG0": 63095734448.0194}, 27.0),
        ({"PHOTFLAM": 7.07e-20, "PHOTPLAM": 8045.0}, 25.94),  # ACS F814W
        ({"BUNIT": "electron/s"}, None),
        ({"BUNIT": "??"}, None),
        ({}, None),
    ],
)
def test_zero_points_in_headers(cards, expected):
    found = zero_point_from_header(fits.Header(cards))
    assert found is None if expected is None else abs(found - expected) < 0.01


def test_legacy_survey_field(shared_data):
    folder = shared_data / "legacy_field"
    obs = read_fits(folder / "image.fits", psf=folder / "psf.fits", zero_point=22.5)
    assert obs.bands == ("g", "r", "z")
    assert obs.image.shape == obs.weight.shape == (3, 256, 256)
    assert abs(float(obs.frame.pixel_scale) - 0.262) < 1e-3
    noise = np.median(np.abs(obs.image), axis=(1, 2)) * 1.4826 * np.sqrt(np.median(obs.weight, axis=(1, 2)))
    np.testing.assert_allclose(noise, 1.0, atol=0.35)


@pytest.mark.parametrize(
    ("name", "bands", "scale"), [("HSC", ("g", "r", "i", "z", "y"), 0.168), ("HST", ("F814W",), 0.03)]
)
def test_the_same_sky_from_two_instruments(shared_data, tmp_path, name, bands, scale):
    folder = shared_data / "hsc_hst"
    image, weight = folder / f"Cut_{name}.fits", tmp_path / "weight.fits"
    fits.PrimaryHDU(np.ones_like(fits.getdata(image), dtype=np.float32)).writeto(weight)
    obs = read_fits(image, weight=weight, psf=folder / f"PSF_{name}.fits", bands=bands)
    assert obs.bands == bands
    assert abs(float(obs.frame.pixel_scale) - scale) < 1e-3
    ra, dec = obs.wcs.pixel_to_world_values(*(0.5 * (np.array(obs.shape[::-1]) - 1)))
    assert abs(ra - 150.3187) < 0.1
    assert abs(dec - 2.0386) < 0.1
