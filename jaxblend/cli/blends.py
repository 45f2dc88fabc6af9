"""Options that say which blends are simulated, shared by the commands that do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from jaxblend.cli.settings import made, read_settings

if TYPE_CHECKING:
    import numpy as np

    from jaxblend.simulation import Blend, SkySources, Survey, VaryingPSF
    from jaxblend.simulation.layouts import AbstractLayout

Words = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE [NAME=VALUE ...]", help_behavior_hint="")]


@dataclass(frozen=True)
class BlendOptions:
    """Which blends are simulated. Settings NAME=VALUE are the keywords of the classes in jaxblend.simulation."""

    survey: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SURVEY [SURVEY ...]", help_behavior_hint="")] = ("LSST",)
    """Survey that observes, as surveycodex names it. Several see one sky; bands may follow: LSST:gri Euclid_VIS."""

    bands: Annotated[tuple[str, ...], tyro.conf.arg(metavar="BAND [BAND ...]", help_behavior_hint="")] = ()
    """Bands to draw (gri or g r i) where there is one survey; all of the survey's by default."""

    n: int = 10
    """How many blends."""

    seed: int = 1
    """Another seed, other blends."""

    layout: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KIND [NAME=VALUE ...]", help_behavior_hint="")] = ()
    """Which sources go where: uniform (a few, the default), isolated, pair, density, cluster or groups, with settings.
    For example: density per_arcmin2=60
    pair separation=0.5,2 flux_ratio=0.5
    cluster richness=40 radius=6 red_sequence=0.3 (the redshift)
    groups linking_length=2 (arcsec, of a --catalog with positions)."""

    n_sources: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")] = None
    """Sources in each blend of the default layout; by default at random, up to --max-sources."""

    max_sources: int = 5
    """Most sources in a blend of the default layout."""

    stamp_size: int = 64
    """Width and height of the images, pixels (of the first survey)."""

    catalog: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """CATSIM table, or any with mag_<band> and shapes; by default a built-in population of galaxies and stars. In bands
    that a CATSIM table lacks, magnitudes are interpolated between its ugrizy."""

    columns: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=COLUMN [...]", help_behavior_hint="")] = ()
    """Columns of the catalogue with other names: mag_i=i_mag radius=hlr (see jaxblend.simulation.read_sources)."""

    max_magnitude: float = 25.3
    """Faintest magnitude (i band where there is one)."""

    selection: Words = ()
    """Other cuts: min_snr=10 min_separation=0.4 (arcsec) magnitude_band=r."""

    shear: Annotated[tuple[str, ...], tyro.conf.arg(metavar="G1 G2|FILE", help_behavior_hint="")] = ()
    """Reduced shear of all blends, or a table with columns g1, g2, of which each blend draws a row."""

    noise: Literal["poisson", "gaussian", "sky", "none"] = "poisson"
    """Counted electrons, Gaussian noise of the same variance, Gaussian noise of the sky alone, or none."""

    variance: Literal["sky", "model"] | None = None
    """What the weight is made of: the sky alone, or sky and sources; by default as the noise."""

    noise_correlation: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE [FILE ...]", help_behavior_hint="")] = ()
    """How noise is correlated, .npy or FITS as for jaxblend fit; with --noise gaussian or sky. White by default."""

    psf: Words = ()
    """kolmogorov, moffat or airy; with settings another for each blend: moffat width_scatter=0.1 band_scatter=0.03."""

    decentring: Literal["perfect", "pixel", "peak"] = "perfect"
    """Positions that go with the images: the true ones, those moved within a pixel, or detected peaks."""

    artefacts: Words = ()
    """Defects of the detector: cosmic_rays=2 bad_columns=0.5 dead_pixels=0.001 saturation=1e5."""

    backend: Literal["galsim", "device"] = "galsim"
    """What draws: GalSim, or JAX in batches, for many blends."""

    rotate: bool = False
    """Turn each source by a random angle."""

    dither: bool = False
    """Move each scene by up to half a pixel."""

    def surveys(self) -> tuple[Survey, ...]:
        """Look up the surveys.

        Raises
        ------
        ValueError
            If there is no such survey or band, or bands are given for several surveys together.
        """
        from jaxblend.io.surveys import get_survey

        given = " ".join(self.survey)
        if not given:
            raise ValueError("Got --survey without a name, expected at least one, such as LSST.")
        if self.bands and (len(self.survey) > 1 or ":" in given):
            raise ValueError(f"Got --bands with --survey {given}: write the bands behind each name, as in LSST:gri.")
        bands = self.bands[0] if len(self.bands) == 1 else self.bands or None
        parted = [name.partition(":") for name in self.survey]
        return tuple(get_survey(name, own or bands) for name, _, own in parted)

    def simulate(self) -> tuple[tuple[Survey, ...], Iterator[tuple[Blend, ...]]]:
        """Simulate: the surveys, and for each blend what each survey sees, drawn when it is asked for.

        Where the seeds are not the true positions, the truth has them as ``seed_x, seed_y``.

        Raises
        ------
        ValueError, OSError
            If an option is out of range, or a file cannot be read.
        """
        if self.n < 1:
            raise ValueError(f"Got --n {self.n}, expected 1 or more.")
        surveys = self.surveys()
        drawn = self._draw(surveys, self._options(surveys))
        if self.decentring == "perfect":
            return surveys, drawn
        return surveys, (tuple(_with_seeds(blend) for blend in blends) for blends in drawn)

    def _draw(self, surveys: Sequence[Survey], options: dict[str, Any]) -> Iterator[tuple[Blend, ...]]:
        import jax

        from jaxblend.simulation import simulate_blends, simulate_surveys

        key = jax.random.key(self.seed)
        if len(surveys) == 1:
            return ((blend,) for blend in simulate_blends(surveys[0], self.n, key=key, **options))
        return (simulate_surveys(surveys, key=jax.random.fold_in(key, i), **options) for i in range(self.n))

    def _options(self, surveys: Sequence[Survey]) -> dict[str, Any]:
        """What the functions in Python take."""
        from jaxblend.simulation import Artefacts, Selection

        cuts = {"max_magnitude": self.max_magnitude} | read_settings("--selection", self.selection)
        defects = read_settings("--artefacts", self.artefacts)
        return {
            "layout": _layout(self.layout),
            "n_sources": self.n_sources,
            "max_sources": self.max_sources,
            "stamp_size": self.stamp_size,
            "catalog": _sources(self.catalog, self.columns, surveys),
            "selection": made("--selection", Selection, cuts),
            "shear": _shear(self.shear),
            "noise": False if self.noise == "none" else self.noise,
            "noise_correlation": _correlation(self.noise_correlation, surveys[0]),
            "variance": self.variance,
            "psf": _psf(self.psf),
            "decentring": self.decentring,
            "artefacts": made("--artefacts", Artefacts, defects) if defects else None,
            "backend": self.backend,
            "rotate": self.rotate,
            "dither": self.dither,
        }


def _correlation(paths: tuple[str, ...], survey: Survey) -> np.ndarray | None:
    from jaxblend.cli.inputs import naming
    from jaxblend.forward.noise_checks import noise_correlation
    from jaxblend.io.noise import read_noise_correlation

    if not paths:
        return None
    with naming(paths[0]):
        return noise_correlation(read_noise_correlation(paths, bands=survey.bands), len(survey.bands))


def _psf(words: Sequence[str]) -> str | VaryingPSF | None:
    from jaxblend.simulation import VaryingPSF

    kinds = [word for word in words if "=" not in word]
    if len(kinds) > 1:
        raise ValueError(f"Got --psf {' '.join(words)}, expected one kind, and settings as NAME=VALUE.")
    kind = kinds[0] if kinds else None
    settings = read_settings("--psf", [word for word in words if "=" in word])
    return made("--psf", VaryingPSF, {"kind": kind} | settings) if settings else kind


def _layout(words: Sequence[str]) -> AbstractLayout | None:
    from jaxblend.simulation import Cluster, Density, Groups, Isolated, Pair, RedSequence, Uniform

    if not words:
        return None
    kinds = {kind.__name__.lower(): kind for kind in (Uniform, Density, Pair, Isolated, Cluster, Groups)}
    name, *settings = words
    if name.lower() not in kinds:
        raise ValueError(f"Got --layout {name}, expected one of {', '.join(kinds)}, and then its settings.")
    option = f"--layout {name}"
    given = read_settings(option, settings)
    redshift = given.get("red_sequence")
    if redshift is not None:
        given["red_sequence"] = made(f"{option} red_sequence", RedSequence, {"redshift": redshift})
    return made(option, kinds[name.lower()], given)


def _sources(path: Path | None, columns: Sequence[str], surveys: Sequence[Survey]) -> SkySources | None:
    """Read the catalogue; a table that says what its columns are, or has magnitudes by our names, is not CATSIM's."""
    from jaxblend.cli.inputs import naming
    from jaxblend.simulation import read_catsim, read_sources

    if path is None:
        if columns:
            raise ValueError("Got --columns without --catalog: name the file that has them.")
        return None
    with naming(path):
        table = _table(path)
        if columns or any(name.startswith("mag_") for name in table.colnames):
            named = {name: str(value) for name, value in read_settings("--columns", columns).items()}
            return read_sources(table, surveys, columns=named)
        return read_catsim(table, surveys, interpolate=True)


def _table(path: Path) -> Any:
    from astropy.table import Table

    from jaxblend.io.tables import read_table

    return read_table(path) if path.suffix.lower() in (".parquet", ".ecsv", ".csv") else Table.read(path)


def _shear(words: Sequence[str]) -> Any:
    import numpy as np

    from jaxblend.cli.inputs import naming
    from jaxblend.io.tables import read_table

    if not words:
        return None
    if len(words) == 1:
        with naming(words[0]):
            table = read_table(words[0])
            missing = [name for name in ("g1", "g2") if name not in table.colnames]
            if missing:
                raise ValueError(f"it has the columns {table.colnames}, expected g1 and g2.")
            return np.stack([np.asarray(table[name], float) for name in ("g1", "g2")], axis=1)
    try:
        g1, g2 = map(float, words)
    except ValueError:
        raise ValueError(f"Got --shear {' '.join(words)}, expected two numbers, or a table with g1 and g2.") from None
    return (g1, g2)


def _with_seeds(blend: Blend) -> Blend:
    from jaxblend.simulation.truth import with_seeds

    return replace(blend, truth=with_seeds(blend.truth, blend.seeds))
