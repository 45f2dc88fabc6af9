"""Fits of three galaxies in three bands: one, a few in a batch, and a frame that is searched for sources."""

import jaxblend as jb


def test_fit(timed, blends):
    one = blends[0]
    timed(lambda: jb.fit(one.observation, one.positions), lambda fit: fit.outcome is not jb.Outcome.FAILED)


def test_fit_batch(timed, blends):
    observations, positions = [b.observation for b in blends], [b.positions for b in blends]
    timed(lambda: jb.fit_batch(observations, positions), lambda fits: len(fits) == len(blends))


def test_catalog(timed, blends):
    one = blends[0]
    timed(lambda: jb.fit(one.observation, one.positions).catalog, lambda catalog: len(catalog) == len(one.positions))


def test_detect(timed, blends):
    timed(lambda: jb.detect(blends[0].observation), lambda found: len(found) > 0, rounds=10)
