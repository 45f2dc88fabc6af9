"""Real galaxies in training: their frames, PSF and noise are those of the truth, and networks learn from them."""

import equinox as eqx
import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.table import Table

from jaxblend.forward.splats import Splats, transform
from jaxblend.train.cosmos import Cosmos, read_stamps
from jaxblend.train.stamps import draw_stamps, freedom, made_round, misfit, seen_through

SCALE, SIDE, VARIANCE = 0.03, 64, 400.0
RADII = (4.0, 6.0, 9.0)  # pixels
SHEAR = {"g1": 0.3, "g2": -0.2}


def written(folder, galaxies, psf, noise):
    """A catalogue of such galaxies in GalSim's format."""
    images = [
        galsim.Convolve(galaxy, psf).drawImage(nx=n, ny=n, scale=SCALE, method="no_pixel", dtype=float)
        for galaxy, n in galaxies
    ]
    for image in images:
        image.addNoise(noise)
    count = len(images)
    galsim.fits.writeMulti(images, str(folder / "images.fits"))
    galsim.fits.write(psf.drawImage(nx=51, ny=65, scale=SCALE, method="no_pixel"), str(folder / "psf.fits"))
    galsim.fits.write(noise.drawImage(galsim.ImageD(41, 41, scale=SCALE)), str(folder / "noise.fits"))
    columns = {
        "IDENT": np.arange(count),
        "GAL_FILENAME": ["images.fits"] * count,
        "GAL_HDU": np.arange(count),
        "PSF_FILENAME": ["psf.fits"] * count,
        "PSF_HDU": np.zeros(count, int),
        "PIXEL_SCALE": np.full(count, SCALE),
        "NOISE_VARIANCE": np.full(count, VARIANCE),
        "NOISE_FILENAME": ["noise.fits"] * count,
    }
    Table(columns).write(folder / "catalogue.fits")
    return folder / "catalogue.fits"


@pytest.fixture(scope="module")
def gaussians(tmp_path_factory):
    """Flattened Gaussians off the middle, behind a lopsided PSF; then one too small and one too faint."""
    noise = galsim.UncorrelatedNoise(variance=1.0, rng=galsim.BaseDeviate(5), scale=SCALE)
    noise = noise.convolvedWith(galsim.Gaussian(fwhm=1.5 * SCALE)).withVariance(VARIANCE)
    psf = 0.7 * galsim.Gaussian(fwhm=0.1) + 0.3 * galsim.Gaussian(fwhm=0.12).shift(0.1, 0.02)

    def galaxy(radius, snr):
        flux = snr * 2 * np.sqrt(np.pi * 4 * VARIANCE) * radius / 1.1774  # noise that is correlated weighs more
        return galsim.Gaussian(half_light_radius=radius * SCALE, flux=flux).shear(**SHEAR).shift(0.02, -0.03)

    galaxies = [(galaxy(radius, 200), 2 * round(4 * radius) + 8) for radius in RADII]
    rest = [(galaxy(1.5, 200), 32), (galaxy(7.0, 14), 50)]
    return written(tmp_path_factory.mktemp("cosmos"), galaxies + rest, psf, noise)


class Gaussian:
    """A "decoder" of the galaxies above: in their own frame all are this one."""

    latent = 0

    def waves(self, z, kx, ky):
        width = 1 / np.sqrt(2 * np.log(2))
        return transform(Splats(jnp.zeros((1, 2)), jnp.array([[width, 0.0, width]]), jnp.ones((2, 1))), kx, ky)


def chi2_per_pixel(seen):
    n = len(seen.data)
    light = seen_through(Gaussian(), jnp.zeros((n, 0)), jnp.full((n, 2), 0.5), seen)
    return 1 + 2 * misfit(light, seen) / freedom(seen)


def test_frame_psf_and_noise_are_those_of_the_truth(gaussians):
    stamps, left_out = read_stamps(gaussians, side=SIDE)
    assert left_out == {"too small": 1, "too faint": 1}
    g = stamps.axes / np.sqrt(np.linalg.det(stamps.axes))[:, None, None]
    np.testing.assert_allclose((g[:, 0, 0] - g[:, 1, 1]) / np.trace(g, axis1=1, axis2=2), SHEAR["g1"], atol=0.02)
    np.testing.assert_allclose(2 * g[:, 0, 1] / np.trace(g, axis1=1, axis2=2), SHEAR["g2"], atol=0.02)
    # Each is seen several times, turned and reflected; PSF and frame turn with it.
    seen = draw_stamps(jax.random.key(0), jax.tree.map(jnp.asarray, stamps), 24)
    assert len(np.unique(np.round(seen.axes[:, 0, 1], 3))) > len(RADII)
    for image in np.asarray(made_round(seen))[:, 0]:
        assert galsim.hsm.FindAdaptiveMom(galsim.Image(image)).observed_shape.g < 0.12
    assert freedom(seen).min() > 400
    chi2 = chi2_per_pixel(seen)
    np.testing.assert_allclose(chi2, 1.0, atol=0.1)
    assert np.all(chi2_per_pixel(seen._replace(psf=jnp.swapaxes(seen.psf, 1, 2))) > chi2 + 0.05)


def test_pixels_are_as_large_as_those_of_drawn_galaxies(gaussians):
    stamps, _ = read_stamps(gaussians, side=SIDE, most=3)
    pixel = 1 / np.sqrt(np.linalg.det(stamps.axes))
    assert np.all((pixel > 0.109) & (pixel < 0.301))
    np.testing.assert_allclose(stamps.told[:, 0], np.log(pixel) + 1.7, atol=1e-5)
    assert stamps.data.shape == (3, SIDE, SIDE)


@pytest.mark.slow
def test_networks_learn_from_the_sample(shared_data):
    pytest.importorskip("flax")
    from jaxblend.train import pictures
    from jaxblend.train.latents import encoded
    from jaxblend.train.loop import Schedule, train
    from jaxblend.train.morphology import Morphology, make, negative_elbo

    stamps, left_out = read_stamps(shared_data / "cosmos" / "real_galaxy_catalog.fits", side=16)
    assert len(stamps.data) + left_out.total() == 50
    assert len(stamps.data) >= 20
    stamps = jax.tree.map(jnp.asarray, stamps)
    model = make(Morphology(latent=4, splats=6, hidden=16, features=(8, 8), side=16), jax.random.key(0))
    loss = eqx.Partial(negative_elbo, side=16, batch_size=8, stamps=stamps, share=1.0)
    before = pictures.chi2_per_pixel(model, jax.random.key(1), stamps, n=32)
    *_, (model, state, _) = train(model, loss, Schedule(steps=60, batch_size=8, learning_rate=3e-3, every=20))
    assert np.isfinite(state.best_loss)
    after = pictures.chi2_per_pixel(model, jax.random.key(1), stamps, n=32)
    assert np.mean(after) < 0.7 * np.mean(before)
    mean, scale = encoded(model, jax.random.key(2), side=16, n=40, stamps=stamps, share=0.5)
    assert mean.shape == (40, 4)
    assert np.isfinite(mean).all()
    assert (scale > 0).all()


def test_catalogues_that_are_none_are_refused(tmp_path, gaussians):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.fits is not there"):
        read_stamps(tmp_path / "nowhere.fits", side=SIDE)
    with pytest.raises(ValueError, match="is not the catalogue of"):
        read_stamps(gaussians.with_name("psf.fits"), side=SIDE)
    Table({"IDENT": [1]}).write(tmp_path / "fits.fits")
    with pytest.raises(ValueError, match="not that of fits"):
        read_stamps(tmp_path / "fits.fits", side=SIDE)
    Table.read(gaussians)[:0].write(gaussians.with_name("empty.fits"))
    with pytest.raises(ValueError, match="0 of 0 galaxies left"):
        read_stamps(gaussians.with_name("empty.fits"), side=SIDE)


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.5}, {"galaxies": 1}])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Cosmos(**wrong)
