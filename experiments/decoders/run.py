"""Two decoders of galaxies, splats and pixels, trained beside the same encoder on the same galaxies.

Run from the repository: python -m experiments.decoders.run
"""

import functools
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tyro
from flax import nnx

from benchmarks.peers.timing import median_seconds
from benchmarks.reporting import provenance, table, write
from experiments.decoders.pixels import PixelDecoder
from jaxblend.nets.autoencoder import Autoencoder
from jaxblend.nets.decoder import Decoder
from jaxblend.train.loop import Schedule, train
from jaxblend.train.morphology import Morphology, make, negative_elbo
from jaxblend.train.pictures import cosines

HERE = Path(__file__).parent
CONFIG = Morphology()
BATCH, RATE, SEED = 32, 1e-3, 0
JUDGED = 512  # held-out galaxies
WAVES = 500  # wavenumbers of a band in a fit's search
REPEATS = 30


def networks() -> dict[str, Autoencoder]:
    """Untrained; both decoders have an encoder with the same weights."""
    splats, pixels = make(CONFIG, jax.random.key(SEED)), make(CONFIG, jax.random.key(SEED))
    rngs = nnx.Rngs(SEED)
    pixels.decoder = PixelDecoder(latent=CONFIG.latent, hidden=CONFIG.hidden, components=2, rngs=rngs)
    return {"splats": splats, "pixels": pixels}


def trained(model: Autoencoder, steps: int, every: int) -> tuple[Autoencoder, list[tuple[int, float, float]]]:
    """The network with the best validation loss; steps, seconds a step and loss of each validation."""
    loss = functools.partial(negative_elbo, side=CONFIG.side, batch_size=BATCH)
    schedule = Schedule(steps=steps, batch_size=BATCH, learning_rate=RATE, every=every, seed=SEED)
    curve = []
    for best, _, at in train(model, loss, schedule):
        model = best
        curve.append((at.step, 1 / at.steps_per_second, at.validation_loss))
        print(f"step {at.step}: validation loss {at.validation_loss:.2f}", flush=True)
    return model, curve


def milliseconds(decoder: Decoder) -> tuple[float, float]:
    """Of a galaxy at the wavenumbers of a fit, which no shear leaves on a grid, alone and with all slopes by z."""
    kx, ky = jax.random.normal(jax.random.key(1), (2, 1, WAVES))
    z = jnp.zeros(CONFIG.latent)

    def slopes(z):
        return jax.vmap(lambda way: jax.jvp(lambda z: decoder.waves(z, kx, ky), (z,), (way,))[1])(jnp.eye(len(z)))

    def taken(call):
        compiled = jax.jit(call)
        return 1e3 * median_seconds(lambda: compiled(z).block_until_ready(), repeats=REPEATS)

    return taken(lambda z: decoder.waves(z, kx, ky)), taken(slopes)


def main(steps: int = 4000, every: int = 500) -> None:
    """Train both and write result.md.

    Parameters
    ----------
    steps
        Of training.
    every
        Steps between two validations.
    """
    rows, curves = [], {}
    for name, model in networks().items():
        model, curves[name] = trained(model, steps, every)
        apart = 1 - cosines(model, jax.random.key(SEED + 1), side=CONFIG.side, n=JUDGED)
        size = sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(model.decoder, eqx.is_inexact_array)))
        judged = [f"{np.quantile(apart, share):.2e}" for share in (0.5, 0.9)]
        alone, slopes = milliseconds(model.decoder)
        seconds = np.median([each[1] for each in curves[name][1:]])  # the first has waited for the compiler
        loss = min(each[2] for each in curves[name])
        rows.append((name, size, f"{1e3 * seconds:.0f}", f"{loss:.2f}", *judged, f"{alone:.2f}", f"{slopes:.2f}"))
    head = ["decoder", "parameters", "ms per training step", "validation loss, nats", "1 - cosine, median", "90 %"]
    head += [f"transform at {WAVES} wavenumbers, ms", "with its slopes, ms"]
    losses = [
        (step, *(f"{curves[name][i][2]:.2f}" for name in curves)) for i, (step, *_) in enumerate(curves["splats"])
    ]
    write(
        HERE / "result.md",
        [
            "# Decoders: splats and pixels",
            "",
            provenance("flax", "optax"),
            "",
            f"Latent vectors of {CONFIG.latent}, {steps} steps of {BATCH} galaxies. The loss is that of "
            "held-out galaxies, above the",
            f"noise alone; cosines are those of {JUDGED} more, without noise.",
            "",
            *table(head, rows),
            "",
            "Validation loss on the way, nats:",
            "",
            *table(["steps", *curves], losses),
        ],
    )


if __name__ == "__main__":
    tyro.cli(main)
