import jax
import numpy as np
import pytest
from astropy.io import fits

import jaxblend as jb
from jaxblend.io import BlendFile, read_fits, read_fits_blend, read_table, write_blends, write_fits
from jaxblend.simulation import Density

LSST = jb.get_survey("LSST", "gr")


@pytest.fixture(scope="module")
def blend():
    options = {"stamp_size": 40, "n_sources": 2, "decentring": "pixel", "shear": (0.02, 0.0)}
    return jb.simulate(LSST, key=jax.random.key(0), **options)


@pytest.fixture(scope="module")
def path(blend, tmp_path_factory):
    return write_fits(blend, tmp_path_factory.mktemp("blends") / "blend.fits")


def empty_blend():
    layout = Density(per_arcmin2=1e-6, allow_empty=True)
    return jb.simulate(LSST, key=jax.random.key(0), stamp_size=24, layout=layout)


def test_the_images_are_read_as_any_others(blend, path, tmp_path):
    found, given = read_fits(path), blend.observation
    for name in ("image", "weight", "zero_point", "bands"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name))
    assert found.frame.pixel_scale == given.frame.pixel_scale
    ours, theirs = (np.asarray(o.psf.transfer(given.frame)) for o in (found, given))
    np.testing.assert_allclose(ours, theirs, atol=0.01)  # wings beyond the image of the PSF are folded into it
    with fits.open(path) as hdus:
        for row, image in enumerate(blend.isolated):
            np.testing.assert_array_equal(hdus[f"ISOLATED_{row}"].data, image)
            assert hdus[f"ISOLATED_{row}"].header["SOURCEX"] == blend.positions[row, 0]
    bare = write_fits(blend, tmp_path / "bare.fits", isolated=False)
    with fits.open(bare) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["IMAGE", "WEIGHT", "PSF", "TRUTH"]
    stored = read_fits_blend(bare)
    assert stored.isolated is None
    assert len(stored.truth) == 2


def test_a_blend_is_what_an_hdf5_file_gives(blend, path, tmp_path):
    found = read_fits_blend(path)
    with BlendFile(write_blends([blend], tmp_path / "blends")) as blends:
        expected = blends[0]
    for name in ("positions", "isolated"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.observation.survey == expected.observation.survey == "LSST"
    of_all = ("blend", "shear_g1", "shear_g2")  # what tells the blends of a file apart
    assert found.truth.colnames == [name for name in expected.truth.colnames if name not in of_all]
    for name in found.truth.colnames:
        assert type(found.truth[name]) is type(expected.truth[name])
        assert found.truth[name].unit == expected.truth[name].unit
        np.testing.assert_array_equal(found.truth[name], expected.truth[name])
    assert found.truth.meta == blend.truth.meta
    seeds = np.stack([found.truth[name].value for name in ("seed_x", "seed_y")], axis=1)
    np.testing.assert_array_equal(seeds, blend.seeds)
    np.testing.assert_array_equal(read_table(path)["flux_r"], blend.truth["flux_r"])  # as a table like any other


def test_a_blend_without_sources_has_no_images_of_them(tmp_path):
    found = read_fits_blend(write_fits(empty_blend(), tmp_path / "empty.fits"))
    assert len(found.truth) == 0
    assert found.positions.shape == (0, 2)
    assert found.isolated.shape == (0, 2, 24, 24)


def test_images_of_another_program_are_a_blend_without_truth(path, tmp_path):
    with fits.open(path) as hdus:
        del hdus["IMAGE"].header["ISOLATED"]
        hdus[:4].writeto(tmp_path / "images.fits")  # to the PSF
    found = read_fits_blend(tmp_path / "images.fits")
    np.testing.assert_array_equal(found.observation.image, read_fits(path).image)
    assert (found.positions, found.isolated, found.truth) == (None, None, None)


@pytest.mark.parametrize(
    ("lost", "expected"), [("TRUTH", "its table TRUTH is not there"), ("ISOLATED_0", r"2 sources, .* images of \[1\]")]
)
def test_what_was_lost_is_said(path, tmp_path, lost, expected):
    with fits.open(path) as hdus:
        del hdus[lost]
        hdus.writeto(tmp_path / "less.fits")
    with pytest.raises(ValueError, match=rf"The truth in .*less\.fits could not be read \(.*{expected}"):
        read_fits_blend(tmp_path / "less.fits")
    np.testing.assert_array_equal(read_fits(tmp_path / "less.fits").image, read_fits(path).image)


@pytest.mark.filterwarnings("ignore")  # astropy's
@pytest.mark.parametrize("missing", [3000, 20000, 90000])
def test_half_a_file_is_refused(path, tmp_path, missing):
    (tmp_path / "half.fits").write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(ValueError, match=r"half\.fits.* (is the file whole|give a )"):
        read_fits_blend(tmp_path / "half.fits")


def test_a_file_is_whole_or_not_there(blend, tmp_path, monkeypatch):
    monkeypatch.setattr(fits.HDUList, "writeto", lambda hdus, path: path.write_text("half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_fits(blend, tmp_path / "blend.fits")
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_fits_blend(tmp_path / "blend.fits")


def test_correlated_noise_comes_back(tmp_path):
    lag = np.arange(-1, 2)
    blend = jb.simulate(
        LSST,
        key=jax.random.key(0),
        stamp_size=24,
        n_sources=1,
        noise="sky",
        noise_correlation=0.3 ** (lag[:, None] ** 2 + lag**2),
    )
    found = read_fits(write_fits(blend, tmp_path / "blend.fits"))
    np.testing.assert_allclose(found.noise_correlation, blend.observation.noise_correlation, atol=1e-6)
