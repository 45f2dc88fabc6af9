import numpy as np
import pytest

import jaxblend as jb
from jaxblend.infer.flags import Flag, Outcome


@pytest.fixture(scope="module")
def fitted(blend):
    obs, positions, _, stars = blend
    return jb.fit(obs, positions + np.array([0.6, -0.5]), stars=stars)


def test_recovers_fluxes_within_their_errors_from_a_crude_start(fitted, blend):
    _, positions, fluxes, _ = blend
    assert fitted.outcome is Outcome.CONVERGED
    table = fitted.catalog
    for c, band in enumerate("ri"):
        pull = (table[f"flux_{band}"] - fluxes[:, c]) / table[f"flux_{band}_err"]
        assert np.abs(pull).max() < 4
    assert np.abs(fitted.positions - positions).max() < 0.3
    np.testing.assert_allclose(fitted.chi2, 1.0, atol=0.12)


def test_error_of_an_isolated_stars_flux_is_the_matched_filters(fitted, blend):
    obs, _, _, _ = blend
    power = (np.asarray(obs.psf.image[0], float) ** 2).sum()
    expected = 1 / np.sqrt(power)  # noise 1
    assert 0.95 < fitted.catalog["flux_r_err"][2] / expected < 1.5


def test_images_add_up_and_keep_the_shape_of_the_stamp(fitted, blend):
    obs = blend[0]
    assert fitted.images.shape == (3, 2, 32, 40)
    np.testing.assert_allclose(fitted.model + fitted.residual, obs.image, atol=1e-3)


@pytest.mark.slow
def test_a_blend_does_not_feel_its_batch(fitted, blend):
    obs, positions, _, stars = blend
    start = positions + np.array([0.6, -0.5])
    other = obs.replace(image=obs.image[:, ::-1].copy())
    batch = jb.fit_batch([other, obs, other], [start[:2], start, start], stars=[stars[:2], stars, stars], batch_size=4)
    np.testing.assert_allclose(batch[1].quantities, fitted.quantities, rtol=2e-3, atol=2e-3)
    assert batch[0].n == 2


def test_bad_items_are_flagged_and_the_rest_go_on(blend):
    obs, positions, _, stars = blend
    weight = obs.weight.copy()
    weight[:, 5:14, 24:33] = 0  # the star is masked
    masked = obs.replace(weight=weight)
    fits = jb.fit_batch([masked, obs], [positions, positions], stars=[stars, stars], batch_size=4)
    assert fits[0].flags[2] & Flag.MASKED
    assert not fits[1].flags[2] & (Flag.MASKED | Flag.FAILED)
    for fit in fits:
        for name in fit.catalog.colnames:
            if name != "kind":
                assert np.isfinite(np.asarray(fit.catalog[name], float)).all(), name


def test_images_can_be_let_go(blend):
    obs, positions, _, stars = blend
    fit = jb.fit_batch(iter([obs]), iter([positions]), stars=[stars], keep_observations=False)[0]
    assert fit.observations == ()
    assert len(fit.catalog) == 3
    with pytest.raises(ValueError, match="keep_observations"):
        _ = fit.images


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([], "empty"),
        ([1.0, 2.0], r"must be \(n, 2\)"),
        ([[np.nan, 2.0]], "not finite"),
        ("somewhere", "array of real numbers"),
    ],
)
def test_wrong_positions_are_refused(blend, positions, message):
    with pytest.raises(ValueError, match=message):
        jb.fit(blend[0], positions)


def test_numbers_that_differ_are_refused(blend):
    obs, positions, _, stars = blend
    with pytest.raises(ValueError, match="differ in number"):
        jb.fit_batch([obs, obs], [positions])
    with pytest.raises(ValueError, match="stars must be 3 booleans"):
        jb.fit(obs, positions, stars=stars[:2])


def test_flags_decode():
    assert jb.decode_flags(0) == []
    assert jb.decode_flags(4 + 32) == ["outside", "second_mode"]
    with pytest.raises(ValueError, match="sum of"):
        jb.decode_flags(1 << 20)


def test_a_star_has_more_evidence_as_a_star(blend):
    obs, positions, _, stars = blend
    as_star = jb.fit(obs, positions, stars=stars)
    as_galaxy = jb.fit(obs, positions)
    assert as_star.log_evidence > as_galaxy.log_evidence


def test_a_wrong_blend_is_flagged_and_the_rest_go_on(blend):
    obs, positions, _, stars = blend
    wrong = np.array([[np.nan, 3.0], [5.0, 5.0], [6.0, 6.0]])
    arguments = ([obs, obs], [positions, wrong]), {"stars": [stars, stars], "batch_size": 4}
    with pytest.warns(jb.JaxblendWarning, match=r"blend 1: positions of sources \[0\] are not finite.*the rest go on"):
        good, bad = jb.fit_batch(*arguments[0], **arguments[1])
    assert good.outcome is jb.Outcome.CONVERGED
    assert bad.outcome is jb.Outcome.FAILED
    assert len(bad.catalog) == 3
    assert (bad.flags & jb.Flag.FAILED).all()
    assert np.isnan(bad.catalog["flux_r"]).all()
    assert "not finite" in bad.context["message"]
    with pytest.raises(ValueError, match="blend 1: positions"):
        jb.fit_batch(*arguments[0], **arguments[1], on_error="raise")


def test_says_what_it_is_in_a_line(fitted):
    assert f"{fitted.n} sources in {', '.join(fitted.bands)}; converged" in repr(fitted)
