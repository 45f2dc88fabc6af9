import shutil
import sys

import numpy as np
import pytest

import jaxblend as jb
from jaxblend.compare import SEP, Peaks, PhotutilsSegmentation, SExtractor, deblenders

# At 1.5 standard deviations, the default of all but peaks, sources are found in noise.
DEBLENDERS = [Peaks(), SEP(threshold=3.0), PhotutilsSegmentation(threshold=3.0), SExtractor(threshold=3.0)]


@pytest.fixture(params=DEBLENDERS, ids=lambda d: d.name)
def deblender(request):
    if isinstance(request.param, PhotutilsSegmentation):
        pytest.importorskip("photutils")
    if isinstance(request.param, SExtractor) and not (shutil.which("source-extractor") or shutil.which("sex")):
        pytest.skip("the program source-extractor is not installed")
    return request.param


def test_every_source_is_found_with_its_flux(deblender, sky):
    result = deblender(sky.observation)
    assert len(result.catalog) == 3
    flux, distance = sky.errors(result)
    assert distance.max() < 0.5
    assert np.abs(flux).max() < 0.15


def test_images_hold_each_pixel_once(deblender, sky):
    result = deblender(sky.observation)
    assert result.images.shape == (3, *sky.observation.image.shape)
    total = result.images.sum(axis=0)
    assert ((total == 0) | (total == sky.observation.image)).all()
    assert np.count_nonzero(result.images, axis=0).max() == 1
    assert 0.75 < total.sum() / sky.fluxes.sum() < 1.05


def test_errors_are_those_of_repeated_noise(deblender, sky):
    light = sky.isolated.sum(axis=0)
    rng = np.random.default_rng(5)
    sigma = 1 / np.sqrt(sky.observation.weight)
    results = [
        deblender(sky.observation.replace(image=(light + sigma * rng.normal(size=light.shape)).astype(np.float32)))
        for _ in range(30)
    ]
    order = [np.lexsort(r.positions.T) for r in results]
    scatter = np.std([r.fluxes[i, 0] for r, i in zip(results, order, strict=True)], axis=0)
    told = np.median([np.asarray(r.catalog["flux_g_err"])[i] for r, i in zip(results, order, strict=True)], axis=0)
    # Apertures and segments move with the noise, which the errors do not know: hence only a factor.
    assert ((scatter > 0.6 * told) & (scatter < 2.5 * told)).all()


def test_masked_pixels_belong_to_nobody(deblender, sky):
    weight = sky.observation.weight.copy()
    weight[:, 24:45, 8:33] = 0
    result = deblender(sky.observation.replace(weight=weight))
    assert len(result.catalog) == 2
    assert not result.images[:, :, 24:45, 8:33].any()


def test_nothing_in_noise(deblender, empty_sky):
    result = deblender(empty_sky)
    assert result.images.shape == (0, *empty_sky.image.shape)
    assert result.fluxes.shape == (0, 2)
    assert result.positions.shape == (0, 2)


def test_photon_noise_widens_errors(deblender, sky):
    plain, photons = (deblender(o).catalog for o in (sky.observation, sky.observation.replace(gain=np.full(2, 0.5))))
    np.testing.assert_allclose(photons["flux_r_err"] ** 2 - plain["flux_r_err"] ** 2, plain["flux_r"] / 0.5, rtol=0.05)


def test_peaks_take_given_positions_in_their_order(sky):
    given = sky.positions[[2, 0]]
    result = Peaks()(sky.observation, given)
    np.testing.assert_array_equal(result.positions, given)
    np.testing.assert_allclose(result.fluxes, sky.fluxes[[2, 0]], rtol=0.3)


def test_sep_keeps_what_it_found_whatever_is_given(sky):
    assert not SEP.uses_positions
    alone, given = SEP()(sky.observation), SEP()(sky.observation, sky.positions[:1])
    np.testing.assert_array_equal(alone.positions, given.positions)


def test_the_catalogue_says_where_it_comes_from(deblender, sky):
    table = deblender(sky.observation).catalog
    assert table.colnames[:3] == ["id", "x", "y"]
    assert str(table["x"].unit) == "pix"
    assert table.meta["deblender"] == deblender.name
    assert table.meta["bands"] == ["g", "r"]


@pytest.mark.parametrize("positions", [[[3.0, 60.0]], [[-2.0, 4.0]]])
def test_positions_outside_are_refused(deblender, sky, positions):
    with pytest.raises(ValueError, match=r"positions \[0\] are not in the image of 48 x 48 pixels"):
        deblender(sky.observation, positions)


def test_wrong_input_is_refused(deblender, sky):
    with pytest.raises(ValueError, match="takes one Observation, got ndarray"):
        deblender(sky.observation.image)
    with pytest.raises(ValueError, match=r"positions must be \(n, 2\), x then y, got shape \(3,\)"):
        deblender(sky.observation, [1.0, 2.0, 3.0])


def test_all_have_a_name_of_their_own():
    for name, deblender in deblenders().items():
        assert name == deblender.name == name.lower()
        assert deblender().name == name


def test_a_wcs_gives_places_on_the_sky(sky):
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [10.0, 20.0], [24.5, 24.5]
    wcs.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    seen = sky.observation
    observation = jb.Observation(seen.image, seen.weight, seen.psf, wcs=wcs, bands=seen.bands)
    table = Peaks()(observation, sky.positions).catalog
    ra, dec = wcs.pixel_to_world_values(*sky.positions.T)
    np.testing.assert_allclose(table["ra"].to_value("deg"), ra)
    np.testing.assert_allclose(table["dec"].to_value("deg"), dec)


def test_a_missing_package_is_named(monkeypatch, sky):
    monkeypatch.setitem(sys.modules, "photutils.segmentation", None)
    with pytest.raises(ImportError, match=r"photutils is needed for this deblender .*: pip install 'photutils>=3.0'"):
        PhotutilsSegmentation()(sky.observation)


def test_a_missing_program_is_named(sky):
    with pytest.raises(FileNotFoundError, match="there is no program no-such-program: apt install source-extractor"):
        SExtractor(program="no-such-program")(sky.observation)


def test_a_program_that_fails_is_quoted(sky, tmp_path):
    program = tmp_path / "sex"
    program.write_text("#!/bin/sh\necho out of memory >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match="sex ended with code 3: out of memory"):
        SExtractor(program=str(program))(sky.observation)
