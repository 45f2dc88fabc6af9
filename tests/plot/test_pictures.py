from types import SimpleNamespace

import numpy as np
import pytest
from fake_fit import fake_fit, fake_scene
from matplotlib.colors import to_hex

from jaxblend.forward.frame import Frame
from jaxblend.forward.observation import Observation
from jaxblend.forward.psf import GaussianPSF
from jaxblend.plot import blend, frame
from jaxblend.plot.blend import residual_in_sigma
from jaxblend.plot.marks import ellipse_outline
from jaxblend.plot.rgb import channels, rgb_scale

POSITIONS = np.array([[8.0, 9.0], [20.0, 14.0], [27.0, 3.0]])


def observe(bands, *, masked=False):
    rng = np.random.default_rng(2)
    image = rng.normal(size=(len(bands), 20, 32)).astype(np.float32)
    y, x = np.mgrid[:20, :32]
    for px, py in POSITIONS:
        image += 200 * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / 6).astype(np.float32)
    weight = np.ones_like(image)
    if masked:
        weight[:, :4, :4] = 0
    return Observation(image, weight, GaussianPSF(fwhm=np.array(0.7)), pixel_scale=0.2, bands=bands)


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


@pytest.mark.parametrize("bands", ["r", "gr", "gri", "ugrizy"])
def test_a_blend_in_any_number_of_bands(tmp_path, bands):
    fit = fake_fit(observe(bands), POSITIONS)
    figure = blend(fit)
    assert titles(figure)[:3] == [
        "data",
        "model, half-light ellipses",
        "residual, " + ("all bands" if len(bands) > 1 else "r"),
    ]
    assert len(titles(figure)) == 3 + 3
    path = figure.save(tmp_path / "new" / "blend.png", dpi=40.0)
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert [p.name for p in path.parent.iterdir()] == ["blend.png"]


def test_a_picture_shows_itself_in_a_notebook():
    assert blend(fake_fit(observe("r"), POSITIONS[:1]))._repr_png_()[:4] == b"\x89PNG"


def test_truth_adds_positions_and_images():
    fit = fake_fit(observe("gri"), POSITIONS)
    figure = blend(fit, truth=SimpleNamespace(truth=fit.catalog, isolated=fit.images), band="r")
    assert titles(figure).count("true") == 3
    assert figure.axes[0].get_legend() is not None


def test_many_sources_are_cut_to_the_brightest():
    fit = fake_fit(observe("gri"), np.random.default_rng(0).uniform(2, 18, (15, 2)))
    shown = [title for title in titles(blend(fit, max_sources=9)) if title[0].isdigit()]
    assert [int(title.split()[0]) for title in shown] == list(range(9))  # the S/N falls with the number


def test_a_wrong_band_or_observation_is_said():
    fit = fake_fit(observe("gri"), POSITIONS)
    with pytest.raises(ValueError, match=r"band 'z'.*\['g', 'r', 'i'\]"):
        blend(fit, band="z")
    with pytest.raises(ValueError, match="observation=1"):
        blend(fit, observation=1)


@pytest.mark.parametrize("band", [None, "g"])
def test_a_frame_joins_its_groups(band):
    scene = fake_scene(observe("gri", masked=True), POSITIONS)
    figure = frame(scene, band=band)
    assert titles(figure) == ["data, detections and groups", "model", "residual, " + ("g" if band else "all bands")]
    first, second, alone = (to_hex(text.get_color()) for text in figure.axes[0].texts)
    assert first == second != alone


def test_the_residual_of_noise_has_unit_variance_and_no_masked_pixels():
    observation = observe("ugrizy", masked=True)
    noise = np.random.default_rng(3).normal(size=observation.image.shape)
    sigma = residual_in_sigma(noise, 0 * noise, observation.weight)
    assert np.isnan(sigma[:4, :4]).all()
    assert abs(np.nanstd(sigma) - 1) < 0.1
    np.testing.assert_allclose(residual_in_sigma(noise, 0 * noise, np.ones_like(noise), 2), noise[2])


def test_half_light_ellipses_keep_their_area_and_follow_the_frame():
    frame = Frame((20, 20), 0.2)
    outline = ellipse_outline(1.0, 0.3, 0.0, frame)
    x, y = outline.T
    area = 0.5 * abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    assert abs(area / (np.pi * 25) - 1) < 0.01
    assert np.ptp(x) / np.ptp(y) == pytest.approx(1.3 / 0.7, rel=0.01)
    flipped = Frame((20, 20), jacobian=np.array([[0.0, 0.2], [0.2, 0.0]]))
    x, y = ellipse_outline(1.0, 0.3, 0.0, flipped).T
    assert np.ptp(y) > np.ptp(x)


def test_channels_run_from_red_to_blue():
    assert channels("ugrizy") == ((3,), (2,), (1,))
    assert channels("grz") == ((2,), (1,), (0,))
    assert channels(["VIS", "Y", "J", "H"]) == ((3,), (2,), (1,))
    assert channels("ab") == ((1,), (0, 1), (0,))
    with pytest.raises(ValueError, match="two or more"):
        channels("r")


def test_colours_do_not_depend_on_the_unit():
    one = observe("gri")
    other = Observation(one.image * 1e-3, one.weight * 1e6, one.psf, pixel_scale=0.2, bands="gri")
    difference = rgb_scale(one)(one.image).astype(int) - rgb_scale(other)(other.image)
    assert np.abs(difference).max() <= 1
