"""Metrics of deblended images and of catalogues."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblend as jb
from jaxblend import metrics

ON_IMAGES = ("rmse", "psnr", "cosine_similarity", "ssim")


@pytest.fixture(scope="module")
def pair(blends):
    """Isolated images of one band (B, K, H, W), and the same with a little noise."""
    truth = np.stack([blend.isolated[:, 1] for blend in blends])
    return jnp.asarray(truth + np.random.default_rng(0).normal(size=truth.shape).astype(np.float32)), jnp.asarray(truth)


@pytest.mark.parametrize("name", ON_IMAGES)
def test_metric_of_images(timed, pair, name):
    call = jax.jit(getattr(metrics, name))
    timed(lambda: call(*pair), lambda value: bool(jnp.isfinite(value).all()), rounds=50)


def test_blendedness(timed, pair):
    call = jax.jit(metrics.blendedness)
    timed(lambda: call(pair[1]), lambda value: bool(jnp.isfinite(value).all()), rounds=50)


def test_evaluate(timed, blends, fits):
    timed(lambda: jb.evaluate(fits, blends), lambda found: len(found.sources) > 0, rounds=3)
