"""What a population is learned from."""

import jax
import numpy as np
import pytest

from jaxblend.train.coupling import BROAD, with_broad


def test_a_share_of_the_galaxies_follows_no_relations():
    related = np.full((300, 3), 7.0)
    related[:, 1] = np.arange(300)
    both = np.asarray(with_broad(jax.numpy.asarray(related), jax.random.key(0)))
    own = both[:, 0] == 7
    assert sorted(both[own, 1]) == sorted(related[:, 1])
    assert np.mean(~own) == pytest.approx(BROAD, abs=0.01)
    broad = both[~own]
    assert np.abs(broad.mean(0)).max() < 4 / np.sqrt(len(broad))
    np.testing.assert_allclose(broad.std(0), 1, atol=4 / np.sqrt(2 * len(broad)))
    assert own[:100].any()
    assert (~own[:100]).any()
