"""The correlation of noise and the gain, from files to an Observation and back."""

import numpy as np
import pytest
from astropy.io import fits
from fake_fit import fake_fit, fake_scene

from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.io import read_fits, read_noise_correlation, read_npz, write_fit, write_npz, write_scene
from jaxblend.io.noise import write_noise_correlation

NARROW = np.outer([0.3, 1, 0.3], [0.3, 1, 0.3])
WIDE = np.outer([0.1, 0.4, 1, 0.4, 0.1], [0.1, 0.4, 1, 0.4, 0.1])
BOTH = np.stack([np.pad(NARROW, 1), WIDE])
SHAPE = (2, 24, 32)
PSF = GaussianPSF(fwhm=np.array(0.7))


@pytest.fixture
def cube(tmp_path):
    header = fits.Header({"BANDS": "gr", "PIXSCALE": 0.2})
    image = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    weight = fits.ImageHDU(np.ones(SHAPE, np.float32), name="WEIGHT")
    fits.HDUList([fits.PrimaryHDU(image, header), weight]).writeto(tmp_path / "cube.fits")
    return tmp_path / "cube.fits"


def named(path, **kernels):
    """FITS images that name their bands."""
    hdus = [fits.ImageHDU(kernel, fits.Header({"BAND": band})) for band, kernel in kernels.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def saved(path, array):
    np.save(path, array)
    return path


def test_an_array_in_a_file_is_that_of_the_observation(tmp_path, cube):
    path = saved(tmp_path / "c.npy", BOTH)
    obs = read_fits(cube, psf=PSF, noise_correlation=path, gain=[2.0, 3.0])
    np.testing.assert_allclose(obs.noise_correlation, BOTH)
    np.testing.assert_array_equal(obs.gain, [2.0, 3.0])
    np.testing.assert_allclose(read_fits(cube, psf=PSF, noise_correlation=BOTH).noise_correlation, BOTH)
    # One of two unnamed kernels for one of two images.
    np.testing.assert_allclose(read_fits(cube, psf=PSF, bands="r", noise_correlation=path).noise_correlation, [WIDE])
    assert read_fits(cube, psf=PSF).noise_correlation is None
    assert read_fits(cube, psf=PSF).gain is None


def test_one_kernel_serves_all_bands(tmp_path, cube):
    fits.PrimaryHDU(NARROW).writeto(tmp_path / "c.fits")
    for path in (saved(tmp_path / "c.npy", NARROW), tmp_path / "c.fits"):
        np.testing.assert_allclose(read_fits(cube, psf=PSF, noise_correlation=path).noise_correlation, [NARROW] * 2)
        np.testing.assert_array_equal(read_noise_correlation(path), NARROW)


def test_kernels_are_chosen_by_the_names_of_their_bands(tmp_path, cube):
    path = named(tmp_path / "c.fits", r=WIDE, g=NARROW)
    np.testing.assert_allclose(read_fits(cube, psf=PSF, noise_correlation=path).noise_correlation, BOTH)
    np.testing.assert_allclose(read_noise_correlation(path, bands="gr"), BOTH)
    np.testing.assert_allclose(read_noise_correlation(path, bands=["r"]), WIDE)
    np.testing.assert_allclose(read_noise_correlation(path), BOTH[::-1])
    np.testing.assert_allclose(read_noise_correlation(path, bands="xy"), BOTH[::-1])


def test_kernels_beside_the_images_are_no_images(tmp_path, cube):
    with fits.open(cube) as hdus:
        hdus.append(fits.ImageHDU(BOTH, name="NOISE_CORRELATION"))
        hdus.writeto(tmp_path / "with.fits")
    obs = read_fits(tmp_path / "with.fits", psf=PSF)
    assert obs.n_bands == 2
    np.testing.assert_allclose(obs.noise_correlation, BOTH)
    np.testing.assert_allclose(
        read_fits(tmp_path / "with.fits", psf=PSF, noise_correlation=NARROW).noise_correlation, [NARROW] * 2
    )


def test_an_archive_takes_another_correlation_and_gain(tmp_path):
    obs = Observation(np.zeros(SHAPE), 1.0, PSF, pixel_scale=0.2, bands="gr", noise_correlation=NARROW, gain=2.0)
    path = write_npz(obs, tmp_path / "b.npz")
    np.testing.assert_allclose(read_npz(path).observation.noise_correlation, [NARROW] * 2)
    for other in (BOTH, saved(tmp_path / "c.npy", BOTH), named(tmp_path / "c.fits", r=WIDE, g=NARROW)):
        again = read_npz(path, noise_correlation=other, gain=[4.0, 5.0]).observation
        np.testing.assert_allclose(again.noise_correlation, BOTH)
        np.testing.assert_array_equal(again.gain, [4.0, 5.0])


@pytest.mark.parametrize("write", [write_fit, write_scene])
def test_results_hold_the_correlation_that_was_used(tmp_path, write):
    image = np.random.default_rng(1).normal(size=SHAPE)
    obs = Observation(image, 1.0, PSF, pixel_scale=0.2, bands="gr", noise_correlation=BOTH)
    make = fake_fit if write is write_fit else fake_scene
    files = write(make(obs, [[8.0, 9.0], [20.0, 14.0]]), tmp_path, formats=(), images=False)
    assert files == {"noise_correlation": tmp_path / "noise_correlation.fits"}
    np.testing.assert_allclose(read_noise_correlation(files["noise_correlation"], bands="rg"), BOTH[::-1], rtol=1e-6)
    again = Observation(
        image, 1.0, PSF, pixel_scale=0.2, noise_correlation=read_noise_correlation(files["noise_correlation"])
    )
    np.testing.assert_allclose(again.noise_correlation, obs.noise_correlation, atol=1e-6)
    white = obs.replace(noise_correlation=None)
    assert write(make(white, [[8.0, 9.0]]), tmp_path, formats=(), images=False) == {}


def test_wrong_files_are_said(tmp_path, cube):
    # An array of objects whose pickle, written by hand, makes a folder when it is loaded.
    with (tmp_path / "pickle.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (1,)})
        stream.write(f"cos\nmkdir\n(V{tmp_path / 'ran'}\ntR.".encode())
    (tmp_path / "text.npy").write_text("no")
    (tmp_path / "cut.npy").write_bytes(saved(tmp_path / "c.npy", BOTH).read_bytes()[:150])
    for name, message in {
        "none.npy": "There is no file",
        "none.fits": "There is no file",
        "pickle.npy": r"pickle\.npy could not be read as a NumPy array \(Object arrays cannot be loaded",
        "text.npy": r"text\.npy could not be read as a NumPy array \(it does not begin as one",
        "cut.npy": r"cut\.npy could not be read as a NumPy array",
    }.items():
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            read_fits(cube, psf=PSF, noise_correlation=tmp_path / name)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ValueError, match=r"shape \(3,\), expected a noise correlation \(h, w\)"):
        read_noise_correlation(saved(tmp_path / "line.npy", np.ones(3)))
    with pytest.raises(ValueError, match="3 planes of noise_correlation"):
        read_fits(cube, psf=PSF, noise_correlation=saved(tmp_path / "three.npy", np.stack([NARROW] * 3)))
    with pytest.raises(ValueError, match="noise_correlation of band 0 is 4 in its middle"):
        read_fits(cube, psf=PSF, noise_correlation=saved(tmp_path / "cov.npy", 4 * NARROW))
    with pytest.raises(ValueError, match="all odd or all even"):
        read_noise_correlation(named(tmp_path / "even.fits", g=NARROW, r=np.ones((4, 4))))
    with pytest.raises(ValueError, match="gain must be a number"):
        read_fits(cube, psf=PSF, gain=[1.0, 2.0, 3.0])


def test_what_is_written_is_read(tmp_path):
    path = write_noise_correlation(BOTH, tmp_path / "c.fits", bands="gr")
    np.testing.assert_allclose(read_noise_correlation(path, bands="gr"), BOTH, rtol=1e-6)
