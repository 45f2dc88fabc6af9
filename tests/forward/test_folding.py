import numpy as np
import pytest

from jaxblend.forward.folding import choose_oversampling
from jaxblend.forward.frame import Frame
from jaxblend.forward.psf import AiryPSF, GaussianPSF, MoffatPSF
from jaxblend.forward.sampled_psf import ImagePSF


@pytest.mark.parametrize(
    ("psf", "scale", "expected"),
    [
        (GaussianPSF(0.7), 0.2, 1),
        (GaussianPSF([0.7, 0.2]), 0.2, 4),  # the narrowest band decides
        (AiryPSF(0.12, 0.3), 0.1, 2),
        (AiryPSF(0.5), 0.2, 1),
        (AiryPSF(0.01), 0.2, 8),
    ],
)
def test_the_grid_reaches_as_far_as_the_psf(psf, scale, expected):
    assert choose_oversampling(psf, Frame((20, 20), scale)) == expected


def test_the_size_of_the_stamp_does_not_matter():
    chosen = {choose_oversampling(MoffatPSF(0.4, 3.0), Frame(shape, 0.2)) for shape in [(8, 8), (64, 64), (33, 200)]}
    assert len(chosen) == 1


def test_a_sampled_psf_reaches_no_further_than_its_samples():
    spike = np.zeros((1, 9, 9))
    spike[0, 4, 4] = 1
    frame = Frame((20, 20), 0.1)
    assert choose_oversampling(ImagePSF(spike), frame) == 1
    assert choose_oversampling(ImagePSF(spike, oversampling=3), frame) == 3
