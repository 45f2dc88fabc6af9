import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.metrics.checks import alike, booleans, check_axes, mask, real


def test_what_does_not_count_is_zero_whatever_it_holds():
    a, b, where = alike([True, False], a=[1.0, np.nan], b=np.ma.array([2.0, 3.0], mask=[False, True]))
    np.testing.assert_array_equal(a, [1.0, 0.0])
    np.testing.assert_array_equal(b, [2.0, 0.0])
    np.testing.assert_array_equal(where, [True, False])


def test_a_mask_broadcasts():
    _, where = alike(np.array([[True], [False]]), a=np.ones((2, 3)))
    np.testing.assert_array_equal(where, [[True] * 3, [False] * 3])
    assert mask(None, (2, 1)).all()


def test_the_precision_of_the_input_is_kept():
    with jax.enable_x64(True):
        dtypes = [real("a", value).dtype for value in (np.float32([1]), np.float64([1]), jnp.float32(1), [1], [True])]
    assert dtypes == ["float32", "float64", "float32", "float64", "float64"]
    assert real("a", np.arange(3)).dtype == jnp.float32


def test_inside_jit_only_shapes_are_seen():
    np.testing.assert_array_equal(jax.jit(lambda a: alike(a=a)[0])(np.array([1.0, np.nan])), [1.0, np.nan])
    with pytest.raises(ValueError, match="one shape"):
        jax.jit(lambda a: alike(a=a, b=np.ones(3)))(np.ones(2))


def test_gradients_know_nothing_of_what_does_not_count():
    def total(a):
        a, _ = alike(np.array([True, False]), a=a)
        return jnp.sum(a**2)

    np.testing.assert_array_equal(jax.grad(total)(jnp.array([3.0, jnp.nan])), [6.0, 0.0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"flux and true_flux must have one shape, got flux \(2,\), true_flux \(3,\)"):
        alike(flux=np.ones(2), true_flux=np.ones(3))
    with pytest.raises(ValueError, match=r"flux is NaN or infinite in 1 of 2 entries that count \(the first at \(2,\)"):
        alike([True, False, True], flux=[1.0, np.nan, np.inf])
    with pytest.raises(ValueError, match="array of real numbers"):
        alike(flux=["bright"])
    with pytest.raises(ValueError, match=r"booleans that broadcast to shape \(2,\)"):
        alike([True] * 3, flux=np.ones(2))
    with pytest.raises(ValueError, match="of int32"):
        alike(np.int32([1, 0]), flux=np.ones(2))
    with pytest.raises(ValueError, match=r"image must have the axes \(\.\.\., y, x\), got shape \(5,\)"):
        check_axes("image", (5,), "y, x")
    with pytest.raises(ValueError, match="mask must be booleans, got int32"):
        booleans("mask", np.int32([1, 0]))
