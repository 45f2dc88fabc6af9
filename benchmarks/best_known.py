"""How often a fit ends in the best minimum that is known: that of many dispersed starts and of the fit itself."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.blends import dispersed, on_device
from jaxblend.fitting import Fit
from jaxblend.infer.map import maximum_a_posteriori

NEAR = 0.5  # of the objective, half a chi2


def excess_over_best(fits: Sequence[Fit], starts: int, *, seed: int = 0) -> np.ndarray:
    """Objective of each fit above the best known one, (B,).

    Each start is followed to its end, on its own.

    Parameters
    ----------
    fits
        Made with ``keep_observations=True``.
    starts
        How many dispersed starts per blend; an even number.
    seed
        Of the starts.
    """
    excess = []
    for number, fit in enumerate(fits):
        item = on_device(fit.item)
        found = [float(fit.result.objective)]
        for pair in range(starts // 2):
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), number), pair)
            found.append(float(_from_two(item, jnp.asarray(fit.result.u), key)))
        excess.append(found[0] - np.nanmin(found))
    return np.array(excess)


@eqx.filter_jit
def _from_two(item, fitted, key):
    blend = item.blend()
    starts = dispersed(blend, fitted, 2, key=key)
    return jax.lax.map(lambda u: maximum_a_posteriori(blend, u[None]).objective, starts).min()
