import jax
import numpy as np
from astropy.io import fits

import jaxblend as jb
from jaxblend.io import read_fits, write_fits


def test_a_blend_as_fits_is_read_again(tmp_path):
    blend = jb.simulate(jb.get_survey("LSST", "gr"), key=jax.random.key(0), stamp_size=40, n_sources=2)
    path = write_fits(blend, tmp_path / "blend.fits")
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
        assert [hdu.name for hdu in hdus[1:]] == ["IMAGE", "WEIGHT", "PSF"]


def test_correlated_noise_comes_back(tmp_path):
    lag = np.arange(-1, 2)
    blend = jb.simulate(
        jb.get_survey("LSST", "gr"),
        key=jax.random.key(0),
        stamp_size=24,
        n_sources=1,
        noise="sky",
        noise_correlation=0.3 ** (lag[:, None] ** 2 + lag**2),
    )
    found = read_fits(write_fits(blend, tmp_path / "blend.fits"))
    np.testing.assert_allclose(found.noise_correlation, blend.observation.noise_correlation, atol=1e-6)
