import equinox as eqx
import galsim
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import Star
from jaxblend.forward.psf import AiryPSF, ConvolvedPSF, GaussianPSF, KolmogorovPSF, MoffatPSF, pixel_response
from jaxblend.forward.render import render
from jaxblend.forward.sampled_psf import ImagePSF
from jaxblend.forward.scene import Sources

FRAME = Frame((16, 12), jacobian=[[0.2, 0.03], [-0.02, 0.15]], oversampling=2)
EXACT = galsim.GSParams(kvalue_accuracy=1e-8, maxk_threshold=1e-6)


@pytest.mark.parametrize(
    ("psf", "galsim_psf"),
    [
        (GaussianPSF(0.7), galsim.Gaussian(fwhm=0.7)),
        (MoffatPSF(0.6, 2.5), galsim.Moffat(beta=2.5, fwhm=0.6, gsparams=EXACT)),
        (MoffatPSF(0.6, 4), galsim.Moffat(beta=4, fwhm=0.6, gsparams=EXACT)),
        (KolmogorovPSF(0.7), galsim.Kolmogorov(fwhm=0.7, gsparams=EXACT)),
        (AiryPSF(0.3), galsim.Airy(lam_over_diam=0.3)),
        (AiryPSF(0.3, 0.35), galsim.Airy(lam_over_diam=0.3, obscuration=0.35)),
    ],
)
def test_transfer_is_galsims_times_the_pixel(psf, galsim_psf):
    ky, kx = FRAME.pixel_wavenumbers()
    sky = np.stack(np.broadcast_arrays(kx, ky), -1) @ FRAME.inverse_jacobian
    expected = [galsim_psf.kValue(*k).real for k in sky.reshape(-1, 2)]
    expected = np.reshape(expected, sky.shape[:2]) * pixel_response(FRAME)
    np.testing.assert_allclose(psf.transfer(FRAME)[0], expected, atol=1e-5)


@pytest.mark.parametrize("value", [1, 0.7, np.float64(0.7), np.float32(0.7), np.array(0.7), jnp.asarray(0.7)])
def test_any_number_serves_every_band(value):
    for psf in (GaussianPSF(value), MoffatPSF(value, 3), KolmogorovPSF(value), AiryPSF(value), AiryPSF(value, 0.3)):
        assert psf.n_bands is None
        assert psf.transfer(FRAME).shape[0] == 1


@pytest.mark.parametrize("values", [[0.7, 0.8], (0.7, 0.8), np.array([0.7, 0.8]), jnp.asarray([0.7, 0.8])])
def test_one_value_per_band(values):
    for make in (GaussianPSF, lambda v: MoffatPSF(v, 3.0), KolmogorovPSF, AiryPSF, lambda v: MoffatPSF(v, [2.5, 3.5])):
        psf = make(values)
        assert psf.n_bands == 2
        assert psf.transfer(FRAME).shape[0] == 2
    np.testing.assert_allclose(GaussianPSF(values).transfer(FRAME)[1], GaussianPSF(0.8).transfer(FRAME)[0], atol=1e-6)


def test_convolution_is_a_product_with_one_pixel():
    both = ConvolvedPSF((KolmogorovPSF(0.6), AiryPSF(0.2, 0.3)))
    product = KolmogorovPSF(0.6).transfer(FRAME) * AiryPSF(0.2, 0.3).profile(_sky_k(FRAME)[None])
    np.testing.assert_allclose(both.transfer(FRAME), product, atol=1e-6)
    assert both.n_bands is None
    assert ConvolvedPSF((KolmogorovPSF(0.6), AiryPSF([0.2, 0.3]))).n_bands == 2


def _sky_k(frame):
    ky, kx = frame.pixel_wavenumbers()
    return jnp.asarray(
        np.linalg.norm(np.stack(np.broadcast_arrays(kx, ky), -1) @ frame.inverse_jacobian, axis=-1), float
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianPSF(0.0), "fwhm must be finite and above 0"),
        (lambda: GaussianPSF(np.nan), "fwhm must be finite"),
        (lambda: KolmogorovPSF(-1.0), "fwhm must be finite"),
        (lambda: MoffatPSF(0.7, 1.0), r"beta must be finite and above 1\.1"),
        (lambda: MoffatPSF([[0.7]], 3.0), "one per band"),
        (lambda: MoffatPSF([0.7, 0.8], [2.0, 3.0, 4.0]).n_bands, "bands: give all for the same"),
        (lambda: AiryPSF(0.0), "lam_over_diam must be"),
        (lambda: AiryPSF(0.1, 1.0), "obscuration is a linear fraction"),
        (lambda: AiryPSF(0.1, -0.1), "obscuration is a linear fraction"),
        (lambda: AiryPSF(0.1, np.nan), "obscuration must be finite"),
    ],
)
def test_impossible_psfs_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def star_image(psf, frame):
    one = Sources(jnp.zeros((1, 2)), jnp.zeros((1, 0)), jnp.ones((1, 1, 1)), jnp.ones(1, bool), Star())
    return np.asarray(eqx.filter_jit(render)(one, frame, psf.transfer(frame)))[0]


def gaussian(shape, sigma, centre=(0.0, 0.0)):
    """A Gaussian at an offset (x, y) from the middle of an array, well sampled."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    image = np.exp(-((x - centre[0]) ** 2 + (y[:, None] - centre[1]) ** 2) / (2 * sigma**2))
    return image / (2 * np.pi * sigma**2)


@pytest.mark.parametrize("psf_shape", [(17, 17), (16, 16), (17, 20), (16, 19), (101, 99)])
@pytest.mark.parametrize("stamp", [(20, 23), (21, 24)])
def test_image_psf_of_any_parity_and_size_draws_a_star_at_the_centre(psf_shape, stamp):
    image = star_image(ImagePSF(gaussian(psf_shape, 1.5)[None]), Frame(stamp, 0.2))
    np.testing.assert_allclose(image, gaussian(stamp, 1.5), atol=2e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("reach", [1, 2])
def test_oversampled_image_psf(factor, reach):
    samples = gaussian((81, 80), 1.5 * factor)
    image = star_image(ImagePSF(samples[None], oversampling=factor), Frame((20, 23), 0.2, oversampling=reach))
    np.testing.assert_allclose(image, gaussian((20, 23), 1.5), atol=2e-6)


@pytest.mark.parametrize("factor", [1, 3])
def test_image_psf_without_the_pixel(factor):
    sigma, frame = 1.5, Frame((20, 20), 0.2)
    bare = ImagePSF(gaussian((99, 99), sigma * factor)[None], oversampling=factor, includes_pixel=False)
    fwhm = 0.2 * sigma * 2 * np.sqrt(2 * np.log(2))
    np.testing.assert_allclose(star_image(bare, frame), star_image(GaussianPSF(fwhm), frame), atol=3e-6)


@pytest.mark.parametrize("factor", [1, 2])
def test_off_centre_image_psf(factor):
    offset = (0.4 * factor, -0.7 * factor)
    samples = gaussian((61, 60), 1.5 * factor, offset)
    centred = ImagePSF(samples[None], oversampling=factor, centre=np.array([offset]))
    np.testing.assert_allclose(star_image(centred, Frame((20, 23), 0.2)), gaussian((20, 23), 1.5), atol=2e-6)
    as_it_is = ImagePSF(samples[None], oversampling=factor)
    expected = gaussian((20, 23), 1.5, (0.4, -0.7))
    np.testing.assert_allclose(star_image(as_it_is, Frame((20, 23), 0.2)), expected, atol=2e-6)


def test_image_psf_per_source():
    frame, sigmas = Frame((20, 20), 0.2), (1.5, 2.0)
    psf = ImagePSF(np.stack([gaussian((17, 17), s)[None] for s in sigmas]))
    position = jnp.asarray([[-0.6, 0.0], [0.8, 0.2]])
    two = Sources(position, jnp.zeros((2, 0)), jnp.ones((2, 1, 1)), jnp.ones(2, bool), Star())
    transfer = psf.transfer(frame)
    assert transfer.shape[:2] == (2, 1)
    expected = gaussian((20, 20), 1.5, (-3, 0)) + gaussian((20, 20), 2.0, (4, 1))
    np.testing.assert_allclose(
        render(two, frame, transfer)[0], expected, atol=1e-4
    )  # the PSF's array is cut at 4 sigma


def test_a_psf_is_never_renormalised():
    image = star_image(ImagePSF(0.5 * gaussian((17, 17), 1.5)[None]), Frame((20, 20), 0.2))
    assert image.sum() == pytest.approx(0.5, abs=1e-4)
