"""Galaxies that GalSim draws: smooth ones, the same with structure in the place of bulge and disk, and real ones."""

import dataclasses
import functools
from collections.abc import Sequence

import galsim
import jax
import jax.numpy as jnp
import numpy as np

import jaxblend as jb
from jaxblend.simulation.cosmos import read_cosmos
from jaxblend.simulation.morphology.light import brightness, structured_brightness
from jaxblend.simulation.morphology.own_frame import OwnFrame, own_frame
from jaxblend.simulation.morphology.pieces import Structure, draw_structure
from jaxblend.simulation.population import draw_population
from jaxblend.simulation.profiles import galsim_sources
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

SEED = 20261128
HELD_OUT = 2**31  # folded into the keys of structure: those of training are others
SURVEYS, BANDS, BAND = ("LSST", "HSC"), "gri", "r"
REDNESS = {"g": -0.5, "r": 0.0, "i": 0.5, "IE": 0.25}  # of bands, where shares of the old light follow it
RADII = (0.4, 1.5)  # arcsec, half-light in r
MAGNITUDES = (20.0, 22.0)  # in r, of the first galaxy: such sizes are usual there
DIFFERENCE = 1.0  # magnitudes in r between that and the others, at most
FAINTEST = 24.5  # of real galaxies in F814W: fainter stamps are noisy, and some hold a companion
CANDIDATES = 16  # of which the first with structure is taken: the generator makes some without
SIDE, PIXEL = 320, 0.05  # of images of bars and disks, in the disk's half-light radius
INDEX_STEP = 0.1  # of Sersic indices: GalSim tabulates each that it meets
SETS = ("structured", "smooth", "cosmos")
WORDS = ("companion", "arms", "clumps", "bar or ring")


@dataclasses.dataclass(frozen=True, eq=False)
class Galaxies:
    """The n galaxies of a blend.

    Attributes
    ----------
    sources : SkySources
        As a table of the truth has them.
    parts : SkySources
        What GalSim draws: equally many parts of each galaxy, galaxy after galaxy.
    structure : list of str
        A word for each.
    """

    sources: SkySources
    parts: SkySources
    structure: list[str]

    @classmethod
    def whole(cls, sources: SkySources, word: str) -> "Galaxies":
        """Of one part each."""
        return cls(sources, sources, [word] * len(sources))


@functools.cache
def survey_of(name: str) -> Survey:
    return jb.get_survey(name, BANDS)


def draw_galaxies(kind: str, number: int, n: int, survey: str, cosmos: str | None) -> Galaxies:
    """Those of a blend: smooth and structured ones have the same magnitudes, sizes and ellipticities."""
    place = SURVEYS.index(survey)
    rng = np.random.default_rng([SEED, place, number, 0])
    if kind == "cosmos":
        return Galaxies.whole(_real(rng, n, str(cosmos)), "real")
    smooth = smooth_galaxies(rng, n, survey_of(survey))
    if kind == "smooth":
        return Galaxies.whole(smooth, "smooth")
    held_out = jax.random.fold_in(jax.random.key(SEED), HELD_OUT + place)
    return structured_galaxies(smooth, jax.random.fold_in(held_out, number))


def smooth_galaxies(
    rng: np.random.Generator, n: int, surveys: Survey | Sequence[Survey], magnitudes: tuple[float, float] = MAGNITUDES
) -> SkySources:
    """Bulges and disks of the built-in population, of other sizes and brightness."""
    drawn = draw_population(rng, n, surveys, star_fraction=0.0)
    larger = np.exp(rng.uniform(*np.log(RADII), n)) / drawn.half_light_radius(BAND)
    return dataclasses.replace(
        drawn,
        magnitude=_relative_to_first(rng, drawn.magnitude, drawn.bands.index(BAND), rng.uniform(*magnitudes)),
        bulge_radius=larger * drawn.bulge_radius,
        disk_radius=larger * drawn.disk_radius,
    )


def _real(rng: np.random.Generator, n: int, folder: str) -> SkySources:
    """HST images, turned; no galaxy twice in a blend, and the first of its own brightness."""
    real = _read_real(folder)
    chosen = real.take(rng.choice(len(real), n, replace=False)).rotated(rng.uniform(0.0, 2 * np.pi, n))
    band = BANDS.index(BAND)
    magnitude = _relative_to_first(rng, chosen.magnitude, band, chosen.magnitude[0, band])
    return dataclasses.replace(chosen, magnitude=magnitude)


@functools.cache
def _read_real(folder: str) -> SkySources:
    catalog = galsim.COSMOSCatalog("real_galaxy_catalog.fits", dir=folder, exclusion_level="none")
    real = read_cosmos(catalog, survey_of(SURVEYS[0]), real=True)
    return real.take(np.asarray(catalog.real_cat.mag, float)[real.row] < FAINTEST)


def _relative_to_first(rng: np.random.Generator, magnitude: np.ndarray, band: int, first: float) -> np.ndarray:
    """The colours that are given; in one band the first as bright as told, the others near to it."""
    n = len(magnitude)
    wanted = first + np.append(0.0, rng.uniform(-DIFFERENCE, DIFFERENCE, n - 1))
    return magnitude + (wanted - magnitude[:, band])[:, None]


def structured_galaxies(smooth: SkySources, key: jax.Array) -> Galaxies:
    """Two parts each, an old and a young one, whose shares of the light change from band to band."""
    radius, step = smooth.half_light_radius(BAND), np.array([REDNESS[band] for band in smooth.bands])
    profiles, shares, words = [], [], []
    for i in range(len(smooth)):
        galaxy, frame, images = jax.tree.map(np.asarray, _with_structure(jax.random.fold_in(key, i)))
        old = 1 / (1 + np.exp(-galaxy.colour * step) * (1 / galaxy.old_share - 1))
        profiles += [_placed(part, frame, radius[i], smooth.disk_g[i]) for part in _both_parts(galaxy, images)]
        shares += [old, 1 - old]
        words.append(word_for(galaxy))
    parts = galsim_sources(profiles, smooth.magnitude.repeat(2, axis=0) - 2.5 * np.log10(shares), bands=smooth.bands)
    in_band = [
        profile * float(share[smooth.bands.index(BAND)]) for profile, share in zip(profiles, shares, strict=True)
    ]
    whole = [galsim.Sum(both) for both in zip(in_band[::2], in_band[1::2], strict=True)]
    return Galaxies(galsim_sources(whole, smooth.magnitude, bands=smooth.bands), parts, words)


@jax.jit
def _with_structure(key):
    """A galaxy with structure, its frame, and images of its bar and of its disk with arms and ring, without clumps."""
    many = jax.vmap(draw_structure)(jax.random.split(key, CANDIDATES))
    first = jnp.argmax(jax.vmap(lambda galaxy: jnp.stack(structures(galaxy)).max())(many) > 0)
    galaxy = jax.tree.map(lambda leaf: leaf[first], many)
    alone = galaxy._replace(companion=galaxy.companion.at[0].set(0.0))
    x, y = jnp.meshgrid(*[(jnp.arange(SIDE) - 0.5 * (SIDE - 1)) * PIXEL] * 2)
    bar, disk = structured_brightness(alone, x, y)[0], brightness(alone, x, y)[1]
    return galaxy, own_frame(galaxy), jnp.stack([bar, disk])


def structures(galaxy: Structure) -> tuple:
    """How much there is of each of `WORDS`."""
    return galaxy.companion[0], galaxy.arms[1], galaxy.clump_share.sum(), galaxy.bar[0] + galaxy.ring[0]


def word_for(galaxy: Structure) -> str:
    """The first of `WORDS` of which there is any."""
    return next(word for word, amount in zip(WORDS, structures(galaxy), strict=True) if amount > 0)


def _both_parts(galaxy: Structure, images: np.ndarray) -> tuple[galsim.GSObject, galsim.GSObject]:
    """The old and the young light, of unit flux each, in the frame of the disk."""
    share, radius, index, *rest = galaxy.companion
    bar, knots = galaxy.bar[0], galaxy.clump_share
    bulge = _sersic(galaxy.bulge_radius, galaxy.bulge_index, galaxy.bulge_shear, galaxy.bulge_place)
    clumps = [
        (light, galsim.Gaussian(sigma=float(width)).shift(*map(float, place)))
        for light, width, place in zip(knots, galaxy.clump_width, galaxy.clump_place, strict=True)
    ]
    old = _sum([(1 - bar, bulge), *_drawn(bar, images[0])])
    young = _sum([*_drawn(1 - knots.sum(), images[1]), *clumps])
    companion = _sersic(radius, index, rest[:2], rest[2:])
    old, young = (_sum([(1 - share, own), (share, companion)]) for own in (old, young))
    return old, young


def _sum(pieces: list[tuple]) -> galsim.GSObject:
    return galsim.Sum([profile * float(flux) for flux, profile in pieces if flux > 0])


def _sersic(radius, index, shear, place) -> galsim.GSObject:
    index = float(np.round(index / INDEX_STEP) * INDEX_STEP)
    profile = galsim.Sersic(n=index, half_light_radius=float(radius))
    return profile.shear(g1=float(shear[0]), g2=float(shear[1])).shift(*map(float, place))


def _drawn(flux, light) -> list[tuple]:
    """An image that has light as a piece of unit flux."""
    return [(flux, galsim.InterpolatedImage(galsim.Image(light, scale=PIXEL), flux=1.0))] if flux > 0 else []


def _placed(profile: galsim.GSObject, frame: OwnFrame, radius: float, g: np.ndarray) -> galsim.GSObject:
    """Centred and round, then of a half-light radius and an ellipticity."""
    (xx, xy), (yx, yy) = np.linalg.inv(frame.axes.astype(float)).tolist()
    own = profile.shift(*(-float(c) for c in frame.centre)).transform(xx, xy, yx, yy)
    return own.dilate(float(radius)).shear(g1=float(g[0]), g2=float(g[1]))
