"""One galaxy or two? Odds of pairs against their separation, and how often a single galaxy is split.

Run from the repository: python -m experiments.one_or_two.run OUT
"""

import dataclasses
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import galsim
import jax
import numpy as np
import tyro
from astropy.table import Table
from scipy.stats import beta

import jaxblend as jb
from benchmarks.reporting import provenance, table, write
from experiments.one_or_two.picture import odds_picture
from experiments.separation.chunks import read_chunks, run_chunks
from jaxblend.io.tables import write_table

HERE = Path(__file__).parent
SEED = 20261121
FWHM, PIXEL, SIDE = 0.8, 0.2, 32  # arcsec, arcsec, pixels
ZERO_POINT, SKY = 30.0, 1.0  # AB; noise of a pixel in the image's unit
SEPARATIONS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0)  # of the PSF's full width
SNR = (20, 50, 100)  # of each galaxy alone
SINGLE_SNR = (20, 50, 100, 200)  # a pair is twice as bright
DETECTED_WITHIN = 0.05  # arcsec: scatter of the position that is given about the middle
THRESHOLDS = (1, 10, 100)  # odds above which a source is taken for two
METHODS = ("laplace", "importance")
CHUNK = 24  # cases between two writings


@dataclasses.dataclass(frozen=True)
class Case:
    """Separation 0 is a single galaxy."""

    number: int
    separation: float
    snr: float


def galaxy(rng: np.random.Generator, flux: float) -> galsim.GSObject:
    """Bulge and disk of one shape and of unit flux, as the default prior has them at the magnitude of the flux."""
    p, magnitude = jb.Population(), ZERO_POINT - 2.5 * np.log10(flux)
    radius = np.exp(p.log_radius + p.log_radius_slope * (magnitude - 24) + p.log_radius_scatter * rng.normal())
    ratio = np.exp(p.log_ratio + p.log_ratio_scatter * rng.normal())
    share = 1 / (1 + np.exp(-p.bulge_logit - p.bulge_logit_scatter * rng.normal()))
    disk = galsim.Exponential(half_light_radius=radius, flux=1 - share)
    bulge = galsim.DeVaucouleurs(half_light_radius=radius * ratio, flux=share)
    g = p.ellipticity_scatter * rng.normal(size=2)
    return (disk + bulge).shear(g1=g[0], g2=g[1]) if np.hypot(*g) < 0.9 else galaxy(rng, flux)


def scaled(shape: galsim.GSObject, snr: float) -> galsim.GSObject:
    """With the flux at which the galaxy alone has a signal to noise."""
    return shape * (snr * SKY / np.sqrt((drawn(shape) ** 2).sum()))


def drawn(scene: galsim.GSObject) -> np.ndarray:
    psf = galsim.Kolmogorov(fwhm=FWHM)
    return galsim.Convolve(scene, psf).drawImage(nx=SIDE, ny=SIDE, scale=PIXEL, dtype=float).array


def observed(case: Case) -> tuple[jb.Observation, np.ndarray]:
    """The image and the pixel at which one source is said to have been detected."""
    rng = np.random.default_rng([SEED, case.number])
    angle, middle = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5, 2) * PIXEL
    arm = 0.5 * case.separation * FWHM * np.array([np.cos(angle), np.sin(angle)])
    typical = scaled(galsim.Exponential(half_light_radius=0.4), case.snr).flux
    shapes = [scaled(galaxy(rng, typical), case.snr) for _ in range(2 if case.separation else 1)]
    scene = galsim.Sum([s.shift(*(middle + sign * arm)) for s, sign in zip(shapes, (1, -1), strict=False)])
    image = drawn(scene) + rng.normal(0, SKY, (SIDE, SIDE))
    psf = jb.KolmogorovPSF(fwhm=FWHM)
    observation = jb.Observation(
        image[None].astype(np.float32), SKY**-2.0, psf, pixel_scale=PIXEL, bands="r", zero_point=ZERO_POINT
    )
    detected = middle + rng.normal(0, DETECTED_WITHIN, 2)
    return observation, detected / PIXEL + 0.5 * (SIDE - 1)


def log_odds(case: Case) -> list[float]:
    """Of two against one, by each method."""
    observation, place = observed(case)
    hypotheses = jb.one_or_two(observation, place)
    key = jax.random.fold_in(jax.random.key(SEED), case.number)
    return [jb.compare_models(observation, hypotheses, key=key, method=m).log_odds("two", "one") for m in METHODS]


def cases(pairs: int, singles: int) -> list[Case]:
    """Pairs for each separation and S/N, singles for each S/N."""
    kinds = [(s, n) for s, n in itertools.product(SEPARATIONS, SNR) for _ in range(pairs)]
    kinds += [(0.0, n) for n in SINGLE_SNR for _ in range(singles)]
    return [Case(i, float(s), float(n)) for i, (s, n) in enumerate(kinds)]


def _record(pairs: int, singles: int) -> dict:
    """All that a case depends on."""
    image = {"fwhm": FWHM, "pixel": PIXEL, "side": SIDE, "zero_point": ZERO_POINT, "sky": SKY}
    grid = {"separations": SEPARATIONS, "snr": SNR, "single_snr": SINGLE_SNR, "pairs": pairs, "singles": singles}
    return {"seed": SEED, "detected_within": DETECTED_WITHIN, "methods": METHODS, **image, **grid}


def _most(splits: int, n: int) -> str:
    """The share, and the highest that is compatible with it at 95 % (Clopper & Pearson 1934, one-sided)."""
    return f"{splits} of {n} ({splits / n:.2%}, below {beta.ppf(0.95, splits + 1, n - splits):.2%})"


def report(found: Table, method: str) -> list[str]:
    """Median odds of pairs, the share that is split, and that of single galaxies."""
    rows = []
    for separation in SEPARATIONS:
        cells = []
        for snr in SNR:
            odds = found[method][(found["separation"] == separation) & (found["snr"] == snr)]
            cells.append(f"{np.median(odds):.1f} ({np.mean(odds > np.log(THRESHOLDS[-1])):.0%})")
        rows.append((separation, *cells))
    single = found[found["separation"] == 0]
    splits = []
    for threshold in THRESHOLDS:
        shares = [np.sum(single[method][single["snr"] == n] > np.log(threshold)) for n in SINGLE_SNR]
        splits.append((threshold, *shares, _most(int(sum(shares)), len(single))))
    return [
        f"## {method}",
        "",
        "Pairs of equal S/N: median ln odds of two against one, and the share with odds above 100.",
        "",
        *table(("separation / FWHM", *(f"S/N {n}" for n in SNR)), rows),
        "",
        "Single galaxies that are taken for two:",
        "",
        *table(("odds above", *(f"S/N {n}" for n in SINGLE_SNR), "all"), splits),
        "",
    ]


def measured(chosen: Sequence[Case]) -> Table:
    """The cases with their odds by each method."""
    with ThreadPoolExecutor(2) as pool:
        odds = list(pool.map(log_odds, chosen))
    found = Table([dataclasses.asdict(case) for case in chosen])
    for method, column in zip(METHODS, np.transpose(odds), strict=True):
        found[method] = np.round(column, 3)
    return found


def main(out: Annotated[Path, tyro.conf.Positional], /, pairs: int = 8, singles: int = 100) -> None:
    """Write the result beside this file.

    Parameters
    ----------
    out
        Folder, outside the repository, for cases that are done: a second call goes on where the first was ended.
    pairs
        For each separation and S/N.
    singles
        For each S/N.
    """
    chosen = cases(pairs, singles)

    def measure(numbers: Sequence[int]) -> Table:
        return measured(chosen[numbers[0] : numbers[-1] + 1])  # the last chunk may not be full

    run_chunks(measure, out, len(chosen), size=CHUNK, record=_record(pairs, singles))
    found = read_chunks(out)
    write_table(found, HERE / "odds.ecsv")
    lines = ["# One galaxy or two?", "", provenance("galsim"), ""]
    for method in METHODS:
        lines += report(found, method)
    write(HERE / "result.md", lines)
    odds_picture(found, "importance", THRESHOLDS[-1]).save(HERE / "odds.png", dpi=100)


if __name__ == "__main__":
    tyro.cli(main)
