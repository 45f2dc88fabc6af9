"""Simulated blends, a batch of them, by both backends."""

import jax
import pytest

import jaxblend as jb

BATCH = 16


@pytest.mark.parametrize("tables", [False, True], ids=["images", "images and truth"])
@pytest.mark.parametrize("backend", ["galsim", "device"])
def test_simulate_blends(timed, survey, options, backend, tables):
    def simulate():
        blends = list(jb.simulate_blends(survey, BATCH, key=jax.random.key(3), backend=backend, **options))
        return [blend.truth if tables else blend.isolated for blend in blends]

    timed(simulate, lambda made: len(made) == BATCH, rounds=3)


def test_draw_blends(timed, survey):
    sampler = jb.BlendSampler.of(survey, max_sources=3, stamp_size=48)
    timed(lambda: jb.draw_blends(sampler, BATCH, key=jax.random.key(4)), lambda blends: len(blends.image) == BATCH)
