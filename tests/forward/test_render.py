import equinox as eqx
import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from galsim_twin import difference, ours, sources, theirs
from jax.flatten_util import ravel_pytree

from jaxblend.forward.frame import Frame
from jaxblend.forward.galaxies import BulgeDisk, DeVaucouleurs, Exponential, GalaxyOrStar, Sersic, Star
from jaxblend.forward.psf import AiryPSF, GaussianPSF, KolmogorovPSF, MoffatPSF
from jaxblend.forward.render import Grid, images, render, source_spectrum
from jaxblend.forward.scene import Sources

LSST = Frame((40, 33), 0.2, padding=4, oversampling=2)
HSC = Frame((33, 40), jacobian=[[-0.12, 0.11], [0.12, 0.12]], padding=4, oversampling=2)
VIS = Frame((32, 36), 0.1, padding=4, oversampling=2)
KOLMOGOROV = (KolmogorovPSF(0.7), galsim.Kolmogorov(fwhm=0.7))
MOFFAT = (MoffatPSF(0.6, 3.0), galsim.Moffat(beta=3.0, fwhm=0.6))
AIRY = (
    AiryPSF(0.12, 0.3),
    galsim.Airy(lam_over_diam=0.12, obscuration=0.3, gsparams=galsim.GSParams(folding_threshold=1e-3)),
)


@pytest.mark.parametrize(
    ("model", "extra", "galaxy", "psfs", "frame", "radius", "g", "position"),
    [
        (Exponential(), (), galsim.Exponential, KOLMOGOROV, LSST, 0.6, (0.3, -0.2), (0.07, -0.31)),
        (Exponential(), (), galsim.Exponential, MOFFAT, HSC, 0.8, (-0.5, 0.3), (0.4, 0.1)),
        (DeVaucouleurs(), (), galsim.DeVaucouleurs, MOFFAT, LSST, 0.3, (0.0, 0.4), (0.05, 0.05)),
        (
            Sersic(),
            (0.5,),
            lambda half_light_radius: galsim.Sersic(0.5, half_light_radius),
            MOFFAT,
            HSC,
            0.5,
            (0.2, 0.1),
            (0, 0),
        ),
        (
            Sersic(),
            (1.5,),
            lambda half_light_radius: galsim.Sersic(1.5, half_light_radius),
            KOLMOGOROV,
            LSST,
            0.5,
            (0.3, 0.3),
            (-0.1, 0.0),
        ),
        (
            Sersic(),
            (2.5,),
            lambda half_light_radius: galsim.Sersic(2.5, half_light_radius),
            MOFFAT,
            LSST,
            0.3,
            (-0.3, 0),
            (0.0, 0.09),
        ),
    ],
)
def test_galaxy_agrees_with_galsim(model, extra, galaxy, psfs, frame, radius, g, position):
    truth = theirs(galaxy(half_light_radius=radius).shear(g1=g[0], g2=g[1]), psfs[1], frame, position)
    image = ours(model, [np.log(radius), *g, *extra], psfs[0], frame, position=position)
    assert difference(image, truth) < 5e-5
    assert image.sum() == pytest.approx(truth.sum(), abs=3e-4)


@pytest.mark.parametrize(("psfs", "frame"), [(KOLMOGOROV, LSST), (MOFFAT, HSC)])
def test_star_agrees_with_galsim(psfs, frame):
    truth = theirs(None, psfs[1], frame, (0.13, -0.27))
    assert difference(ours(Star(), [], psfs[0], frame, position=(0.13, -0.27)), truth) < 5e-5


def test_bulge_and_disk_agree_with_galsim():
    bulge, disk = (
        galsim.DeVaucouleurs(half_light_radius=0.25, flux=0.4),
        galsim.Exponential(half_light_radius=0.5, flux=0.6),
    )
    truth = theirs(bulge.shear(g1=0.08, g2=0.12) + disk.shear(g1=0.2, g2=0.3), MOFFAT[1], LSST, (0.03, 0.1))
    shape = [np.log(0.5), 0.2, 0.3, np.log(0.5), 0.4]
    image = ours(BulgeDisk(), shape, MOFFAT[0], LSST, position=(0.03, 0.1), flux=[0.4, 0.6])
    assert difference(image, truth) < 5e-5


def test_undersampled_psf_is_folded():
    psf, galsim_psf = AIRY
    galaxy = galsim.Exponential(half_light_radius=0.15).shear(g1=0.1, g2=-0.2)
    truth = galsim.Convolve(galaxy, galsim_psf).shift(0.03, 0.02)
    truth = truth.drawImage(nx=36, ny=32, scale=0.1, method="auto", dtype=float).array
    shape = [np.log(0.15), 0.1, -0.2]
    image = ours(Exponential(), shape, psf, VIS, position=(0.03, 0.02))
    assert difference(image, truth) < 1e-4
    unfolded = ours(Exponential(), shape, psf, VIS.with_oversampling(1), position=(0.03, 0.02))
    assert difference(unfolded, truth) > 1e-3


def scene(k=3, model=None):
    rng = np.random.default_rng(3)
    model = model or BulgeDisk()
    shape = np.concatenate([rng.normal(-1, 0.1, (k, 1)), rng.normal(0, 0.1, (k, len(model.shape_names) - 1))], 1)
    flux = rng.uniform(1, 2, (k, 2, 2))
    return Sources(
        jnp.asarray(rng.normal(0, 0.5, (k, 2)), float),
        jnp.asarray(shape, float),
        jnp.asarray(flux, float),
        jnp.ones(k, bool),
        model,
    )


SMALL = Frame((12, 10), 0.2)
TRANSFER = GaussianPSF([0.7, 0.8]).transfer(SMALL)


def test_a_scene_is_the_sum_of_its_sources():
    three = scene()
    each = images(three, SMALL, TRANSFER)
    assert each.shape == (3, 2, 12, 10)
    np.testing.assert_allclose(render(three, SMALL, TRANSFER), each.sum(0), atol=1e-6)
    per_source = jnp.broadcast_to(TRANSFER, (3, *TRANSFER.shape))
    np.testing.assert_allclose(render(three, SMALL, per_source), each.sum(0), atol=1e-6)


def test_images_are_linear_in_flux():
    one = scene()
    double = eqx.tree_at(lambda s: s.flux, one, 2 * one.flux)
    np.testing.assert_allclose(render(double, SMALL, TRANSFER), 2 * render(one, SMALL, TRANSFER), rtol=1e-5, atol=1e-6)


@eqx.filter_jit
def squares(parts, present, model):
    return (render(Sources(*parts, present, model), SMALL, TRANSFER) ** 2).sum()


@pytest.mark.parametrize("content", [0.0, 1e4, -1e30, np.inf, np.nan])
def test_an_absent_source_changes_neither_value_nor_gradient(content):
    two = scene(2)
    parts = _parts(two)
    padded = tuple(jnp.concatenate([a, jnp.full_like(a[:1], content)]) for a in parts)
    value, gradient = eqx.filter_value_and_grad(squares)(parts, two.present, two.model)
    present = jnp.array([True, True, False])
    value_padded, gradient_padded = eqx.filter_value_and_grad(squares)(padded, present, two.model)
    np.testing.assert_allclose(value_padded, value, rtol=1e-6)
    for g, padded_g in zip(gradient, gradient_padded, strict=True):
        np.testing.assert_allclose(padded_g[:2], g, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(padded_g[2], 0)


def _parts(s):
    return s.position, s.shape, s.flux


def test_stars_and_galaxies_in_one_scene():
    shape = jnp.asarray([[-1.0, 0.1, 0.2, -0.5, 0.7], [0.3, 0.2, 0.1, -0.1, 0.5]])
    position, flux = jnp.asarray([[0.3, 0.1], [-0.4, 0.2]]), jnp.asarray([[[0.5], [0.5]], [[0.3], [0.7]]])
    model = GalaxyOrStar(BulgeDisk(), jnp.array([False, True]))
    assert (model.n_components, model.shape_names) == (2, BulgeDisk.shape_names)
    frame, psf = Frame((16, 16), 0.2), GaussianPSF(0.7)
    image = images(Sources(position, shape, flux, jnp.ones(2, bool), model), frame, psf.transfer(frame))[:, 0]
    galaxy = ours(BulgeDisk(), shape[0], psf, frame, position=position[0], flux=[0.5, 0.5])
    star = ours(Star(), [], psf, frame, position=position[1])
    np.testing.assert_allclose(image[0], galaxy, atol=1e-6)
    np.testing.assert_allclose(image[1], star, atol=1e-6)


@pytest.mark.parametrize("model", [BulgeDisk(), Sersic()])
def test_the_shape_of_a_star_has_no_gradient(model):
    three = scene(3, model)
    model = GalaxyOrStar(model, jnp.array([False, True, False]))
    shape = three.shape.at[:, 3].set(1.5)

    @jax.jit
    def total(shape):
        moved = Sources(three.position, shape, three.flux[:, : model.n_components], three.present, model)
        return (render(moved, SMALL, TRANSFER) ** 2).sum()

    gradient = jax.grad(total)(shape)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[1], 0)
    assert (gradient[0] != 0).all()


@pytest.mark.parametrize(
    ("model", "extra"),
    [
        (Star(), None),
        (Exponential(), ()),
        (DeVaucouleurs(), ()),
        (BulgeDisk(), (-0.5, 0.6)),
        (Sersic(), (1.7,)),
        (Sersic(), (3.5,)),
    ],
)
def test_gradients_are_those_of_finite_differences(model, extra):
    with jax.enable_x64(True):
        frame = Frame((14, 13), jacobian=[[0.2, 0.02], [0.01, 0.19]])
        transfer = MoffatPSF(0.7, 3.0).transfer(frame)
        one = sources(model, [] if extra is None else [-0.8, 0.2, -0.3, *extra], position=(0.05, -0.03))
        weights = jnp.asarray(np.random.default_rng(0).normal(size=(14, 13)))
        flat, unravel = ravel_pytree(_parts(one))
        total = jax.jit(
            lambda v: (render(Sources(*unravel(v), one.present, model), frame, transfer)[0] * weights).sum()
        )
        exact, h = jax.grad(total)(flat), 1e-4
        numeric = [
            (8 * (total(flat + d) - total(flat - d)) - total(flat + 2 * d) + total(flat - 2 * d)) / 12 / h
            for d in h * np.eye(len(flat))
        ]
        np.testing.assert_allclose(exact, np.array(numeric), atol=1e-8)


def test_spectra_at_chosen_wavenumbers_are_those_of_the_full_grid():
    one = jax.tree.map(lambda leaf: leaf[0], scene())
    ky, kx = SMALL.pixel_wavenumbers()
    full = source_spectrum(one, Grid.of(SMALL))
    few = source_spectrum(one, Grid.of(SMALL, ky=ky[:5], kx=kx[:, 2:6]))
    np.testing.assert_allclose(few, full[:, :5, 2:6], atol=1e-5)


def test_a_list_of_wavenumbers_has_the_values_and_slopes_of_the_full_grid():
    with jax.enable_x64(True):
        one = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), scene())
        ky, kx = (np.ravel(k)[None] for k in np.broadcast_arrays(*SMALL.pixel_wavenumbers()))
        grids = Grid.of(SMALL), Grid.of(SMALL, ky=ky, kx=kx)

        def spectrum(numbers, grid):
            moved = eqx.tree_at(lambda s: (s.position, s.shape), one, (numbers[:2], numbers[2:]))
            spectrum = source_spectrum(moved, grid)
            return jnp.stack([spectrum.real, spectrum.imag]).reshape(-1)

        @jax.jit
        def both(numbers):
            return [(spectrum(numbers, grid), jax.jacfwd(spectrum)(numbers, grid)) for grid in grids]

        (full, full_slope), (few, few_slope) = both(jnp.concatenate([one.position, one.shape]))
        np.testing.assert_allclose(few, full, atol=1e-12)
        np.testing.assert_allclose(few_slope, full_slope, atol=1e-10)
