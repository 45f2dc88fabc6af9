"""Fit the same pixels with scarlet2; writes scarlet2.ecsv, which run.py puts beside jaxblend's fluxes.

Needs the peers of benchmarks/constraints-peers.txt, and compiles anew for every blend.
Run from the repository: python -m experiments.lsst_blends.scarlet2 ../shared/data/catsim_sample.fits
"""

import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

from benchmarks.peers import scarlet2_fit
from benchmarks.reporting import provenance
from experiments.lsst_blends.data import BANDS, lsst_blends, lsst_survey
from jaxblend.simulation.psf import effective_psf_images, survey_psfs

HERE = Path(__file__).parent
PSF_SIZE = 63


def main(catalog: str) -> None:
    """Fit every blend in six bands and in r alone, at the true positions."""
    survey = lsst_survey()
    psfs = effective_psf_images(survey_psfs(survey, "kolmogorov"), pixel_scale=survey.pixel_scale, size=PSF_SIZE)
    rows, r = [], BANDS.index("r")
    for i, blend in enumerate(lsst_blends(catalog)):
        image, weight = np.asarray(blend.observation.image), np.asarray(blend.observation.weight)
        for name, bands in (("six bands", slice(None)), ("r alone", slice(r, r + 1))):
            fit = scarlet2_fit.fit(image[bands], weight[bands], psfs[bands], blend.positions, tuple(BANDS[bands]))
            flux = fit.fluxes[:, r if len(fit.chi2) > 1 else 0]
            rows += [(i, j, name, float(f), fit.seconds_cold, fit.seconds_warm) for j, f in enumerate(flux)]
        print(i, flush=True)
    table = Table(rows=rows, names=["blend", "source", "bands", "flux_r", "seconds_cold", "seconds_warm"])
    table.meta["comments"] = [provenance("scarlet2", "galsim")]
    table.write(HERE / "scarlet2.ecsv", format="ascii.ecsv", delimiter=",", overwrite=True)


if __name__ == "__main__":
    main(sys.argv[1])
