"""What a scene knows of the fits of its groups."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from fake_fit import fake_fit

from jaxblend.fitting.prepare import default_prior
from jaxblend.forward.galaxies import Sersic
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.frames.assemble import assemble
from jaxblend.frames.source import Fitted, FrameSource
from jaxblend.infer.flags import Outcome
from jaxblend.io.tables import read_table, write_table

Q = 8  # u, v, two fluxes, radius, g1, g2, bulge fraction


@pytest.fixture
def observation():
    image = np.random.default_rng(0).normal(size=(2, 40, 50))
    return Observation(image, 1.0, GaussianPSF(1.0), pixel_scale=0.2, bands="ri", zero_point=[27.0, 27.5], survey="HSC")


def put_together(observation, sources, detections):
    prior = default_prior((observation,), Sersic())
    return assemble(observation, sources, detections, model=Sersic(), prior=prior)


def group(observation, positions, stamp, outcome, first):
    """A fit whose covariance counts up from ``first``."""
    fit = fake_fit(observation.cutout(*stamp), np.asarray(positions) - (stamp[1].start, stamp[0].start))
    size = len(positions) * Q
    covariance = first + np.arange(size**2, dtype=float).reshape(size, size)
    return SimpleNamespace(catalog=fit.catalog, images=fit.images, covariance=covariance, outcome=outcome)


def source(fit, row, stamp):
    x, y = (fit.catalog[name][row].value + part.start for name, part in zip("xy", stamp[::-1], strict=True))
    position = np.array([x, y])
    outline, reach = np.array([2.0, 2.0, 0.0]), np.full(2, 5.0)
    return FrameSource(position, position, outline, reach, fitted=Fitted(fit, row, fit.images[row], stamp))


@pytest.fixture
def scene(observation):
    """Three sources: the first and the last are rows 1 and 0 of one fit, the one between is alone."""
    left, right = (slice(0, 24), slice(2, 26)), (slice(10, 34), slice(24, 48))
    pair = group(observation, [[8.0, 9.0], [14.0, 12.0]], left, Outcome.CONVERGED, 0.0)
    alone = group(observation, [[35.0, 20.0]], right, Outcome.MAX_STEPS, 1e6)
    sources = [source(pair, 1, left), source(alone, 0, right), source(pair, 0, left)]
    return put_together(observation, sources, Table({"x": [14.0, 35.0, 8.0], "y": [12.0, 20.0, 9.0]}))


def test_rows_of_the_catalogue_lead_to_rows_of_fits(scene):
    assert scene.groups.tolist() == scene.catalog["group"].tolist() == [0, 1, 0]
    assert scene.rows.tolist() == [1, 0, 0]
    assert len(scene.fits) == 2
    for i, (number, row) in enumerate(zip(scene.groups, scene.rows, strict=True)):
        fitted = scene.fits[number].catalog[int(row)]
        assert scene.catalog["flux_r"][i] == fitted["flux_r"]
        assert scene.catalog["x"][i] == fitted["x"] + scene.images[i][1][1].start * fitted["x"].unit


def test_the_covariance_of_a_source_is_its_block_of_its_groups(scene):
    assert scene.quantity_names == ("u", "v", "log_flux_r", "log_flux_i", "radius", "g1", "g2", "bulge_fraction")
    np.testing.assert_array_equal(scene.covariance(0), scene.fits[0].covariance[Q:, Q:])
    np.testing.assert_array_equal(scene.covariance(1), scene.fits[1].covariance)
    np.testing.assert_array_equal(scene.covariance(np.int64(2)), scene.fits[0].covariance[:Q, :Q])
    with pytest.raises(IndexError):
        scene.covariance(3)


def test_every_source_says_how_its_fit_ended(scene):
    assert [Outcome(text) for text in scene.catalog["outcome"]] == [
        Outcome.CONVERGED,
        Outcome.MAX_STEPS,
        Outcome.CONVERGED,
    ]


def test_chi2_is_that_of_the_usable_pixels(observation):
    """Twice the noise in half of a band, and a bad pixel; the other band is masked."""
    image, weight = observation.image.copy(), observation.weight.copy()
    image[0, :20] *= 2
    weight[0, :20], weight[0, 30, 7], weight[1] = 0.25, 0, 0
    image[0, 30, 7] = 1e6
    nothing = Table({"x": np.zeros(0), "y": np.zeros(0)})
    empty = put_together(observation.replace(image=image, weight=weight), [], nothing)
    noise = observation.image[0] ** 2
    np.testing.assert_allclose(empty.chi2[0], (noise.sum() - noise[30, 7]) / (noise.size - 1), rtol=1e-5)
    assert np.isnan(empty.chi2[1])
    assert empty.fits == []
    assert empty.rows.shape == empty.groups.shape == (0,)


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet"])
@pytest.mark.parametrize("empty", [False, True])
def test_the_catalogue_says_how_it_was_made_in_every_format(tmp_path, scene, suffix, empty):
    """A frame without sources, too; what concerns one group alone is not in it."""
    if empty:
        scene = put_together(scene.observation, [], scene.detections[:0])
    again = read_table(write_table(scene.catalog, tmp_path / f"c.{suffix}"))
    assert again.meta == scene.catalog.meta
    assert len(again) == (0 if empty else 3)
    assert {"x", "y", "flux_r", "group", "outcome"} <= set(again.colnames)
    found = {name: again.meta[name] for name in ("survey", "bands", "model", "reference_band", "zero_point")}
    assert found == {
        "survey": "HSC",
        "bands": ["r", "i"],
        "model": "Sersic",
        "reference_band": "r",
        "zero_point": {"r": 27.0, "i": 27.5},
    }
    assert again.meta["pixel_scale"] == [0.2]
    assert again.meta["prior"]["dv"]["p84"] == 0.2
    assert not {"outcome", "chi2_per_pixel", "log_evidence", "config"} & set(again.meta)
