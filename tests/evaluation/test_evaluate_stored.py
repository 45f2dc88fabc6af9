import jax
import numpy as np
import pytest
from hand_made import numbers, perfect

import jaxblend as jb
from jaxblend.io import BlendFile, StoredBlend, write_blends


def test_stored_blends_are_evaluated_as_those_that_were_drawn(blends, tmp_path):
    path = write_blends(blends, tmp_path / "blends.h5")
    with BlendFile(path) as stored:
        ours = numbers(jb.evaluate(perfect(blends), stored, n_bootstrap=2))
    theirs = numbers(jb.evaluate(perfect(blends), blends, n_bootstrap=2))
    assert ours == pytest.approx(theirs, nan_ok=True)
    assert ours["cosine_mean"] == pytest.approx(1)


def test_the_shear_of_a_stored_blend_is_known(tmp_path):
    survey = jb.get_survey("LSST", bands="r")
    shears = np.array([[0.02, 0.0], [0.0, -0.01]])
    options = {"n_sources": 1, "stamp_size": 24, "shear": shears}
    drawn = list(jb.simulate_blends(survey, 3, key=jax.random.key(0), **options))
    with BlendFile(write_blends(drawn, tmp_path / "blends.h5")) as stored:
        sources = jb.evaluate(perfect(drawn), list(stored), n_bootstrap=2).sources
    np.testing.assert_allclose(sources["shear_g1"], [blend.truth.meta["shear"]["g1"] for blend in drawn])


def test_a_stored_blend_without_its_truth_is_refused(blends):
    stored = StoredBlend(blends[0].observation)
    with pytest.raises(ValueError, match="truth 0 is a stored blend without its table"):
        jb.evaluate(perfect(blends[:1]), stored)
