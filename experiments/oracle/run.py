"""Compare jaxblend's renderer with GalSim, case by case.

Run from the repository: python -m experiments.oracle.run [--quick] [--seed 1]     (about nine minutes on one core)
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from benchmarks.reporting import write
from experiments.oracle.cases import SURVEYS, galsim_image, profiles, psfs
from experiments.oracle.report import report
from jaxblend.forward.folding import choose_oversampling
from jaxblend.forward.frame import Frame
from jaxblend.forward.render import render
from jaxblend.forward.scene import Sources

SHAPE = (64, 60)
SHEARS = (0.0, 0.3, 0.6)
PADDINGS = (2, 4, 8)
GOALS = {"32": 5e-5, "64": 1e-5}
FLUX_GOAL = 1e-4


@dataclass
class Row:
    """One case. Errors are |difference| / peak; those of the flux |difference of the sums over the stamp| / flux."""

    profile: str
    psf: str
    survey: str
    radius: float
    g: float
    oversampling: int
    galsim_folding: float
    galsim_fft: int
    float32_pad2: float = np.nan
    float64_pad2: float = np.nan
    flux_pad2: float = np.nan
    float32_pad4: float = np.nan
    float64_pad4: float = np.nan
    flux_pad4: float = np.nan
    float32_pad8: float = np.nan
    float64_pad8: float = np.nan
    flux_pad8: float = np.nan

    def meets(self, padding):
        """Whether all goals are met at a padding."""
        bits = all(getattr(self, f"float{b}_pad{padding}") <= goal for b, goal in GOALS.items())
        return bits and getattr(self, f"flux_pad{padding}") <= FLUX_GOAL

    @property
    def needed(self):
        """Smallest padding that meets the goals, or None."""
        return next((p for p in PADDINGS if self.meets(p)), None)


@eqx.filter_jit
def jaxblend_image(sources, frame, transfer):
    return render(sources, frame, transfer)[0]


def one_source(profile, radius, g, position):
    shape = jnp.asarray(profile.shape(radius, g), float)
    flux = jnp.asarray(profile.fluxes, float)[None, :, None]
    return Sources(jnp.asarray(position, float)[None], shape[None], flux, jnp.ones(1, bool), profile.model)


def compare(profile, name, psf_pair, survey, radius, g, rng):
    """One Row."""
    position = rng.uniform(-0.5, 0.5, 2) * survey.pixel_scale
    angle = rng.uniform(0, np.pi)
    shear = (g * np.cos(2 * angle), g * np.sin(2 * angle))
    psf, galsim_psf = psf_pair
    truth, folding, size = galsim_image(profile, radius, shear, galsim_psf, position, survey, SHAPE)
    oversampling = choose_oversampling(psf, Frame(SHAPE, survey.pixel_scale))
    row = Row(profile.name, name, survey.name, radius, g, oversampling, folding, size)
    for padding in PADDINGS:
        frame = Frame(SHAPE, survey.pixel_scale, padding=padding, oversampling=oversampling)
        for bits in GOALS:
            with jax.enable_x64(bits == "64"):
                image = np.asarray(
                    jaxblend_image(one_source(profile, radius, shear, position), frame, psf.transfer(frame))
                )
            setattr(row, f"float{bits}_pad{padding}", float(np.abs(image - truth).max() / truth.max()))
        setattr(row, f"flux_pad{padding}", float(abs(image.sum(dtype=float) - truth.sum())))
        if row.meets(padding):
            break
    return row


def gradient_error(profile, psf, survey, rng):
    """Largest |derivative - central difference| of a random sum of pixels, relative to the largest derivative."""
    index = profile.extra and profile.name == "sersic 0.5"  # the index has no derivative at its bound
    with jax.enable_x64(True):
        source = one_source(profile, survey.radii[0], (0.2, -0.3), rng.uniform(-0.05, 0.05, 2))
        source = eqx.tree_at(lambda s: s.shape, source, source.shape.at[..., -1].add(0.05)) if index else source
        frame = Frame(
            (24, 24), survey.pixel_scale, oversampling=choose_oversampling(psf, Frame(SHAPE, survey.pixel_scale))
        )
        transfer, weights = psf.transfer(frame), jnp.asarray(rng.normal(size=(24, 24)))
        parts = (source.position, source.shape, source.flux)
        flat, unravel = ravel_pytree(parts)

        @jax.jit
        def total(vector):
            position, shape, flux = unravel(vector)
            moved = Sources(position, shape, flux, source.present, source.model)
            return (render(moved, frame, transfer)[0] * weights).sum()

        exact, h = np.asarray(jax.grad(total)(flat)), 1e-4
        steps = h * np.eye(len(flat))
        numeric = [
            (8 * (total(flat + d) - total(flat - d)) - total(flat + 2 * d) + total(flat - 2 * d)) / 12 / h
            for d in steps
        ]
        return float(np.abs(exact - np.array(numeric)).max() / np.abs(exact).max())


def cases(quick):
    """Arguments of ``compare``: every combination at the small radius, and the large radius at g = 0.3."""
    for survey in SURVEYS[:1] if quick else SURVEYS:
        for name, pair in psfs(survey).items():
            for profile in profiles():
                star = profile.name == "star"
                for g in (0.0,) if star else SHEARS:
                    yield profile, name, pair, survey, 0.0 if star else survey.radii[0], g
                if not star:
                    yield profile, name, pair, survey, survey.radii[1], 0.3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one survey only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    rng, start, rows = np.random.default_rng(options.seed), time.time(), []
    for case in cases(options.quick):
        rows.append(compare(*case, rng))
        r = rows[-1]
        print(
            f"{time.time() - start:5.0f} s",
            *(f"{v:.2g}" if isinstance(v, float) else v for v in asdict(r).values()),
            flush=True,
        )
    vis = SURVEYS[0 if options.quick else -1]
    gradients = [(p.name, n, gradient_error(p, pair[0], vis, rng)) for p in profiles() for n, pair in psfs(vis).items()]
    lines = report(rows, gradients, GOALS | {"flux": FLUX_GOAL}, time.time() - start, options.seed)
    write(options.out / "results.md", lines)
    with (options.out / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.3g}" if isinstance(v, float) else v for k, v in asdict(r).items()} for r in rows)


if __name__ == "__main__":
    main()
