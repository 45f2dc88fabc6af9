import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxblend.metrics.photometry import (
    colour_residual,
    flux_conservation,
    flux_residual,
    magnitude_residual,
    residual_summary,
)

RNG = np.random.default_rng(0)
TRUE = RNG.lognormal(3, 1, (7, 5, 3))
FLUX = TRUE * RNG.normal(1.02, 0.1, TRUE.shape)
WHERE = RNG.random(TRUE.shape) < 0.7


def test_errors_are_what_their_formulas_say():
    np.testing.assert_allclose(flux_residual(FLUX, TRUE), FLUX / TRUE - 1, atol=1e-6)
    magnitude, true_magnitude = (-2.5 * np.log10(a) for a in (FLUX, TRUE))
    np.testing.assert_allclose(magnitude_residual(FLUX, TRUE), magnitude - true_magnitude, atol=1e-5)
    colour, true_colour = (a[..., :-1] - a[..., 1:] for a in (magnitude, true_magnitude))
    np.testing.assert_allclose(colour_residual(FLUX, TRUE), colour - true_colour, atol=1e-5)


@pytest.mark.parametrize("residual", [flux_residual, magnitude_residual, colour_residual])
def test_right_fluxes_have_no_error(residual):
    assert (np.asarray(residual(TRUE, TRUE)) == 0).all()


def test_half_a_flux_is_seen():
    np.testing.assert_allclose(flux_residual(TRUE / 2, TRUE), -0.5, rtol=1e-6)
    np.testing.assert_allclose(magnitude_residual(TRUE / 2, TRUE), 2.5 * np.log10(2), rtol=1e-5)
    np.testing.assert_allclose(colour_residual(TRUE * [0.5, 1, 1], TRUE)[..., 0], 2.5 * np.log10(2), rtol=1e-4)
    assert residual_summary(flux_residual(TRUE / 2, TRUE), limit=0.4).outliers == 1
    np.testing.assert_allclose(flux_conservation(TRUE / 2, TRUE), 0.5, rtol=1e-6)


def test_where_there_is_no_flux_errors_are_infinite_by_rule():
    flux, true = np.array([2.0, 0.0, -1.0, 0.0, -1.0]), np.array([0.0, 3.0, 3.0, 0.0, 0.0])
    np.testing.assert_array_equal(flux_residual(flux, true), np.array([np.inf, -1, -4 / 3, 0, -np.inf], np.float32))
    np.testing.assert_array_equal(magnitude_residual(flux, true), [-np.inf, np.inf, np.inf, 0, 0])
    pairs = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(colour_residual(pairs, np.ones_like(pairs))[:, 0], [np.inf, -np.inf, np.inf])


def test_what_does_not_count_changes_nothing():
    spoiled = np.where(WHERE, FLUX, np.nan), np.where(WHERE, TRUE, -np.inf)
    for residual in (flux_residual, magnitude_residual, colour_residual):
        good = np.asarray(residual(*spoiled, where=WHERE))
        counts = WHERE if residual is not colour_residual else WHERE[..., :-1] & WHERE[..., 1:]
        np.testing.assert_array_equal(good[counts], np.asarray(residual(FLUX, TRUE))[counts])
        assert np.isnan(good[~counts]).all()
    np.testing.assert_array_equal(
        flux_conservation(*spoiled, where=WHERE), flux_conservation(FLUX * WHERE, TRUE * WHERE, where=WHERE)
    )


def test_summary_is_that_of_numpy_and_scipy():
    rng = np.random.default_rng(1)
    residual = rng.normal(0.1, 1, (7, 5, 3))
    summary = residual_summary(residual, limit=1.5, where=WHERE, axis=(0, 1))
    for band in range(3):
        used = residual[..., band][WHERE[..., band]]
        expected = {
            "count": len(used),
            "infinite": 0,
            "median": np.median(used),
            "mean": used.mean(),
            "scatter": used.std(),
            "nmad": stats.median_abs_deviation(used, scale="normal"),
            "outliers": (np.abs(used) > 1.5).mean(),
            "mean_absolute": np.abs(used).mean(),
            "median_absolute": np.median(np.abs(used)),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(summary, name)[band], value, rtol=1e-4, err_msg=name)


def test_infinite_errors_count_as_outliers_and_move_the_median_only():
    residual = np.array([0.0, 0.1, 0.2, np.inf, np.inf])
    summary = residual_summary(residual, limit=0.5)
    np.testing.assert_allclose(summary.median, 0.2)
    np.testing.assert_allclose(summary.nmad, 1.4826 * 0.2, rtol=1e-6)
    np.testing.assert_allclose(summary.mean, 0.1, rtol=1e-6)
    np.testing.assert_allclose(summary.scatter, np.std([0.0, 0.1, 0.2]), rtol=1e-5)
    assert (summary.count, summary.infinite, summary.outliers) == (5, 2, np.float32(0.4))
    most = residual_summary([np.inf, np.inf, 0.0], limit=0.5)
    assert (most.median, most.nmad, most.mean) == (np.inf, np.inf, 0.0)


@pytest.mark.parametrize("nothing", [{"residual": []}, {"residual": [0.3, 0.4], "where": [False, False]}])
def test_a_summary_of_nothing_is_nan(nothing):
    summary = residual_summary(**nothing, limit=1.0)
    assert (summary.count, summary.infinite) == (0, 0)
    assert np.isnan(np.array(summary[2:])).all()
    assert np.isnan(flux_conservation([1.0], [1.0], where=[False]))


def test_conservation_sees_the_sum_alone():
    swapped = TRUE[:, ::-1]
    np.testing.assert_allclose(flux_conservation(swapped, TRUE, axis=1), 1, rtol=1e-6)
    left = TRUE.sum(axis=1) - FLUX.sum(axis=1)
    np.testing.assert_allclose(flux_conservation(FLUX, TRUE, residual=left, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(flux_conservation([[1.0], [0.0]], np.zeros((2, 1))), [np.inf, 1])


def test_jit_and_vmap_give_the_same():
    def everything(flux, true, where):
        relative = flux_residual(flux, true, where=where)
        return (
            residual_summary(relative, limit=0.1, where=where, axis=0),
            magnitude_residual(flux, true, where=where),
            colour_residual(flux, true, where=where),
            flux_conservation(flux, true, where=where, axis=0),
        )

    each = [everything(*row) for row in zip(FLUX, TRUE, WHERE, strict=True)]
    looped = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    batched = jax.jit(jax.vmap(everything))(FLUX, TRUE, WHERE)
    for one, other in zip(jax.tree.leaves(looped), jax.tree.leaves(batched), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_nan_inside_jit_is_no_number_outside():
    summary = jax.jit(lambda r: residual_summary(r, limit=0.5))(np.array([0.1, np.nan, 0.2]))
    assert np.isnan(np.array(summary[2:])).all()
    for residual in (flux_residual, magnitude_residual, colour_residual, flux_conservation):
        for flux, true in (([1.0, np.nan], [1.0, 0.0]), ([1.0, -1.0], [np.nan, np.nan])):
            assert np.isnan(jax.jit(residual)(np.array(flux), np.array(true))).any(), residual.__name__


def test_double_precision_is_kept():
    with jax.enable_x64(True):
        np.testing.assert_allclose(magnitude_residual(FLUX, TRUE), -2.5 * np.log10(FLUX / TRUE), rtol=0, atol=1e-14)
        assert residual_summary(FLUX, limit=1.0).median.dtype == np.float64


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="one shape"):
        flux_residual([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="true_flux is NaN or infinite in 1 of 2"):
        magnitude_residual([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(ValueError, match="two bands"):
        colour_residual([[1.0]], [[1.0]])
    with pytest.raises(ValueError, match=r"residual is NaN in 1 of 2.*same where"):
        residual_summary([np.nan, 0.1], limit=1.0)
    with pytest.raises(ValueError, match="residual must be one number per blend"):
        flux_conservation(np.ones((2, 3)), np.ones((2, 3)), residual=np.ones(3))
    with pytest.raises(ValueError, match="residual is NaN or infinite in 1 of 2"):
        flux_conservation(np.ones((2, 3)), np.ones((2, 3)), residual=np.array([0.0, np.nan]))


def test_errors_have_gradients_where_truths_are_nothing():
    flux, truth, where = jnp.array([2.0, 0.0, jnp.nan]), jnp.array([1.0, 0.0, 1.0]), jnp.array([True, True, False])
    slope = jax.grad(lambda f: jnp.nansum(flux_residual(f, truth, where=where)))(flux)
    np.testing.assert_allclose(slope[0], 1.0)
    assert np.isfinite(slope).all()
