"""The loop over a frame, with a quick linear fit of Gaussians in place of the real one."""

import dataclasses
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from astropy.table import Table
from fake_fit import FakeFit, fake_fit

import jaxblend as jb
from jaxblend.fitting.prepare import default_prior
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.frames import deblend
from jaxblend.frames.source import sources_from_table
from jaxblend.frames.stars import stars_by_evidence
from jaxblend.infer.flags import Outcome
from jaxblend.priors import Population

SIGMA = 1.8
TRUTH = np.array([[20.0, 22.0], [27.0, 24.0], [80.3, 30.6], [40.2, 75.1]])
FLUX = np.array([900.0, 600.0, 500.0, 700.0])


@dataclasses.dataclass
class Placed(FakeFit):
    positions: np.ndarray
    log_evidence: float
    outcome: Outcome = Outcome.CONVERGED


@pytest.fixture
def calls(monkeypatch):
    seen = []

    def fit_batch(observations, positions, *, stars, model, prior, batch_size, on_error, progress):
        seen.append([(o.shape, s.copy(), prior) for o, s in zip(observations, stars, strict=True)])
        return [one(o, np.asarray(p), s) for o, p, s in zip(observations, positions, stars, strict=True)]

    def one(observation, positions, stars):
        fit = fake_fit(observation, positions, sigma=SIGMA)
        fit.catalog["radius"] = np.where(stars, 0.0, 0.05) * fit.catalog["radius"].unit
        fit.catalog["kind"] = np.where(stars, "star", "galaxy")
        return Placed(fit.observations, fit.catalog, fit.images, fit.chi2, positions, float(np.sum(stars)))

    monkeypatch.setattr(sys.modules["jaxblend.frames.deblend"], "fit_batch", fit_batch)
    return seen


@pytest.fixture
def observation():
    return observed(TRUTH, FLUX)


def observed(positions, fluxes):
    y, x = np.mgrid[:100, :120]
    light = sum(
        f * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / SIGMA**2) / (2 * np.pi * SIGMA**2)
        for (px, py), f in zip(positions, fluxes, strict=True)
    )
    image = np.stack([light, 2 * light]) + np.random.default_rng(0).normal(size=(2, 100, 120))
    return Observation(image, 1.0, GaussianPSF(SIGMA * 2.3548 * 0.2), pixel_scale=0.2, bands="ri")


def test_a_frame_gives_one_catalogue_in_its_own_pixels(calls, observation):
    scene = deblend(observation, stars=False)
    assert len(scene.catalog) == len(scene.images) == len(TRUTH)
    order = np.lexsort((scene.catalog["x"].value, scene.catalog["y"].value))
    np.testing.assert_allclose(scene.catalog["x"].value[order], TRUTH[[0, 1, 2, 3], 0], atol=0.5)
    np.testing.assert_allclose(scene.catalog["flux_i"].value[order], 2 * FLUX, rtol=0.1)
    assert scene.catalog["group"][order].tolist()[0] == scene.catalog["group"][order].tolist()[1]
    assert len(np.unique(scene.groups)) == 3
    assert scene.segmentation.max() == len(TRUTH)


def test_model_is_the_sum_of_the_images(calls, observation):
    scene = deblend(observation, stars=False)
    total = np.zeros_like(scene.model)
    for image, (rows, columns) in scene.images:
        total[:, rows, columns] += image
    np.testing.assert_allclose(scene.model, total, atol=1e-4)
    np.testing.assert_allclose(scene.residual, observation.image - total, atol=1e-4)


def test_what_was_not_given_is_found_in_the_residual(calls, observation):
    scene = deblend(observation, detections=TRUTH[[0, 2]], stars=False)
    assert len(scene.detections) == 2
    found = np.stack([scene.catalog["x"].value, scene.catalog["y"].value], 1)
    assert np.min(np.hypot(*(found - TRUTH[3]).T)) < 1
    assert len(deblend(observation, detections=TRUTH[[0, 2]], stars=False, search_again=False).catalog) == 2


def test_overlapping_groups_settle(calls):
    """Fitted all at once, each would take the light that the others have left, and lose it again."""
    where, flux = np.array([[40.0, 40.0], [42.0, 40.0], [41.0, 41.8]]), np.array([5000.0, 4000.0, 3000.0])
    crowd = observed(where, flux)
    options = {"detections": where, "max_group": 1, "search_again": False, "stars": False}
    few, many = (deblend(crowd, rounds=rounds, **options) for rounds in (3, 30))
    assert len(np.unique(many.groups)) == 3
    chi2 = [float(np.mean((crowd.image - scene.model)[:, 30:52, 30:52] ** 2)) for scene in (few, many)]
    assert chi2[1] < min(chi2[0], 1.3)
    np.testing.assert_allclose(many.catalog["flux_i"].value, 2 * flux, rtol=0.15)
    assert many.catalog["flux_i"].value.sum() == pytest.approx(2 * flux.sum(), rel=0.02)


def test_compact_sources_become_stars_where_the_evidence_says_so(calls, observation):
    scene = deblend(observation)
    assert set(scene.catalog["kind"]) == {"star"}
    assert set(deblend(observation, stars=False).catalog["kind"]) == {"galaxy"}


def test_in_one_blend_compact_sources_are_stars_only_where_the_evidence_grows(observation):
    """Sources 0 and 1 are compact; only as a star source 1 has more evidence."""
    asked = []

    def refit(stars):
        points = np.zeros(3, bool) if stars is None else stars
        asked.append(points.tolist())
        table = {"radius": np.where(points, 0.0, [0.01, 0.02, 0.9])}
        return SimpleNamespace(stars=points, catalog=Table(table), log_evidence=float(5 * points[1] - 3 * points[0]))

    fit, gains = stars_by_evidence(observation, refit)
    assert fit.stars.tolist() == [False, True, False]
    assert gains == {0: -3.0, 1: 5.0}
    assert asked == [[False, False, False], [True, False, False], [False, True, False]]


def test_an_empty_frame_is_an_empty_scene(calls, observation):
    scene = deblend(observation.replace(image=np.zeros_like(observation.image)))
    assert len(scene.catalog) == 0
    assert {"x", "y", "group"} <= set(scene.catalog.colnames)
    assert not scene.model.any()


def test_all_stamps_share_the_prior_of_the_frame(calls, observation):
    """Without zero points it depends on the depth, which a mask changes from stamp to stamp."""
    weight = observation.weight.copy()
    weight[:, :50] *= 9
    deblend(observation.replace(weight=weight), stars=False)
    priors = {id(prior) for call in calls for _, _, prior in call}
    assert len(priors) == 1


@pytest.mark.slow
def test_a_real_fit_without_a_zero_point_has_no_magnitudes(observation):
    y, x = slice(10, 42), slice(8, 40)
    scene = deblend(observation.cutout(y, x), rounds=1, search_again=False, stars=False)
    assert len(scene.catalog) == 2
    assert not [name for name in scene.catalog.colnames if name.startswith("mag")]
    order = np.argsort(scene.catalog["x"])
    np.testing.assert_allclose(scene.catalog["flux_r"][order] / FLUX[:2], 1, atol=0.15)
    assert set(scene.catalog["outcome"]) == {scene.fits[0].outcome.value}
    for row in range(2):
        errors = dict(zip(scene.quantity_names, np.sqrt(np.diagonal(scene.covariance(row))), strict=True))
        relative = scene.catalog["flux_r_err"][row] / scene.catalog["flux_r"][row]
        np.testing.assert_allclose(errors["log_flux_r"], relative)
        np.testing.assert_allclose(errors["radius"], scene.catalog["radius_err"][row].value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rounds": 0}, "rounds must be a whole number"),
        ({"max_group": 0}, "max_group must be"),
        ({"batch_size": -1}, "batch_size must be"),
        ({"residual_snr": np.nan}, "residual_snr must be a positive"),
        ({"detections": [1.0, 2.0]}, r"detections must be \(n, 2\)"),
        ({"detections": [[np.nan, 2.0]]}, "not finite"),
        ({"detections": [[5.0, 5.0], [300.0, 2.0]]}, r"detections \[1\] are not in the image of 120 x 100"),
        ({"detections": Table({"x": [1.0, np.nan], "y": [1.0, 2.0]})}, r"detections \[1\] are not in the image"),
        ({"detections": Table({"ra": [1.0]})}, "need columns x and y"),
    ],
)
def test_wrong_settings_are_refused(calls, observation, settings, message):
    with pytest.raises(ValueError, match=message):
        deblend(observation, **settings)


def test_a_population_is_that_of_every_stamp(calls, observation):
    deblend(observation, stars=False, population=Population(magnitude=19.0), position_scatter=0.05)
    prior = calls[0][0][2]
    typical = prior.physical(jax.numpy.zeros(prior.size))
    other = default_prior((observation,), jb.BulgeDisk()).physical(jax.numpy.zeros(prior.size))
    np.testing.assert_allclose(typical[2:4] - other[2:4], 0.4 * np.log(10) * (24.0 - 19.0), rtol=1e-4)
    with pytest.raises(ValueError, match="give prior, or population"):
        deblend(observation, prior=prior, population=Population())


def test_given_positions_take_the_outline_of_what_is_detected_there(calls, observation):
    """Else a stamp of the PSF's size would be fitted, with a bright neighbour's light in it."""
    found = Table({"x": [20.0], "y": [22.0], "a": [6.0], "b": [3.0], "theta": [0.0], "npix": [90]})
    given = Table({"x": [24.0, 60.0], "y": [22.0, 60.0]})
    near, far = sources_from_table(given, 4.0, detected=found)
    np.testing.assert_allclose(near.footprint, [6.0 * np.sqrt(90 / (18 * np.pi)), 3.0 * np.sqrt(90 / (18 * np.pi)), 0])
    np.testing.assert_allclose(far.footprint, [2.0, 2.0, 0.0])
    deblend(observation, detections=TRUTH, stars=False, search_again=False)
    assert max(len(stars) for _, stars, _ in calls[0]) == 2  # the two that overlap are fitted together


def test_given_outlines_are_not_looked_for_again(calls, observation, monkeypatch):
    module = sys.modules["jaxblend.frames.deblend"]
    outlines, asked = module.detect(observation), []
    monkeypatch.setattr(module, "detect", lambda given: asked.append(given) or outlines)
    scene = deblend(observation, detections=outlines, stars=False, search_again=False)
    assert len(scene.catalog) == len(outlines)
    assert asked == []
    deblend(observation, detections=outlines["x", "y"], stars=False, search_again=False)
    assert len(asked) == 1
