"""Fit the seven sources of the HSC blend in five bands with bulge+disk galaxies: chi2 per band and time.

Run from the repository: python -m experiments.hsc_blend.run ../shared/data/hsc_blend.npz
"""

import sys
import time
from pathlib import Path

import numpy as np

import jaxblend as jb
from experiments.reporting import provenance

HERE = Path(__file__).parent
PIXEL_SCALE, ZERO_POINT = 0.168, 27.0


def load(path):
    data = np.load(path, allow_pickle=False)
    bands = [str(b) for b in data["filters"]]
    obs = jb.Observation(
        data["images"],
        variance=data["variance"],
        psf=data["psfs"],
        pixel_scale=PIXEL_SCALE,
        bands=bands,
        zero_point=ZERO_POINT,
        survey="HSC",
    )
    return obs, np.stack([data["catalog"]["x"], data["catalog"]["y"]], -1)


def timed(function):
    start = time.perf_counter()
    value = function()
    return value, time.perf_counter() - start


def main(path):
    obs, positions = load(path)
    rows = ["| model | " + " | ".join(obs.bands) + " | mean | first call, s | warm, s | outcome |", "|---" * 9 + "|"]
    for name, model, stars in (
        ("bulge+disk", jb.BulgeDisk(), None),
        ("bulge+disk, source 0 a star", jb.BulgeDisk(), np.arange(len(positions)) == 0),
        ("Sersic", jb.Sersic(), None),
    ):

        def fit(model=model, stars=stars):
            return jb.fit(obs, positions, model=model, stars=stars)

        result, cold = timed(fit)
        warm = np.median([timed(fit)[1] for _ in range(3)])
        chi2 = " | ".join(f"{c:.3f}" for c in result.chi2)
        rows.append(
            f"| {name} | {chi2} | {result.chi2.mean():.3f} | {cold:.1f} | {warm:.2f} | {result.outcome.value} |"
        )
        if name == "bulge+disk":
            jb.plot.blend(result).save(HERE / "blend.png")
            result.catalog.write(HERE / "catalog.ecsv", overwrite=True)
    text = "\n".join(["# HSC blend: chi2 per usable pixel", "", provenance(), "", *rows, ""])
    (HERE / "result.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1])
