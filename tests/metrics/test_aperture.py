import jax
import numpy as np
import pytest
import sep

from jaxblend.metrics.aperture import aperture_fluxes, aperture_weights

SHAPE = (30, 40)


def ellipses(n, seed=0):
    rng = np.random.default_rng(seed)
    size, angle = 0.6 * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
    g = np.stack([size * np.cos(angle), size * np.sin(angle)], axis=1)
    return rng.uniform((0, 0), SHAPE[::-1], (n, 2)), rng.uniform(0.3, 8, n), g


def sep_flux(image, position, radius, g, subpix=0):
    axis_ratio = (1 - np.hypot(*g)) / (1 + np.hypot(*g))
    a, b = radius / np.sqrt(axis_ratio), radius * np.sqrt(axis_ratio)
    angle = 0.5 * np.arctan2(g[1], g[0])
    return sep.sum_ellipse(image, [position[0]], [position[1]], [a], [b], [angle], 1.0, subpix=subpix)[0][0]


def gaussians(positions, fluxes, width=2.0):
    y, x = np.indices(SHAPE)
    profiles = [np.exp(-0.5 * ((x - u) ** 2 + (y - v) ** 2) / width**2) / (2 * np.pi * width**2) for u, v in positions]
    return np.reshape(fluxes, (-1, 1, 1)) * np.array(profiles)


POSITIONS = np.array([[15.3, 14.6], [19.0, 17.2], [24.5, 12.0]])
TRUE = gaussians(POSITIONS, [100.0, 40.0, 60.0])
FIELD = TRUE.sum(axis=0) + np.random.default_rng(1).normal(0, 0.05, SHAPE)
MODELS = gaussians(POSITIONS + 0.3, [110.0, 35.0, 55.0], width=2.2)


@pytest.fixture(scope="module")
def weights():
    return np.asarray(aperture_weights(POSITIONS, 4.0, g=[0.2, -0.1], shape=SHAPE))


def test_fluxes_are_those_of_sep():
    image = np.random.default_rng(2).normal(1, 1, SHAPE)
    positions, radii, g = ellipses(20)
    weights = np.asarray(aperture_weights(positions, radii, g=g, shape=SHAPE))
    expected = [sep_flux(image, *ellipse) for ellipse in zip(positions, radii, g, strict=True)]
    np.testing.assert_allclose((weights * image).sum(axis=(1, 2)), expected, rtol=1e-4, atol=1e-4)


def test_areas_are_exact_in_double_precision():
    positions, radii, g = ellipses(20, seed=3)
    with jax.enable_x64(True):
        weights = np.asarray(aperture_weights(positions, radii, g=g, shape=SHAPE))
    expected = [sep_flux(np.ones(SHAPE), *ellipse) for ellipse in zip(positions, radii, g, strict=True)]
    np.testing.assert_allclose(weights.sum(axis=(1, 2)), expected, rtol=1e-11)
    assert (weights >= 0).all()
    assert (weights <= 1).all()


@pytest.mark.parametrize(("position", "radius"), [((10.0, 10.0), 0.5), ((10.5, 10.5), 0.5), ((10.0, 10.0), 5.5)])
def test_edges_that_touch_pixels_are_right(position, radius):
    weights = np.asarray(aperture_weights(position, radius, shape=SHAPE))
    assert (weights[:, 20:] == 0).all()
    np.testing.assert_allclose(weights.sum(), np.pi * radius**2, rtol=1e-5)


def test_an_elongated_aperture_lies_along_its_ellipticity():
    y, x = np.indices(SHAPE)
    x, y = x - 20, y - 15
    for g, along, across in (((0.5, 0), x, y), ((-0.5, 0), y, x), ((0, 0.5), x + y, x - y), ((0, -0.5), x - y, x + y)):
        weights = np.asarray(aperture_weights((20, 15), 4.0, g=g, shape=SHAPE))
        # Axes of an ellipse of |g| = 0.5 are in the ratio of 3.
        np.testing.assert_allclose((weights * along**2).sum() / (weights * across**2).sum(), 9, rtol=0.1)


def test_the_four_fluxes_are_those_of_sep(weights):
    fluxes = aperture_fluxes(MODELS, TRUE, field=FIELD, weights=weights)
    for i, position in enumerate(POSITIONS):
        others = np.arange(3) != i
        images = {
            "model": MODELS[i],
            "measured": FIELD - MODELS[others].sum(axis=0),
            "true": TRUE[i],
            "ideal": FIELD - TRUE[others].sum(axis=0),
        }
        for name, image in images.items():
            expected = sep_flux(image, position, 4.0, [0.2, -0.1])
            np.testing.assert_allclose(getattr(fluxes, name)[i], expected, rtol=1e-5, err_msg=name)
    model, measured, true, ideal = (np.asarray(a) for a in fluxes)
    np.testing.assert_allclose(fluxes.honest(), model / true - 1, atol=1e-6)
    np.testing.assert_allclose(fluxes.honest_of_field(), measured / true - 1, atol=1e-6)
    np.testing.assert_allclose(fluxes.noise_preserving(), measured / ideal - 1, atol=1e-6)


def test_right_models_have_no_error(weights):
    fluxes = aperture_fluxes(TRUE, TRUE, field=FIELD, weights=weights)
    np.testing.assert_array_equal(fluxes.honest(), 0)
    np.testing.assert_array_equal(fluxes.noise_preserving(), 0)
    noise = weights * (FIELD - TRUE.sum(axis=0))
    np.testing.assert_allclose(fluxes.honest_of_field(), noise.sum(axis=(1, 2)) / fluxes.true, rtol=1e-3)


def test_half_a_flux_is_seen_by_the_honest_error_only(weights):
    wrong = TRUE * np.array([0.5, 1, 1])[:, None, None]
    fluxes = aperture_fluxes(wrong, TRUE, field=FIELD, weights=weights)
    np.testing.assert_allclose(fluxes.honest(), [-0.5, 0, 0], atol=1e-6)
    noise_preserving = fluxes.noise_preserving()
    np.testing.assert_allclose(noise_preserving[0], 0, atol=1e-6)  # its own flux cancels
    assert noise_preserving[1] > 0.1  # its neighbours get what it lost


def test_absent_sources_and_masked_pixels_change_nothing(weights):
    where = np.array([True, False, True, False, True])

    def padded(images):
        result = np.full((5, *images.shape[1:]), np.nan)
        result[where] = images
        return result

    dead = np.zeros(SHAPE, bool)
    dead[12, 14] = dead[0, 0] = True
    position = np.where(where[:, None], padded(POSITIONS), np.nan)
    padded_weights = ~dead * np.asarray(aperture_weights(position, 4.0, g=[0.2, -0.1], shape=SHAPE, where=where))
    field = np.where((padded_weights == 0).all(axis=0), np.nan, FIELD)
    fluxes = aperture_fluxes(padded(MODELS), padded(TRUE), field=field, weights=padded_weights, where=where)
    expected = aperture_fluxes(MODELS, TRUE, field=FIELD, weights=weights * ~dead)
    np.testing.assert_allclose(np.array(fluxes)[:, where], np.array(expected), rtol=1e-6)
    errors = (fluxes.honest(), fluxes.honest_of_field(), fluxes.noise_preserving())
    assert np.isnan(np.array([*fluxes, *errors])[:, ~where]).all()
    assert (padded_weights[~where] == 0).all()


def test_noise_below_zero_is_no_silent_number(weights):
    fluxes = aperture_fluxes(MODELS, TRUE, field=FIELD - 10, weights=weights)
    assert (np.asarray(fluxes.ideal) < 0).all()
    error = np.asarray(fluxes.measured) - np.asarray(fluxes.ideal)
    np.testing.assert_array_equal(fluxes.noise_preserving(), np.copysign(np.inf, error))


def test_batches_are_loops(weights):
    bands = np.array([1.0, 2.0, 0.5])[:, None, None, None]
    fields, models, truths = bands[:, 0] * FIELD, bands * MODELS, bands * TRUE

    def measure(models, truths, field):
        return aperture_fluxes(models, truths, field=field, weights=weights)

    looped = [measure(*band) for band in zip(models, truths, fields, strict=True)]
    batched = jax.jit(measure)(models, truths, fields)
    np.testing.assert_allclose(np.array(batched), np.array(looped).swapaxes(0, 1), rtol=1e-5)
    positions, radii, g = ellipses(4)

    def weigh(position, radius, g):
        return aperture_weights(position, radius, g=g, shape=SHAPE)

    one = [weigh(*ellipse) for ellipse in zip(positions, radii, g, strict=True)]
    for run in (weigh, jax.jit(jax.vmap(weigh))):
        np.testing.assert_allclose(run(positions, radii, g), one, atol=1e-5)


def test_wrong_ellipses_are_nan_inside_jit():
    weigh = jax.jit(lambda radius, g: aperture_weights((5.0, 5.0), radius, g=g, shape=(9, 9)))
    assert np.isnan(np.asarray(weigh(-1.0, np.zeros(2)))).all()
    assert np.isnan(np.asarray(weigh(1.0, np.array([0.8, 0.7])))).all()


def test_what_does_not_fit_is_refused(weights):
    with pytest.raises(ValueError, match=r"position must be \(..., 2\)"):
        aperture_weights([1.0, 2.0, 3.0], 1.0, shape=SHAPE)
    with pytest.raises(ValueError, match=r"radius must be positive.*1 of 2"):
        aperture_weights([1.0, 2.0], [1.0, -1.0], shape=SHAPE)
    with pytest.raises(ValueError, match=r"\|g\| must be below 1"):
        aperture_weights([1.0, 2.0], 1.0, g=[0.8, 0.7], shape=SHAPE)
    with pytest.raises(ValueError, match="one number of apertures"):
        aperture_weights(np.ones((3, 2)), np.ones(2), shape=SHAPE)
    with pytest.raises(ValueError, match="field must be"):
        aperture_fluxes(MODELS, TRUE, field=FIELD[1:], weights=weights)
    with pytest.raises(ValueError, match=r"weights must be \(3, 30, 40\)"):
        aperture_fluxes(MODELS, TRUE, field=FIELD, weights=np.ones((2, *SHAPE)))
    with pytest.raises(ValueError, match="weights is NaN or infinite"):
        aperture_fluxes(MODELS, TRUE, field=FIELD, weights=np.where(weights == weights.max(), np.nan, weights))
    with pytest.raises(ValueError, match="field is NaN"):
        aperture_fluxes(MODELS, TRUE, field=np.where(TRUE[0] > 1, np.nan, FIELD), weights=weights)
