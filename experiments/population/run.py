"""What a learned population adds where pixels do not tell two galaxies apart: the same pairs, fitted with and without.

Run from the repository: python -m experiments.population.run catsim_sample.fits
"""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro

import jaxblend as jb
from benchmarks.reporting import provenance, table, write
from experiments.deblending_tables import with_error
from jaxblend.simulation.blend import Blend
from jaxblend.simulation.layouts import Pair
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.sample import Selection
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

HERE = Path(__file__).parent
SEED = 20261122
SURVEY, BANDS, BAND, COLOUR = "LSST", "gri", "r", ("g", "r")
SIDE = 40  # pixels
SEPARATIONS = ((0.2, 0.4), (0.4, 0.7), (0.7, 1.2))  # arcsec; the PSF is 0.7" wide
BRIGHTEST, FAINTEST, LEAST_SNR, POOL = 21.0, 25.3, 10.0, 1000
WITHOUT, WITH = "Gaussian population", "learned population"
N_BOOTSTRAP = 400


@dataclasses.dataclass(frozen=True)
class Errors:
    """Of each galaxy (pairs, 2): of its r flux and its colour, and how many stated errors the flux is off."""

    flux: np.ndarray
    colour: np.ndarray
    sigma: np.ndarray


@functools.cache
def survey() -> Survey:
    return jb.get_survey(SURVEY, BANDS)


def built_in() -> SkySources:
    """The galaxies of the simulation, whose relations the population has learned."""
    rng, limits = np.random.default_rng(SEED), {"min_magnitude": BRIGHTEST, "max_magnitude": FAINTEST}
    return draw_population(rng, POOL, survey(), **limits, star_fraction=0.0)


def draw_pairs(n: int, separation: tuple[float, float], catalog: Any) -> list[Blend]:
    """Galaxies of a catalogue, seen by GalSim; whatever n, the first are the same."""
    key = jax.random.fold_in(jax.random.key(SEED), int(1000 * separation[0]))
    options = {
        "catalog": catalog,
        "layout": Pair(separation=separation, magnitude_difference=(-2.0, 2.0)),
        "selection": Selection(max_magnitude=FAINTEST, min_snr=LEAST_SNR),
        "stamp_size": SIDE,
        "decentring": "pixel",
    }
    return list(jb.simulate_blends(survey(), n, key=key, **options))


def errors_of(blends: list[Blend], fits: list[jb.Fit]) -> Errors:
    """Of fits against the truth, source by source: each is told which seed is whose."""
    flux, colour, sigma = [], [], []
    for blend, fit in zip(blends, fits, strict=True):
        found, true = fit.catalog, blend.truth
        of = {band: np.asarray(found[f"flux_{band}"]) / np.asarray(true[f"flux_{band}"]) for band in COLOUR}
        off = np.asarray(found[f"flux_{BAND}"]) - np.asarray(true[f"flux_{BAND}"])
        flux.append(np.abs(of[BAND] - 1))
        colour.append(2.5 * np.abs(np.log10(of[COLOUR[0]] / of[COLOUR[1]])))
        sigma.append(off / np.asarray(found[f"flux_{BAND}_err"]))
    return Errors(*map(np.array, (flux, colour, sigma)))


def statistics(errors: Errors) -> list[str]:
    """Cells of a row, with errors from a bootstrap of pairs."""
    rng = np.random.default_rng(SEED)
    again = rng.integers(len(errors.flux), size=(N_BOOTSTRAP, len(errors.flux)))
    cells = []
    for values, scale, of in (
        (errors.flux, 100, np.median),
        (errors.flux, 100, functools.partial(np.quantile, q=0.9)),
        (errors.colour, 1, np.median),
        (np.abs(errors.sigma) < 1.96, 100, np.mean),
    ):
        scatter = np.std([of(values[rows]) for rows in again])
        cells.append(with_error(scale * of(values), scale * scatter, 1 if scale == 100 else 3))
    return cells


def rows_of(galaxy: jb.NeuralGalaxy, catalog: Any, pairs: int, neural: int) -> list[tuple]:
    """A row for each separation, galaxy model and prior."""
    rows = []
    for separation in SEPARATIONS:
        blends = draw_pairs(pairs, separation, catalog)
        models = ("bulge + disk", jb.BulgeDisk(), pairs), ("learned", galaxy, neural)
        for label, model, n in (each for each in models if each[2]):
            some = blends[:n]
            data = [blend.observation for blend in some], [blend.seeds for blend in some]
            for name, population in ((WITHOUT, None), (WITH, galaxy.population)):
                fits = jb.fit_batch(*data, model=model, population=population)
                place = f'{separation[0]:g} to {separation[1]:g}"'
                rows.append((place, label, name, n, *statistics(errors_of(some, fits))))
                print(*rows[-1], flush=True)
    return rows


def main(
    catsim: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    pairs: int = 300,
    neural: int = 0,
    weights: str = "default",
    folder: Path = HERE,
) -> None:
    """Write result.md.

    Parameters
    ----------
    catsim
        A CATSIM table: galaxies that the population was not learned from.
    pairs
        Of each separation, fitted with a bulge and a disk.
    neural
        Of these, how many are fitted with trained galaxies as well: it takes minutes to compile, and seconds a pair.
    weights
        What `jb.NeuralGalaxy.load` takes.
    folder
        Where to write; by default beside this file.
    """
    galaxy = jb.NeuralGalaxy.load(weights)
    if galaxy.population is None:
        raise ValueError(f"{weights} has no population: add one by jaxblend train population")
    head = ("separation", "galaxies", "prior", "pairs", "median abs(dF/F) in r, %", "its 90 % quantile, %",
            "median abs error of g - r", "r flux within 1.96 stated errors, %")  # fmt: skip
    lines = ["# A learned population", "", provenance("galsim", "flax"), ""]
    lines += [f"Pairs of LSST in {BANDS}, of S/N above {LEAST_SNR:g}; errors from a bootstrap of pairs.", ""]
    catalogs = {"Galaxies of the built-in population": built_in()} | ({"Galaxies of CATSIM": catsim} if catsim else {})
    for title, catalog in catalogs.items():
        lines += [f"## {title}", "", *table(head, rows_of(galaxy, catalog, pairs, neural)), ""]
    write(folder / "result.md", lines)


if __name__ == "__main__":
    tyro.cli(main)
