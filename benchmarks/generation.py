"""Simulated blends: the device backend against GalSim's, both against BTK's galaxies, and the time that each takes.

Run from the repository: python -m benchmarks.generation --catalog catsim.fits --btk-python btk/bin/python
"""

import json
import subprocess
import time
from itertools import islice
from pathlib import Path

import jax
import numpy as np
import tyro

import jaxblend as jb
from benchmarks.generation_parity import BRIGHT, BRIGHT_MAGNITUDE, MAX_SOURCES, STAMP, btk_row, image_row, noise_rows
from benchmarks.reporting import RESULTS, provenance, table, write
from jaxblend.simulation import draw_population, read_catsim

SURVEYS = {"LSST": "ugrizy", "Euclid_VIS": None, "Euclid_NISP": None, "HSC": None, "Roman_WFI": None}
SIDE, N_SOURCES, MAX_OFFSET = 120, 3, 2.4
IMAGE_GOAL, NOISE_GOAL, BTK_GOAL, SPEED_GOAL = 5e-5, 0.01, 1e-5, 10.0
POPULATION = 400


def speed(backend: str, catalog: Path | None, batch_size: int, batches: int, tables: bool) -> tuple[float, float]:
    """CPU and wall seconds per blend: medians over batches, without the first, which compiles."""
    survey = jb.get_survey("LSST", bands="ugrizy")
    if catalog is None:
        sources = draw_population(np.random.default_rng(0), POPULATION, survey, star_fraction=0.0)
    else:
        sources = read_catsim(catalog, survey)
    options = {"catalog": sources, "n_sources": N_SOURCES, "stamp_size": SIDE, "max_offset": MAX_OFFSET}
    options |= {"key": jax.random.key(1), "backend": backend, "batch_size": batch_size}
    blends = jb.simulate_blends(survey, batch_size * (batches + 1), **options)
    spent = []
    for _ in range(batches + 1):
        begin = time.process_time(), time.perf_counter()
        for blend in islice(blends, batch_size):
            if tables:
                len(blend.truth)
        spent.append((time.process_time() - begin[0], time.perf_counter() - begin[1]))
    cpu, wall = np.median(np.array(spent[1:]), axis=0) / batch_size
    return float(cpu), float(wall)


def btk_speed(python: Path, catalog: Path, batch_size: int, batches: int) -> tuple[float, float, str]:
    """The same of BTK, by the interpreter that has it, and its versions."""
    script = Path(__file__).parent / "peers" / "btk_draw.py"
    side = SIDE * jb.get_survey("LSST").pixel_scale
    given = [str(catalog), str(N_SOURCES), str(side), str(batch_size), str(batches)]
    done = subprocess.run([str(python), str(script), *given], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{python} could not run BTK: {done.stderr.strip().splitlines()[-1:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    versions = ", ".join(f"{name} {value}" for name, value in found["versions"].items())
    return float(np.median(found["cpu"])), float(np.median(found["wall"])), versions


def parity_lines(blends: int) -> list[str]:
    rows = []
    for name, bands in SURVEYS.items():
        found = image_row(jb.get_survey(name, bands=bands), blends)
        met = max(found["alone"], found["together"]) <= IMAGE_GOAL and found["truth"]
        rows.append(
            (found["survey"], found["blends"], f"{found['sources']}, {found['stars']}", f"{found['median']:.1e}",
             f"{found['alone']:.1e}", f"{found['together']:.1e}", "equal" if found["truth"] else "differ", _met(met))
        )  # fmt: skip
    head = ("survey", "blends", "sources, stars", "median source", "largest, one source", "largest, blend", "truths",
            f"{IMAGE_GOAL:.0e}")  # fmt: skip
    return [
        "## The same pixels",
        "",
        "Differences between the two backends over the peak, the largest of all bands, without "
        f"noise: blends of the built-in population of 1 to {MAX_SOURCES} sources, rotated, sheared and dithered, "
        f"{STAMP} x {STAMP} pixels. GalSim draws with its default accuracy.",
        "",
        *table(head, rows),
        "",
    ]


def noise_lines(blends: int) -> list[str]:
    rows = []
    for name, bands in SURVEYS.items():
        for found in noise_rows(jb.get_survey(name, bands=bands), blends):
            shown = [f"{mean:.4f} +- {error:.4f}" for mean, error in (found["all"], found["bright"])]
            met = all(abs(mean - 1) <= NOISE_GOAL + 2 * error for mean, error in (found["all"], found["bright"]))
            rows.append((found["survey"], found["backend"], *shown, _met(met)))
    return [
        "## Noise",
        "",
        f"Mean square of the noise over the variance that is stated, sky and photons, in {blends} blends of each "
        f"survey with sources brighter than {BRIGHT_MAGNITUDE}: of all pixels, and of those in which the sources have "
        f"more than {BRIGHT:.0%} of the sky's electrons. The goal, 1 %, counts as met where two standard "
        "errors of the mean reach it.",
        "",
        *table(("survey", "backend", "all pixels", "pixels of sources", "1 %"), rows),
        "",
    ]


def btk_lines(catalog: Path | None) -> list[str]:
    if catalog is None:
        return ["BTK's galaxies: not drawn; give a CATSIM table with --catalog.", ""]
    found = btk_row(catalog, jb.get_survey("LSST", bands="ugrizy"), "ugrizy")
    return [
        "## BTK's galaxies",
        "",
        "BTK's formula for a CATSIM row, without the flooring of its flux to whole electrons, against the GalSim "
        f"backend: {found['galaxies']} galaxies, {found['nuclei']} of them given an active nucleus, in "
        f"{found['bands']}, one PSF for both. Largest difference {found['difference']:.1e} of the peak "
        f"(goal {BTK_GOAL:.0e}, {_met(found['difference'] <= BTK_GOAL)}).",
        "",
    ]


def speed_lines(catalog: Path | None, btk_python: Path | None, batch_size: int, batches: int) -> list[str]:
    spent = {
        "GalSim backend, with truth tables": speed("galsim", catalog, batch_size, max(2, batches // 3), True),
        f"device backend, batches of {batch_size}": speed("device", catalog, batch_size, batches, False),
        f"device backend, batches of {batch_size}, with truth tables": speed(
            "device", catalog, batch_size, batches, True
        ),
    }
    versions = "not run: give --catalog and --btk-python, an interpreter that has it"
    if catalog is not None and btk_python is not None:
        *theirs, versions = btk_speed(btk_python, catalog, batch_size, max(2, batches // 3))
        spent = {"BTK": (theirs[0], theirs[1]), **spent}
    base = spent.get("BTK", (np.nan, np.nan))[0]
    rows = [
        (name, f"{cpu * 1e3:.2f}", f"{wall * 1e3:.2f}", *_faster(name, base / cpu))
        for name, (cpu, wall) in spent.items()
    ]
    return [
        "## Time",
        "",
        f"LSST in six bands, {SIDE} x {SIDE} pixels, {N_SOURCES} galaxies of "
        f"{'the built-in population' if catalog is None else 'one CATSIM table'}, isolated images and noise; medians "
        f"over batches, the first left out. CPU: of all threads of the process. BTK ({versions}) makes no selection by "
        "S/N, and tables with what its catalogue has. "
        f"Goals: the device backend {SPEED_GOAL:.0f} times faster than BTK, the GalSim backend no slower.",
        "",
        *table(("what", "CPU, ms per blend", "wall, ms per blend", "BTK's CPU over it", "goal"), rows),
        "",
    ]


def _faster(name: str, ratio: float) -> tuple[str, str]:
    """BTK's time over that of a row, and what it should be."""
    if not np.isfinite(ratio):
        return "", ""
    goal = SPEED_GOAL if name.startswith("device") else 1.0
    return f"{ratio:.1f}", "" if name == "BTK" else f"{goal:.0f}, {_met(ratio >= goal)}"


def _met(met: bool) -> str:
    return "met" if met else "missed"


def main(
    blends: int = 24,
    noisy_blends: int = 96,
    catalog: Path | None = None,
    btk_python: Path | None = None,
    batch_size: int = 32,
    batches: int = 9,
    out: Path = RESULTS / "generation.md",
) -> None:
    """Draw, compare, time, and write the tables.

    Parameters
    ----------
    blends
        Of each survey, for the comparison of images.
    noisy_blends
        Of each survey, for the noise.
    catalog
        A CATSIM table (FITS), for BTK's galaxies and for the times.
    btk_python
        An interpreter that has BTK: python -m venv btk && btk/bin/pip install blending-toolkit "numpy<2.4".
    batch_size, batches
        Blends drawn together, and how many such batches are timed.
    out
        Where the result goes.
    """
    lines = ["# Generation", "", provenance("galsim", "surveycodex"), ""]
    lines += parity_lines(blends) + noise_lines(noisy_blends) + btk_lines(catalog)
    write(out, lines + speed_lines(catalog, btk_python, batch_size, batches))


if __name__ == "__main__":
    tyro.cli(main)
