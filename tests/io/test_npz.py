import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.wcs import WCS

from jaxblend.errors import JaxblendWarning
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import AiryPSF, ConvolvedPSF, GaussianPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF
from jaxblend.io.npz import read_npz, write_npz


def observation(psf, **options):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 12, 10)).astype(np.float32)
    weight = rng.uniform(1, 2, image.shape).astype(np.float32)
    return Observation(image, weight, psf, pixel_scale=0.2, bands="gr", zero_point=[27.0, 28.0], **options)


def sampled():
    y, x = np.mgrid[-7:8, -7:8]
    image = np.exp(-0.5 * (x**2 + y**2) / 4.0)
    return ImagePSF(np.stack([image, image]).astype(np.float32) / image.sum(), oversampling=2, includes_pixel=False)


@pytest.mark.parametrize(
    "psf",
    [
        GaussianPSF(fwhm=np.array(0.7)),
        KolmogorovPSF(fwhm=np.array([0.8, 0.7])),
        MoffatPSF(fwhm=np.array(0.7), beta=np.array(3.0)),
        ConvolvedPSF(
            (AiryPSF(lam_over_diam=np.array(0.1), obscuration=np.array(0.3)), GaussianPSF(fwhm=np.array(0.2)))
        ),
        sampled(),
    ],
    ids=lambda psf: type(psf).__name__,
)
def test_an_observation_comes_back(tmp_path, psf):
    obs = observation(psf, survey="LSST")
    positions = np.array([[3.0, 4.0], [6.0, 7.5]])
    stored = read_npz(write_npz(obs, tmp_path / "b.npz", positions=positions, isolated=np.zeros((2, 2, 12, 10))))
    again = stored.observation
    np.testing.assert_array_equal(again.image, obs.image)
    np.testing.assert_array_equal(again.weight, obs.weight)
    np.testing.assert_array_equal(again.zero_point, obs.zero_point)
    assert (again.bands, again.survey) == (obs.bands, obs.survey)
    np.testing.assert_array_equal(stored.positions, positions)
    assert stored.isolated.shape == (2, 2, 12, 10)
    assert type(again.psf) is type(obs.psf)
    np.testing.assert_allclose(again.psf.transfer(again.frame), obs.psf.transfer(obs.frame), atol=1e-6)


def test_the_general_layout_with_names_of_others(tmp_path):
    path = tmp_path / "o.npz"
    psf = np.full((2, 5, 5), 1 / 25)
    image = np.ones((2, 12, 10), np.float32)
    np.savez(path, images=image, variance=image / 4, psfs=psf, filters=np.array(["g", "r"]), pixel_scale=0.3)
    stored = read_npz(path)
    assert stored.positions is None
    assert stored.observation.bands == ("g", "r")
    np.testing.assert_array_equal(stored.observation.weight, 4.0)
    assert abs(float(read_npz(path, pixel_scale=0.2).observation.frame.pixel_scale) - 0.2) < 1e-6


def test_what_is_missing_is_said(tmp_path):
    path = tmp_path / "o.npz"
    np.savez(path, weight=np.ones((1, 4, 4)), pixel_scale=0.2)
    with pytest.raises(ValueError, match=r"\['pixel_scale', 'weight'\] but no image: expected image"):
        read_npz(path)
    np.savez(path, image=np.ones((1, 4, 4)), positions=np.ones(3), pixel_scale=0.2, weight=np.ones((1, 4, 4)))
    with pytest.raises(ValueError, match=r"shape \(3,\), expected \(n, 2\)"):
        read_npz(path, psf=GaussianPSF(fwhm=np.array(0.7)))
    with pytest.raises(FileNotFoundError, match="no file"):
        read_npz(tmp_path / "none.npz")
    np.savez(path, image=np.array([None, "x"], dtype=object))
    with pytest.raises(ValueError, match="could not be read"):
        read_npz(path)


AXES = {
    "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 5.0, "CRPIX2": 6.0,
    "CDELT1": -0.2 / 3600, "CDELT2": 0.2 / 3600, "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-4, "B_0_2": 1e-4,
}  # fmt: skip


def test_a_wcs_comes_back_with_its_distortions(tmp_path):
    image = np.ones((1, 12, 10))
    obs = Observation(image, 1.0, GaussianPSF(fwhm=0.7), wcs=WCS(Header(AXES)))
    again = read_npz(write_npz(obs, tmp_path / "b.npz")).observation
    corners = [0.0, 9.0, 200.0], [0.0, 11.0, 200.0]
    expected = obs.wcs.pixel_to_world_values(*corners)
    np.testing.assert_allclose(again.wcs.pixel_to_world_values(*corners), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(again.frame.jacobian, obs.frame.jacobian, rtol=1e-6)


@pytest.mark.parametrize("separator", ["", "\n"])
def test_a_header_with_lines_is_a_wcs_too(tmp_path, separator):
    header = np.bytes_(Header(AXES).tostring(sep=separator, endcard=False, padding=False))
    np.savez(tmp_path / "b.npz", image=np.ones((1, 12, 10)), weight=np.ones((1, 12, 10)), wcs_header=header)
    obs = read_npz(tmp_path / "b.npz", psf=GaussianPSF(fwhm=0.7)).observation
    assert abs(obs.frame.pixel_scale - 0.2) < 1e-3


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("hello", "no celestial axes are in 'hello'"),
        ("", "no celestial axes are in ''"),
        (3.0, r"an array of float64 with shape \(\)"),
        (["SIMPLE  =  T", "NAXIS   =  2"], r"an array of <U12 with shape \(2,\)"),
        (Header(AXES | {"CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ"}).tostring(), "Unrecognized projection code"),
        (Header(AXES | {"CDELT1": 0.0}).tostring(), "singular"),
    ],
)
def test_a_wcs_header_that_is_none_is_named(tmp_path, header, said):
    path = tmp_path / "b.npz"
    image = np.ones((1, 12, 10))
    np.savez(path, image=image, weight=image, pixel_scale=0.2, wcs_header=header)
    psf = GaussianPSF(fwhm=0.7)
    with pytest.raises(
        ValueError, match=rf"wcs_header in .*b\.npz is not a celestial WCS \(.*{said}.*FITS header as one"
    ):
        read_npz(path, psf=psf)
    assert read_npz(path, psf=psf, pixel_scale=0.3).observation.wcs is None


def test_the_hsc_blend(shared_data):
    path = shared_data / "hsc_blend.npz"
    with pytest.raises(ValueError, match=r"pixel_scale in arcsec.*0\.168 for HSC"):
        read_npz(path)
    with pytest.warns(JaxblendWarning, match=r"bits \[2, 3, 5"):
        stored = read_npz(path, pixel_scale=0.168)
    obs = stored.observation
    assert obs.bands == ("g", "r", "i", "z", "y")
    assert obs.image.shape == (5, 58, 48)
    assert stored.positions.shape == (7, 2)
    assert np.all(obs.weight > 0)
    bad = read_npz(path, pixel_scale=0.168, mask_bits=4 + 8).observation
    assert 0 < np.mean(bad.weight == 0) < 0.2


def test_what_is_known_of_the_noise_comes_back(tmp_path):
    correlation = np.outer([0.3, 1, 0.3], [0.3, 1, 0.3])
    obs = Observation(
        np.zeros((2, 12, 10)), 1.0, GaussianPSF(0.7), pixel_scale=0.2, noise_correlation=correlation, gain=[2.0, 3.0]
    )
    again = read_npz(write_npz(obs, tmp_path / "b.npz")).observation
    np.testing.assert_allclose(again.noise_correlation, [correlation, correlation])
    np.testing.assert_array_equal(again.gain, [2, 3])
