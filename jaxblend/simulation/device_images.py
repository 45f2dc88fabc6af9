"""Noiseless images of single sources, drawn on the device: the light of `galsim_truth` by the formulas of the renderer.

Each source is drawn alone on a periodic grid that holds all of it, so that its image depends neither on its neighbours
nor on its batch.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, Int

from jaxblend.forward import profiles
from jaxblend.forward.galaxies import sheared_k2
from jaxblend.forward.render import Grid, to_pixels
from jaxblend.simulation.grid import frame_of
from jaxblend.simulation.sources import SkySources
from jaxblend.simulation.survey import Survey

__all__ = ["Lights", "check_drawable", "draw_lights", "lights_of"]


class Lights(NamedTuple):
    """S sources as bulge, disk and point.

    Attributes
    ----------
    place : (S, 2)
        Along x and y from the stamp centre, arcsec.
    radius : (S, 2)
        Half-light radius of bulge and disk, arcsec.
    shear : (S, 2, 2)
        Reduced shear of bulge and disk.
    flux : (S, 3, C)
        Of bulge, disk and point, electrons.
    """

    place: Float[Any, "*S 2"]
    radius: Float[Any, "*S 2"]
    shear: Float[Any, "*S 2 2"]
    flux: Float[Any, "*S 3 C"]


def check_drawable(sources: SkySources) -> None:
    """Check that sources are bulges, disks and points.

    Raises
    ------
    ValueError
        If one has a GalSim profile of its own.
    """
    if sources.profile is not None and any(profile is not None for profile in sources.profile):
        raise ValueError(
            'Got sources with GalSim profiles and backend="device", which draws bulges, disks and points: leave '
            'backend="galsim"; read_cosmos and read_sources make no such profiles with sersic="round".'
        )


def lights_of(sources: SkySources, offsets: np.ndarray, survey: Survey) -> Lights:
    """Describe sources, in the bands of a survey, at places (n, 2), arcsec, as NumPy arrays of float32.

    Raises
    ------
    ValueError
        As `check_drawable`.
    """
    check_drawable(sources)
    share = np.stack([sources.bulge_fraction, sources.disk_fraction, sources.point_fraction], axis=1)
    dark = np.all(share[:, :2] == 0, axis=2)
    radius = np.where(dark, 0.0, np.stack([sources.bulge_radius, sources.disk_radius], axis=1))
    shear = np.where(np.expand_dims(dark, 2), 0.0, np.stack([sources.bulge_g, sources.disk_g], axis=1))
    flux = share * sources.flux(survey)[:, None]
    return Lights(*(np.asarray(each, np.float32) for each in (offsets, radius, shear, flux)))


@partial(jax.jit, static_argnames=("stamp_size", "pixel_scale", "grid_size", "oversampling", "together"))
def draw_lights(
    lights: Lights,
    transfer: Inexact[Any, "T C Ky Kx"],
    count: int | Int[Array, ""],
    *,
    stamp_size: int,
    pixel_scale: float,
    grid_size: int,
    oversampling: int,
    together: bool,
) -> Float[Array, "S C H W"]:
    """Draw the first of S sources.

    Parameters
    ----------
    lights : Lights
        S of them.
    transfer : (1 or S, C, Ky, Kx)
        PSF times pixel on the grid, of all or of each.
    count : int
        How many to draw; the other images are 0, or of no use.
    stamp_size, grid_size : int
        Pixels along each axis of the images, and of the periodic grid.
    pixel_scale : float
        Arcsec per pixel.
    oversampling : int
        See `Frame`.
    together : bool
        All at once, as an accelerator wants it, or one after the other, as a CPU does.

    Returns
    -------
    (S, C, H, W) array
        Electrons.
    """
    frame = frame_of(stamp_size, pixel_scale, grid_size, oversampling)
    one = partial(_draw_one, frame=frame)
    own = len(transfer) > 1
    if together:
        return jax.vmap(one, in_axes=(0, 0 if own else None))(lights, transfer if own else transfer[0])

    def step(i, images):
        image = one(jax.tree.map(lambda leaf: leaf[i], lights), transfer[i if own else 0])
        return images.at[i].set(image)

    n, bands = len(lights.place), lights.flux.shape[-1]
    return jax.lax.fori_loop(0, count, step, jnp.zeros((n, bands, *frame.shape), lights.flux.dtype))


def _draw_one(light, transfer, *, frame):
    grid = Grid.of(frame)
    k2 = [
        sheared_k2(grid.sky_x, grid.sky_y, *shear) * radius**2
        for shear, radius in zip(light.shear, light.radius, strict=True)
    ]
    bulge, disk = profiles.de_vaucouleurs(k2[0]), profiles.exponential(k2[1])
    waves = jnp.stack([bulge, disk, jnp.ones_like(disk)])
    light_in_bands = jnp.einsum("mc,mab->cab", light.flux, waves, precision="highest")
    image = to_pixels(light_in_bands * transfer * grid.phase(light.place), frame)
    return jnp.where(_within_half_a_grid(light.place, frame), image, 0.0)


def _within_half_a_grid(place, frame):
    """Which pixels (H, W) show the source itself: further off, the periodic grid shows its other side."""
    pixel = place / frame.pixel_scale + 0.5 * (frame.shape[0] - 1)
    near = jnp.abs(jnp.arange(frame.shape[0]) - pixel[:, None]) <= 0.5 * frame.padded[0]
    return near[1][:, None] & near[0]
