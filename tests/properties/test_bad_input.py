"""Whatever arrays an Observation is given, it refuses, warns or holds finite numbers; NaN never passes in silence."""

import warnings

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxblend.errors import JaxblendWarning
from jaxblend.forward.galaxies import Exponential
from jaxblend.forward.likelihood import Exposure, weighted_residual
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.forward.scene import Sources

SHAPE = (2, 6, 8)
PSF = GaussianPSF(0.7)
SHAPES = st.sampled_from(
    [(), (1,), (2,), (3,), (6, 8), (8, 6), (2, 1, 1), (2, 6, 8), (1, 6, 8), (2, 6, 7), (1, 2, 6, 8), (0,)]
)
ORDINARY = st.floats(-10, 10, width=32)
ODD = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e300, 1e38, 1e20, 5e-324])


def arrays(shapes, elements):
    return shapes.flatmap(lambda shape: hnp.arrays(float, shape, elements=elements, fill=elements))


VALUES = arrays(SHAPES, ORDINARY | ODD)


def attempt(*args, **keywords):
    """The Observation and its warnings; None if it was refused with a message."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            observation = Observation(*args, pixel_scale=0.2, **keywords)
        except ValueError as error:
            assert len(str(error)) > 20  # noqa: PT017
            return None, []
    assert all(issubclass(w.category, JaxblendWarning) for w in caught), [str(w.message) for w in caught]
    return observation, [str(w.message) for w in caught]


def check(observation):
    """Everything that a likelihood computes from it is finite."""
    assert np.isfinite(observation.image).all()
    assert np.isfinite(observation.weight).all()
    assert (observation.weight >= 0).all()
    assert (observation.weight > 0).any()
    exposure, bands = Exposure.of(observation), observation.n_bands
    flux = jnp.ones((1, 1, bands))
    one = Sources(jnp.zeros((1, 2)), jnp.array([[-1.0, 0.1, 0.0]]), flux, jnp.ones(1, bool), Exponential())
    assert np.isfinite(weighted_residual(one, exposure)).all()


@given(VALUES)
def test_any_image(image):
    observation, messages = attempt(image, 1.0, PSF)
    if observation is not None:
        check(observation)
        with np.errstate(over="ignore"):
            unusable = not np.isfinite(image.astype(np.float32)).all()
        assert bool(messages) == unusable


@given(VALUES, st.booleans())
def test_any_weight_or_variance(value, is_variance):
    image = np.ones(SHAPE)
    observation, messages = attempt(image, None if is_variance else value, PSF, variance=value if is_variance else None)
    if observation is not None:
        check(observation)
        if not is_variance and not np.isfinite(value).all():
            assert messages


@given(arrays(SHAPES, st.integers(-1, 3)) | hnp.arrays(bool, (6, 8)))
def test_any_mask(mask):
    mask = mask if mask.dtype == bool else mask.astype(int)
    observation, _ = attempt(np.ones(SHAPE), 1.0, PSF, mask=mask)
    if observation is not None:
        check(observation)
        assert (observation.weight[np.broadcast_to(mask != 0, SHAPE)] == 0).all()


@settings(max_examples=50)
@given(
    arrays(st.sampled_from([(5, 5), (2, 5, 5), (3, 5, 5), (4, 6), (1, 1), (0, 3), (7,), (2, 2, 5, 5)]), ORDINARY | ODD)
)
def test_any_psf(psf):
    observation, messages = attempt(np.ones(SHAPE), 1.0, psf)
    if observation is not None:
        assert np.isfinite(observation.psf.transfer(observation.frame)).all()
        sums = psf.sum((-2, -1))
        assert messages or np.all((sums > 0.8) & (sums < 1.1))


@settings(max_examples=50)
@given(
    st.floats() | st.integers(-3, 3) | st.text(max_size=3) | st.none(),
    st.sampled_from([2.0, 1, 3.7, 0.0, -1.0, 0.99, 1e6, 1e300, np.nan, np.inf, "2", None]),
)
def test_any_pixel_scale_and_padding(scale, padding):
    try:
        observation = Observation(np.ones(SHAPE), 1.0, GaussianPSF(1.0), pixel_scale=scale, padding=padding)
    except ValueError as error:
        assert len(str(error)) > 20  # noqa: PT017
    else:
        assert observation.frame.padded >= observation.shape
