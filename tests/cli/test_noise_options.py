"""`--noise-correlation` and `--gain`: what reaches the fit, and what wrong ones get."""

import importlib
import sys

import numpy as np
import pytest
from astropy.io import fits
from scipy.signal import fftconvolve

import jaxblend as jb
from jaxblend.cli.main import main
from jaxblend.io import read_noise_correlation, write_npz

ROW = np.array([0.25, 1.0, 0.25])
CORRELATION = np.outer(*[np.correlate(ROW, ROW, "full") / np.sum(ROW**2)] * 2)
OTHER = np.outer([0.1, 1, 0.1], [0.1, 1, 0.1])


def blend(side=120):
    """Two bands of correlated noise with one bright source."""
    rng = np.random.default_rng(3)
    kernel = np.outer(ROW, ROW) / np.sum(ROW**2)
    image = np.array([fftconvolve(rng.normal(size=(side + 2, side + 2)), kernel, "valid") for _ in range(2)])
    y, x = np.mgrid[:side, :side] - side / 2
    return image + 80 * np.exp(-(x**2 + y**2) / 8)


@pytest.fixture
def frame(tmp_path):
    header = fits.Header({"BANDS": "gr", "PIXSCALE": 0.2})
    image = blend().astype(np.float32)
    weight = fits.ImageHDU(np.ones_like(image), name="WEIGHT")
    fits.HDUList([fits.PrimaryHDU(image, header), weight]).writeto(tmp_path / "frame.fits")
    return tmp_path / "frame.fits"


@pytest.fixture
def seen(fake_fitting, monkeypatch):
    """Observations that ``fit`` and ``deblend`` were given, in place of fits that take long."""
    importlib.import_module("jaxblend.detection.noise")
    found = []
    for module, verb in (("jaxblend.fitting", "fit"), ("jaxblend.frames", "deblend")):
        real = getattr(sys.modules[module], verb)

        def watched(observation, *arguments, real=real, **options):
            found.append(observation)
            return real(observation, *arguments, **options)

        monkeypatch.setattr(sys.modules[module], verb, watched)
    return found


@pytest.fixture
def run(tmp_path, capsys, frame):
    def run(*options, verb="fit", path=frame):
        command = verb, path, "--psf-fwhm", 0.7, "--catalog-formats", "ecsv", "--out", tmp_path / "o", *options
        return main([str(argument) for argument in command]), capsys.readouterr()

    return run


@pytest.mark.parametrize("verb", ["fit", "deblend"])
def test_it_is_measured_on_the_image(tmp_path, seen, run, verb):
    assert run("--noise-correlation", "estimate", verb=verb)[0] == 0
    np.testing.assert_allclose(seen[0].noise_correlation[:, 1:6, 1:6], [CORRELATION] * 2, atol=0.06)
    written = read_noise_correlation(tmp_path / "o/noise_correlation.fits", bands="gr")
    np.testing.assert_allclose(written, seen[0].noise_correlation, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("verb", ["fit", "deblend"])
def test_files_and_gains_reach_the_fit(tmp_path, seen, run, verb):
    np.save(tmp_path / "c.npy", CORRELATION)
    assert run("--noise-correlation", tmp_path / "c.npy", "--gain", 2.5, verb=verb)[0] == 0
    np.testing.assert_allclose(seen[0].noise_correlation, [CORRELATION] * 2)
    np.testing.assert_array_equal(seen[0].gain, [2.5, 2.5])
    fits.PrimaryHDU(OTHER).writeto(tmp_path / "other.fits")
    fits.PrimaryHDU(CORRELATION).writeto(tmp_path / "c.fits")
    two = "--noise-correlation", tmp_path / "other.fits", tmp_path / "c.fits", "--gain", 2, 3
    assert run(*two, verb=verb)[0] == 0
    np.testing.assert_allclose(seen[1].noise_correlation, [np.pad(OTHER, 1), CORRELATION], atol=1e-7)
    np.testing.assert_array_equal(seen[1].gain, [2, 3])
    assert run(verb=verb)[0] == 0
    assert seen[2].noise_correlation is seen[2].gain is None


def test_what_a_frame_gave_serves_its_stamps(tmp_path, seen, run):
    assert run("--noise-correlation", "estimate", verb="deblend")[0] == 0
    stamp = jb.Observation(
        blend(32), 1.0, jb.GaussianPSF(0.7), pixel_scale=0.2, bands="gr", noise_correlation=OTHER, gain=9.0
    )
    path = write_npz(stamp, tmp_path / "stamp.npz", positions=np.array([[16.0, 16.0]]))
    measured = tmp_path / "measured.fits"
    (tmp_path / "o/noise_correlation.fits").rename(measured)
    assert run("--noise-correlation", measured, path=path)[0] == 0
    np.testing.assert_allclose(seen[1].noise_correlation, seen[0].noise_correlation, atol=1e-6)
    assert run(path=path)[0] == 0  # by itself the archive's own
    np.testing.assert_allclose(seen[2].noise_correlation, [OTHER] * 2)
    assert seen[1].gain[0] == seen[2].gain[0] == 9.0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--noise-correlation", "none.npy"), "There is no file none.npy"),
        (("--noise-correlation", "guess"), "There is no file guess"),
        (("--noise-correlation", "estimate", "c.npy"), "expected the word estimate alone, or files"),
        (("--noise-correlation", "{folder}/text.npy"), "text.npy could not be read as a NumPy array"),
        (("--noise-correlation", "{folder}/even.npy"), "frame.fits: noise_correlation has shape (2, 4, 4)"),
        (("--gain", "0"), "frame.fits: gain must be a number of photons per unit of flux, above 0"),
        (("--gain", "1", "2", "3"), "gain must be a number of photons per unit of flux"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(tmp_path, run, options, expected):
    (tmp_path / "text.npy").write_text("no")
    np.save(tmp_path / "even.npy", np.ones((4, 4)))
    status, printed = run(*(option.format(folder=tmp_path) for option in options))
    assert status == 2
    assert printed.err.startswith("error: ")
    assert expected in printed.err
    assert len(printed.err.splitlines()) == 1


def test_a_stamp_without_empty_sky_is_referred_to_a_file(tmp_path, run):
    obs = jb.Observation(blend(20), 1.0, jb.GaussianPSF(0.7), pixel_scale=0.2, bands="gr")
    status, printed = run("--noise-correlation", "estimate", path=write_npz(obs, tmp_path / "b.npz"))
    assert status == 2
    assert "--noise-correlation estimate: only " in printed.err
    assert "noise_correlation.fits that jaxblend deblend writes" in printed.err


def test_a_word_of_another_kind_is_refused_with_its_option(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "a.fits", "--gain", "many"])
    assert stopped.value.code == 2
    assert "--gain" in capsys.readouterr().err
