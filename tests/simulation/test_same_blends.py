"""A key has always meant the same blend: these are of the version before there were layouts."""

import jax
import numpy as np

from jaxblend.io.surveys import get_survey
from jaxblend.simulation.blend import simulate_blends

ROWS = [[110, 30, 149, 4], [102, 173, 233]]
OFFSETS = [
    [
        [1.2047619364627158, -0.7364456004116339],
        [-0.21757711075337394, 0.8713080073460051],
        [-0.7777138550957293, 0.4380822938662572],
        [0.4879635393281738, 1.030277329817309],
    ],
    [
        [-0.2676673900179072, 0.06892764953287278],
        [-0.38621041007657086, -0.2874548349294277],
        [-1.2585708648803116, -0.9615082227965767],
    ],
]
COUNTS = [[25812, 26019, 26495, 26799], [29896, 29739, 28317, 27055]]  # electrons of sources, sky and noise


def test_a_key_means_the_blend_that_it_always_meant():
    survey = get_survey("LSST", bands="gri")
    blends = simulate_blends(survey, 2, key=jax.random.key(3), stamp_size=24, max_offset=1.5)
    for blend, rows, offsets, counts in zip(blends, ROWS, OFFSETS, COUNTS, strict=True):
        assert list(blend.truth["catalog_row"]) == rows
        np.testing.assert_allclose(blend.offsets, offsets, rtol=1e-12)
        np.testing.assert_allclose(blend.observation.image[0, 12, 10:14] + survey.sky_level[0], counts, atol=0.01)
