"""jaxblend demo: a simulated blend, fitted and drawn, without any download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from jaxblend.cli.console import described, doing, say_files
from jaxblend.cli.truth import compare

if TYPE_CHECKING:
    from jaxblend.simulation.blend import Blend

N_GALAXIES = 4
FAINTEST, BRIGHTEST = 24.3, 20.5
PLACES = np.array([(-0.3, 0.4), (1.7, 1.0), (-1.9, -0.7), (0.7, -1.8), (-1.0, 2.7)])  # arcsec; the last is the star's


@dataclass(frozen=True)
class Demo:
    """Simulate an LSST blend of four galaxies and a star, deblend it, and compare with the truth.

    The fit knows where the sources are, not which one is the star: the evidence decides.

    Nothing is downloaded. It writes the catalogue, the deblended images and pictures, and takes about a minute, most
    of it compilation, which is kept for the next time.

    For example:

        jaxblend demo
        jaxblend demo --seed 3 --out outputs/demo
    """

    out: Path = Path("jaxblend-demo")
    """Folder for the results; made if it is not there."""

    seed: int = 1
    """Another seed, another blend."""

    survey: str = "LSST"
    """Survey that observes it, by its name in surveycodex."""

    def run(self, console: Console) -> None:
        """Simulate, fit, write and show."""
        with doing(console, f"simulating a blend seen by {self.survey}"):
            blend = _simulate(self.survey, self.seed)
        with doing(console, "fitting it (the first time compiles)"):
            from jaxblend.fitting import fit
            from jaxblend.frames.stars import stars_by_evidence

            observation = blend.observation
            result, gains = stars_by_evidence(observation, lambda stars: fit(observation, blend.positions, stars=stars))
            table = compare(blend.truth, result.catalog, width=console.width)
        with doing(console, "writing and drawing"):
            files = _write(blend, result, self)
        console.print(table)
        console.print(_verdict(gains), soft_wrap=True, highlight=False)
        say_files(console, self.out, files)


def _simulate(name: str, seed: int) -> Blend:
    import jax

    from jaxblend.io.surveys import get_survey
    from jaxblend.simulation import draw_population, observe
    from jaxblend.simulation.sample import numpy_generator

    survey = get_survey(name)
    key = jax.random.key(seed)
    rng = numpy_generator(key)
    pool = draw_population(rng, 400, survey, min_magnitude=BRIGHTEST, max_magnitude=FAINTEST, star_fraction=0.2)
    galaxies = np.flatnonzero(~pool.is_star & (pool.half_light_radius(survey.reference_band) > 0.2))[:N_GALAXIES]
    star = np.flatnonzero(pool.is_star)[:1]
    angle = rng.uniform(0.0, 2.0 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return observe(pool.take(np.concatenate([galaxies, star])), PLACES @ turn.T, survey, key=key)


def _verdict(gains: dict[int, float]) -> str:
    """How stars were told from galaxies."""
    told = "The fit was given positions, not kinds: "
    if not gains:
        return told + "no source is compact enough to be tried as a star."
    tried = [
        f"{i} ({'star' if gain > 0 else 'galaxy'}: ln evidence {gain:+.1f} as a star)" for i, gain in gains.items()
    ]
    return told + "all were fitted as galaxies, compact ones as stars, too. Tried: " + ", ".join(tried) + "."


def _write(blend: Blend, fit: object, options: Demo) -> dict[str, Path]:
    from jaxblend.io.npz import write_npz
    from jaxblend.io.output import write_fit
    from jaxblend.io.tables import write_table
    from jaxblend.plot import blend as draw

    out = options.out
    files = write_fit(fit, out, options=described("demo", options))
    files["truth"] = write_table(blend.truth, out / "truth.ecsv")
    files["blend"] = write_npz(blend.observation, out / "blend.npz", positions=blend.positions)
    files["picture"] = draw(fit, truth=blend).save(out / "blend.png")
    meta: Any = blend.truth.meta
    band = meta["reference_band"]
    files["picture in one band"] = draw(fit, truth=blend, band=band).save(out / f"blend_{band}.png")
    return files
