"""One sky, two instruments: HSC in five bands and HST in F814W, fitted together and HSC alone.

Run from the repository: python -m experiments.hsc_hst.run ../shared/data/hsc_hst
"""

import sys
from pathlib import Path

import numpy as np

import jaxblend as jb
from benchmarks.peers.timing import timed
from benchmarks.reporting import provenance, table, write
from experiments.hsc_hst import data
from experiments.hsc_hst.information import flux_error_ratios

HERE = Path(__file__).parent


def sky_table(bands, skies):
    rows = [(b, f"{s.level:.3f}", f"{s.rms:.3f}", f"{s.correlation:.2f}") for b, s in zip(bands, skies, strict=True)]
    return table(("band", "level taken away", "rms", "correlation of neighbours"), rows)


def ratio_table(alone, joint, bands, n_shared):
    """Flux errors of the joint fit over those of HSC alone, and the fluxes' ratios."""
    rows = []
    errors, fluxes = (
        np.array([joint.catalog[f"flux_{b}{end}"] / alone.catalog[f"flux_{b}{end}"] for b in bands]).T
        for end in ("_err", "")
    )
    for source, (error, flux) in enumerate(zip(errors, fluxes, strict=True)):
        name = f"{source}" if source < n_shared else f"{source} (outside of the HST image)"
        rows.append((name, *_rounded(error), ", ".join(_rounded(flux))))
    rows.append((f"median of {n_shared}", *_rounded(np.median(errors[:n_shared], axis=0)), ""))
    head = ("source", *bands, f"flux ratio, {', '.join(bands)}")
    return table(head, rows), float(np.median(errors[:n_shared]))


def chi2_table(alone, joint):
    rows = []
    for name, fit in (("HSC alone", alone), ("joint", joint)):
        cells = _rounded(fit.chi2) + [""] * (len(joint.bands) - len(fit.bands))
        rows.append((name, *cells, fit.outcome.value, ", ".join(map(str, fit.flags))))
    return table(("fit", *joint.bands, "outcome", "flags"), rows)


def information_table(joint, bands, n_shared):
    """Relative flux errors at the joint fit's model, with HST over without."""
    ratios = flux_error_ratios(joint)[:, : len(bands)]
    rows = [(source, *_rounded(each)) for source, each in enumerate(ratios)]
    median = (f"median of {n_shared}", *_rounded(np.median(ratios[:n_shared], axis=0)))
    return table(("source", *bands), [*rows, median])


def shape_table(alone, joint):
    """Errors of radius and ellipticity, joint over alone."""
    names = ("radius", "g1", "g2", "bulge_fraction")
    rows = []
    for source in range(alone.n):
        ratios = [joint.catalog[f"{n}_err"][source].value / alone.catalog[f"{n}_err"][source].value for n in names]
        rows.append((source, *_rounded(ratios)))
    return table(("source", *names), rows)


def _rounded(values):
    return [f"{value:.2f}" for value in values]


def main(folder):
    hsc, hsc_skies = data.read(folder, "HSC", data.HSC_BANDS)
    hst, hst_skies = data.read(folder, "HST", data.HST_BANDS)
    positions, n_shared = data.detect(hsc, hst)
    unmoved = jb.fit([hsc, hst], positions)
    hst, move = data.align(hsc, hst, positions, n_shared)
    positions, n_shared = data.detect(hsc, hst)
    alone = jb.fit(hsc, data.pixels(hsc, positions))
    joint, seconds = timed(lambda: jb.fit([hsc, hst], positions))
    ratios, median = ratio_table(alone, joint, hsc.bands, n_shared)
    write(
        HERE / "result.md",
        [
            "# HSC and HST together",
            "",
            provenance("sep"),
            "",
            f"{n_shared} sources detected on the HST image, {len(positions) - n_shared} more on HSC outside of it. "
            f"HST's WCS was moved by {move[0]:+.3f} (east) and {move[1]:+.3f} arcsec (north), which brings the most "
            "isolated source of both images together. The images carry no variance and no zero points: noise and "
            "background are those of the blank sky. "
            f"The joint fit takes {seconds:.1f} s once compiled.",
            "",
            *sky_table((*hsc.bands, *hst.bands), (*hsc_skies, *hst_skies)),
            "",
            "## chi2 per pixel",
            "",
            *chi2_table(alone, joint),
            "",
            f"Before HST's WCS was moved: {', '.join(f'{c:.2f}' for c in unmoved.chi2)}.",
            "",
            "## Flux errors, joint over HSC alone",
            "",
            *ratios,
            "",
            f"Median over sources and bands: {median:.2f}.",
            "",
            "The errors of two fits also differ because they end at different models. At the model of the joint fit, "
            "with HST over without it:",
            "",
            *information_table(joint, hsc.bands, n_shared),
            "",
            "## Errors of shapes, joint over HSC alone",
            "",
            *shape_table(alone, joint),
        ],
    )
    for number, name in enumerate(("hsc", "hst")):
        jb.plot.blend(joint, observation=number).save(HERE / f"{name}.png")
    jb.plot.blend(alone).save(HERE / "hsc_alone.png")
    joint.catalog.write(HERE / "catalog.ecsv", overwrite=True)


if __name__ == "__main__":
    main(sys.argv[1])
