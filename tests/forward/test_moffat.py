"""The Moffat's transfer function against its closed form, and under jit."""

import jax
import numpy as np
import pytest
from scipy.special import gamma, kv

import jaxblend as jb


@pytest.mark.parametrize(("beta", "tolerance"), [(1.2, 2e-4), (1.5, 2e-6), (2.5, 1e-6), (4.765, 1e-6)])
def test_moffat_is_its_bessel_function(beta, tolerance):
    """F(k) = 2 / Gamma(b) (x / 2)^b K_b(x), b = beta - 1, x = k times the scale radius."""
    fwhm, k = 0.7, np.linspace(1e-2, 12, 50)
    x = k * fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    exact = 2 / gamma(beta - 1) * (x / 2) ** (beta - 1) * kv(beta - 1, x)
    ours = jb.MoffatPSF(fwhm, beta).profile(jax.numpy.asarray(k[None, None], float))[0, 0]
    np.testing.assert_allclose(ours, exact, atol=tolerance)


def test_beta_per_band_may_be_traced():
    psf, frame = jb.MoffatPSF([0.7, 0.8], [3.0, 3.5]), jb.Frame((16, 16), 0.2)
    traced = jax.jit(lambda fwhm, beta: jb.MoffatPSF(fwhm, beta).transfer(frame))(psf.fwhm, psf.beta)
    np.testing.assert_allclose(traced, psf.transfer(frame), atol=1e-6)
