import galsim
import jax
import numpy as np
import pytest

from jaxblend.io.surveys import get_survey
from jaxblend.simulation import simulate_blends
from jaxblend.simulation.blend import simulate
from jaxblend.simulation.psf import survey_psfs
from jaxblend.simulation.varying_psf import VaryingPSF

LSST = get_survey("LSST", "gr")


def moments(psf):
    return galsim.hsm.FindAdaptiveMom(psf.drawImage(nx=64, ny=64, scale=0.1, method="no_pixel"))


def test_without_scatter_it_is_the_surveys_psf():
    drawn = VaryingPSF(width_scatter=0, band_scatter=0, ellipticity_scatter=0).draw(np.random.default_rng(0), LSST)
    for ours, theirs in zip(drawn, survey_psfs(LSST), strict=True):
        np.testing.assert_allclose(
            ours.drawImage(nx=32, ny=32, scale=0.2).array, theirs.drawImage(nx=32, ny=32, scale=0.2).array, atol=1e-5
        )


def test_widths_and_shapes_scatter_as_asked():
    psf, rng = VaryingPSF(width_scatter=0.1, band_scatter=0.0, ellipticity_scatter=0.05), np.random.default_rng(1)
    drawn = [psf.draw(rng, LSST) for _ in range(60)]
    found = [[moments(one) for one in bands] for bands in drawn]
    widths = np.log([[m.moments_sigma for m in bands] for bands in found])
    assert np.std(widths[:, 0]) == pytest.approx(0.1, abs=0.03)
    assert np.corrcoef(widths.T)[0, 1] > 0.95
    g = np.array([[m.observed_shape.g1, m.observed_shape.g2] for m in (bands[0] for bands in found)])
    np.testing.assert_allclose(g.std(0), 0.05, atol=0.02)
    assert all(one.flux == pytest.approx(1.0) for bands in drawn for one in bands)


def test_wrong_scatter_is_refused():
    with pytest.raises(ValueError, match="Got width_scatter=-1"):
        VaryingPSF(width_scatter=-1)


def test_a_function_gives_the_psf_of_each_blend():
    given = [galsim.Gaussian(fwhm=fwhm) for fwhm in (0.6, 1.0)]
    options = {"stamp_size": 24, "n_sources": 1, "psf": lambda rng: given[rng.integers(2)]}
    blends = list(simulate_blends(LSST, 8, key=jax.random.key(0), **options))
    peaks = [blend.observation.psf.transfer(blend.observation.frame)[0, 0, 5].real for blend in blends]
    assert len(set(np.round(peaks, 4))) == 2
    alone = simulate(LSST, key=jax.random.fold_in(jax.random.key(0), 3), **options)
    np.testing.assert_array_equal(alone.observation.image, blends[3].observation.image)
