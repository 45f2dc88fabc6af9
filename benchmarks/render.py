"""Time to draw a galaxy of bulge and disk in one band: jaxblend, GalSim and JAX-GalSim.

Run from the repository: python -m benchmarks.render
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import jaxblend as jb
from benchmarks.peers import galsim_draw, jax_galsim_draw
from benchmarks.peers.compile_time import CompileClock
from benchmarks.peers.galaxy import Galaxy
from benchmarks.peers.timing import median_seconds
from benchmarks.reporting import RESULTS, provenance, table, write
from jaxblend.forward.render import render
from jaxblend.forward.scene import Sources

GALAXY = Galaxy()


class Timing(NamedTuple):
    """Seconds per source and band; compilation apart, seconds."""

    seconds: float
    compilation: float


def scene(n_sources: int, n_bands: int, batch: int) -> Sources:
    """A batch of scenes of slightly different galaxies; the first galaxy of the first one is the peers' galaxy."""
    rng = np.random.default_rng(1)
    values = {
        "log_radius": np.log(GALAXY.radius), "g1": GALAXY.shear[0], "g2": GALAXY.shear[1],
        "log_ratio": np.log(0.5), "shear_ratio": 1.0,
    }  # fmt: skip
    shape = np.array([values[name] for name in jb.BulgeDisk.shape_names])
    shapes = shape + rng.normal(0, 0.05, (batch, n_sources, len(shape)))
    positions = rng.uniform(-2, 2, (batch, n_sources, 2))
    shapes[0, 0], positions[0, 0] = shape, 0
    fractions = np.array([GALAXY.bulge_fraction, 1 - GALAXY.bulge_fraction])
    fluxes = np.broadcast_to(fractions[:, None], (batch, n_sources, 2, n_bands))
    positions, shapes, fluxes = (jnp.asarray(array, jnp.float32) for array in (positions, shapes, fluxes))
    return Sources(positions, shapes, fluxes, jnp.ones((batch, n_sources), bool), jb.BulgeDisk())


class Mesh(NamedTuple):
    """A Fourier grid: how far it is padded, and its reach over Nyquist; None for what an observation chooses."""

    padding: float = 2.0
    oversampling: int | None = None


def drawing(n_bands: int, mesh: Mesh) -> Callable[[Sources], jax.Array]:
    """The renderer of one scene (C, H, W)."""
    psf, pixels = jb.KolmogorovPSF(fwhm=[GALAXY.fwhm] * n_bands), np.zeros((n_bands, GALAXY.side, GALAXY.side))
    blank = jb.Observation(pixels, 1.0, psf, pixel_scale=GALAXY.pixel_scale, padding=mesh.padding)
    frame = blank.frame if mesh.oversampling is None else blank.frame.with_oversampling(mesh.oversampling)
    transfer = blank.psf.transfer(frame)
    return lambda sources: render(sources, frame, transfer)


def compiled(function: Callable, argument: Sources) -> tuple[Callable, float]:
    """The function for this argument, and the seconds that it took to compile."""
    with CompileClock() as clock:
        ready = jax.jit(function).lower(argument).compile()
    return lambda: jax.block_until_ready(ready(argument)), clock.seconds


def timings(
    n_sources: int, n_bands: int, batch: int | None, many: Callable, repeats: int, mesh: Mesh
) -> tuple[Timing, Timing]:
    """Of drawing, and of the value and gradient (position, shape, fluxes) of a sum of squares.

    ``many`` makes the function of a batch from that of one scene.
    """
    sources = scene(n_sources, n_bands, batch or 1)
    draw = drawing(n_bands, mesh)
    if batch is None:
        sources = jax.tree.map(lambda leaf: leaf[0], sources)

    def value_and_slope(sources):
        def value(continuous):
            position, shape, flux = continuous
            return jnp.sum(draw(Sources(position, shape, flux, sources.present, sources.model)) ** 2)

        return jax.value_and_grad(value)((sources.position, sources.shape, sources.flux))

    drawn = n_sources * n_bands * (batch or 1)
    found = []
    for function in (draw, value_and_slope):
        call, compilation = compiled(function if batch is None else many(function), sources)
        found.append(Timing(median_seconds(call, repeats=repeats) / drawn, compilation))
    return found[0], found[1]


def ours(batch: int, repeats: int) -> list[tuple[str, Timing, Timing]]:
    often, seldom = repeats, max(3, repeats // 10)
    cases = (
        ("1 source, 1 band, one call each", 1, 1, None, jax.vmap, often, Mesh()),
        (f"1 source, 1 band, vmap of {batch}", 1, 1, batch, jax.vmap, seldom, Mesh()),
        ("3 sources, 6 bands, one call each", 3, 6, None, jax.vmap, often, Mesh()),
        (f"3 sources, 6 bands, vmap of {batch}", 3, 6, batch, jax.vmap, seldom, Mesh()),
        (f"3 sources, 6 bands, lax.map of {batch}", 3, 6, batch, one_by_one, seldom, Mesh()),
        ("3 sources, 6 bands, one call each, the grid of a fit", 3, 6, None, jax.vmap, often, Mesh(2.0, 1)),
        (f"3 sources, 6 bands, lax.map of {batch}, the grid of a fit", 3, 6, batch, one_by_one, seldom, Mesh(2.0, 1)),
        (f"3 sources, 6 bands, lax.map of {batch}, no padding", 3, 6, batch, one_by_one, seldom, Mesh(1.0, 1)),
    )
    return [(f"jaxblend, {name}", *timings(k, c, b, many, n, mesh)) for name, k, c, b, many, n, mesh in cases]


def one_by_one(function: Callable) -> Callable:
    """A batch in one call, its scenes one after the other: what a fit does on a CPU."""
    return lambda batch: jax.lax.map(function, batch)


def peer_rows(galsim: galsim_draw.GalSimDraw | None, batch: int, repeats: int) -> list[tuple]:
    base = galsim.seconds if galsim else np.nan
    rows = [("GalSim, 1 source, 1 band", _ms(base), _ratio(base, base), "has none", "none")]
    if galsim is None:
        rows = [("GalSim", "not installed", "", "", "")]
    try:
        peer = jax_galsim_draw.draw(GALAXY, batch=batch, repeats=repeats)
    except ImportError:
        return [*rows, ("JAX-GalSim", "not installed", "", "", "")]
    name = "JAX-GalSim (Spergel + exponential, Moffat)"
    return [
        *rows,
        (
            f"{name}, one call each",
            _ms(peer.seconds_jit),
            _ratio(peer.seconds_jit, base),
            _ms(peer.seconds_gradient),
            f"{peer.seconds_compile:.2f}",
        ),
        (f"{name}, vmap of {batch}", _ms(peer.seconds_vmap), _ratio(peer.seconds_vmap, base), "not timed", ""),
    ]


def main(batch: int = 64, repeats: int = 100) -> None:
    """Draw, time, and write the table.

    Parameters
    ----------
    batch
        Scenes in a vectorised call.
    repeats
        Calls to take the median of; vectorised ones are timed a tenth as often.
    """
    try:
        galsim = galsim_draw.draw(GALAXY, repeats=repeats)
    except ImportError:
        galsim = None
    base = galsim.seconds if galsim else np.nan
    rows = peer_rows(galsim, batch, repeats)
    for name, drawn, slope in ours(batch, repeats):
        rows.append((name, _ms(drawn.seconds), _ratio(drawn.seconds, base), _ms(slope.seconds),
                     f"{drawn.compilation:.2f}, {slope.compilation:.2f}"))  # fmt: skip
    lines = [
        "# Drawing",
        "",
        provenance("galsim", "jax-galsim"),
        "",
        f"A de Vaucouleurs bulge and an exponential disk, {GALAXY.side} x {GALAXY.side} pixels of {GALAXY.pixel_scale} "
        f'arcsec, Kolmogorov PSF of {GALAXY.fwhm}". Median wall time per source and band, compilation apart. GalSim '
        "runs on one core; JAX may use all that the line above counts. JAX-GalSim has neither of these profiles nor "
        "this PSF: the row says what stands in. Value and gradient: of a sum of squares, to every parameter of the "
        "sources.",
        "",
        *table(("what", "ms", "GalSim's time over it", "value and gradient, ms", "compilation, s"), rows),
        "",
        f"Largest difference between jaxblend's image and GalSim's: {agreement(galsim)} of the peak.",
    ]
    write(RESULTS / "render.md", lines)


def agreement(galsim: galsim_draw.GalSimDraw | None) -> str:
    if galsim is None:
        return "not known"
    image = np.asarray(drawing(1, Mesh())(jax.tree.map(lambda leaf: leaf[0], scene(1, 1, 1))))[0]
    return f"{np.abs(image - galsim.image).max() / galsim.image.max():.1e}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"


def _ratio(seconds: float, base: float) -> str:
    return f"{base / seconds:.1f}" if np.isfinite(base) else ""


if __name__ == "__main__":
    tyro.cli(main)
