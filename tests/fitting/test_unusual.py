"""The flag of what the galaxy model or its prior does not describe."""

import numpy as np
import pytest

from jaxblend.fitting.unusual import latent_columns, unusual
from jaxblend.forward.free_form import FreeForm, Lattice
from jaxblend.forward.galaxies import BulgeDisk
from jaxblend.forward.mix import Mix
from jaxblend.priors.prior import parameter_names

SMALL = FreeForm(Lattice.of(3, spacing=0.8, reach=3.0, correlation=0.6, contrast=0.8))


MANY = np.full(3, 300.0)


def test_columns_are_those_of_each_latent_vector():
    names = parameter_names(SMALL, "gr")
    (columns,) = latent_columns(SMALL, 2)
    assert [names[i] for i in columns] == ["z0", "z1", "z2"]
    assert latent_columns(BulgeDisk(), 2) == []
    mix = Mix.of([SMALL, BulgeDisk()], slots=2)
    assert len(latent_columns(mix, 2)[0]) == 3


def test_misfit_and_improbable_latent_vectors_are_unusual():
    u = np.zeros((3, 5))
    u[2, 2:] = 2.5  # a squared length of 18.75; one in a thousand of three N(0, 1) is beyond 16.3
    assert unusual(np.array([1.0, 1.6, 1.0]), MANY, u, [np.array([2, 3, 4])]).tolist() == [False, True, True]
    u[2, 2:] = 2.2
    assert not unusual(np.ones(3), MANY, u, [np.array([2, 3, 4])]).any()


def test_one_in_a_thousand_galaxies_of_the_prior_has_it():
    u = np.random.default_rng(0).normal(size=(100_000, 8))
    share = unusual(np.ones(len(u)), np.full(len(u), 300.0), u, [np.arange(8)]).mean()
    assert abs(share - 1e-3) < 4e-4


@pytest.mark.parametrize("pixels", [12, 40, 400])
def test_noise_alone_is_hardly_ever_unusual(pixels):
    noise = np.random.default_rng(1).chisquare(pixels, 20_000) / pixels
    found = unusual(noise, np.full(len(noise), float(pixels)), np.zeros((len(noise), 2)), [])
    assert found.mean() < 1e-3
