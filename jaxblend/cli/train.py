"""jaxblend train: networks, on galaxies that are drawn as they are needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console

from jaxblend.cli.console import described, doing, progress_bar, say_files

if TYPE_CHECKING:
    from jaxblend.train.config import Config
    from jaxblend.train.loop import Schedule, State
    from jaxblend.train.stamps import Stamps

HELD_OUT = 1_000_000  # folded into the seed: galaxies that no step has seen
SHOWN, DRAWN, JUDGED = 10, 40, 256
NEEDED = "flax", "optax", "orbax.checkpoint", "safetensors"
DECODER = "morphology", "training", "cosmos"  # what of the configuration a decoder depends on
FLOW = *DECODER, "flow", "flow_training", "flow_galaxies"
JUDGEMENT = "held_out.json"


@dataclass(frozen=True)
class Train:
    """Train the prior of galaxy morphologies.

    First the decoder (with the encoder that trains it), then the flow of its latent vectors, in the same folder. The
    second writes galaxy.safetensors, which `jaxblend.NeuralGalaxy.load` reads. Each has its learning curve and
    pictures. A run that was ended goes on where it was, to the same weights. Another configuration needs another
    folder; so do more steps, since the learning rate falls over all of them.

    For example:

        jaxblend train morphology --out trained
        jaxblend train flow --out trained
        jaxblend train morphology --config larger.toml --out larger
    """

    network: Annotated[Literal["morphology", "flow"], tyro.conf.Positional]
    """What to train."""

    out: Path = Path("jaxblend-trained")
    """Folder; made if it is not there."""

    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """TOML file with tables [morphology], [training], [cosmos], [flow], [flow_training]; what it leaves out has its
    default."""

    def run(self, console: Console) -> None:
        """Train, and write what came of it."""
        _check_installed()
        from jaxblend.io.atomic import write_json
        from jaxblend.train.config import Config, read_config

        config = Config() if self.config is None else read_config(self.config)
        self._check_folder(config)
        folder = self.out / self.network
        folder.mkdir(parents=True, exist_ok=True)
        files = {"options": write_json(described("train", self) | {"config": asdict(config)}, folder / "options.json")}
        try:
            files |= (
                _morphology(config, folder, console) if self.network == "morphology" else self._flow(config, console)
            )
        except FloatingPointError as error:
            table = "training" if self.network == "morphology" else "flow_training"
            raise ValueError(f"{error} in [{table}] of --config, and remove {folder}") from error
        say_files(console, self.out, files)

    def _check_folder(self, config: Config) -> None:
        """See that networks in the folder were trained as is told now, and that a flow has a decoder."""
        morphology = self.out / "morphology"
        if self.network == "flow" and not _has_checkpoints(morphology):
            raise FileNotFoundError(
                f"{morphology} has no trained network, whose latent vectors the flow learns: train it first, with "
                f"jaxblend train morphology --out {self.out}"
            )
        _check_same(config, morphology, DECODER)
        if self.network == "flow":
            _check_same(config, self.out / "flow", FLOW)

    def _flow(self, config: Config, console: Console) -> dict[str, Path]:
        """The flow, and the galaxy model of both."""
        import jax

        from jaxblend.nets.flow import make_flow
        from jaxblend.nets.storage import write_galaxy
        from jaxblend.plot.training import draws_picture
        from jaxblend.train.latents import encoded, negative_log_density
        from jaxblend.train.loop import trained
        from jaxblend.train.morphology import make
        from jaxblend.train.pictures import prior_draws

        seed, side = jax.random.key(config.flow_training.seed), config.morphology.side
        model, before = trained(make(config.morphology, seed), config.training, self.out / "morphology" / "checkpoints")
        stamps, _ = _real_galaxies(config, console)
        real = {"stamps": stamps, "share": config.cosmos.share}
        with doing(console, f"encoding {config.flow_galaxies} galaxies"):
            mean, scale = encoded(model, jax.random.fold_in(seed, 1), side=side, n=config.flow_galaxies, **real)
        batch_size = config.flow_training.batch_size
        loss = partial(negative_log_density, mean=mean, scale=scale, batch_size=batch_size)
        folder = self.out / "flow"
        flow, state = _run(
            make_flow(config.morphology.latent, config.flow, seed), loss, config.flow_training, folder, console
        )
        judgement = self.out / "morphology" / JUDGEMENT
        about = _about(config, before, state, json.loads(judgement.read_text()) if judgement.is_file() else {})
        path = write_galaxy(model.decoder, flow, config.flow, about, self.out / "galaxy.safetensors")
        images = prior_draws(model.decoder, flow, jax.random.fold_in(seed, HELD_OUT), side=side, n=DRAWN)
        old = jax.random.uniform(jax.random.fold_in(seed, HELD_OUT + 1), (DRAWN, 1))
        import numpy as np

        picture = draws_picture(images, np.concatenate([old, 1 - old], axis=1))
        return {
            "galaxy": path,
            **_history(state, folder, "nats of a galaxy"),
            "draws": picture.save(folder / "draws.png", dpi=80.0),
        }


def _check_installed() -> None:
    """See that all is there before the first step: what writes the weights is needed only after the last."""
    for name in NEEDED:
        try:
            import_module(name)
        except ImportError as error:
            raise ValueError(f'training needs {name} ({error}): pip install "jaxblend[nets]"') from error


def _check_same(config: Config, folder: Path, names: Sequence[str]) -> None:
    """See that a network in a folder, if there is one, was trained by the same configuration."""
    from jaxblend.train.config import differences

    if not _has_checkpoints(folder):
        return
    options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
    if differing := differences(config, options.get("config", {}), names):
        raise ValueError(
            f"{folder} has a network that was trained with {', '.join(differing)}: give that configuration or "
            "another --out"
        )


def _has_checkpoints(folder: Path) -> bool:
    # Each is a folder named by its step; those not yet whole have longer names.
    return any(path.name.isdigit() for path in (folder / "checkpoints").glob("*"))


def _morphology(config: Config, folder: Path, console: Console) -> dict[str, Path]:
    """The autoencoder."""
    import equinox as eqx
    import jax
    import numpy as np

    from jaxblend.io.atomic import write_json
    from jaxblend.plot.training import reconstructions_picture
    from jaxblend.train.morphology import make, negative_elbo
    from jaxblend.train.pictures import chi2_per_pixel, cosines, reconstructions

    seed, side = jax.random.key(config.training.seed), config.morphology.side
    loss = partial(negative_elbo, side=side, batch_size=config.training.batch_size)
    stamps, unseen_stamps = _real_galaxies(config, console)
    held_out = None
    if stamps is not None:
        share = config.cosmos.share
        loss, held_out = (eqx.Partial(loss, stamps=some, share=share) for some in (stamps, unseen_stamps))
    (folder / JUDGEMENT).unlink(missing_ok=True)  # until these weights are judged
    model, state = _run(make(config.morphology, seed), loss, config.training, folder, console, held_out)
    unseen = jax.random.fold_in(seed, HELD_OUT)
    picture = reconstructions_picture(*reconstructions(model, unseen, side=side, n=SHOWN))
    apart = 1 - cosines(model, jax.random.fold_in(unseen, 1), side=side, n=JUDGED)
    median, most = float(np.median(apart)), float(np.quantile(apart, 0.9))
    console.print(f"held-out galaxies: median 1 - cosine {median:.2e}, 90 % below {most:.2e}")
    judgement = {"one_minus_cosine_median": median, "one_minus_cosine_90_percent": most}
    if unseen_stamps is not None:
        chi2 = float(np.median(chi2_per_pixel(model, jax.random.fold_in(unseen, 2), unseen_stamps, n=JUDGED)))
        console.print(f"held-out COSMOS galaxies: median chi2 per pixel {chi2:.3f}")
        judgement["cosmos_chi2_per_pixel_median"] = chi2
    return {
        **_history(state, folder, "nats of a galaxy above the noise"),
        "judgement": write_json(judgement, folder / JUDGEMENT),
        "reconstructions": picture.save(folder / "reconstructions.png", dpi=80.0),
    }


def _real_galaxies(config: Config, console: Console) -> tuple[Stamps, Stamps] | tuple[None, None]:
    """Stamps for training, and every tenth, which is held out."""
    import numpy as np

    from jaxblend.train.cosmos import read_stamps

    if not config.cosmos.path:
        return None, None
    with doing(console, f"reading galaxies of {config.cosmos.path}"):
        stamps, left_out = read_stamps(config.cosmos.path, side=config.morphology.side, most=config.cosmos.galaxies)
    apart = np.arange(len(stamps.data)) % 10 == 0
    reasons = ", ".join(f"{n} {reason}" for reason, n in left_out.most_common()) or "none"
    console.print(f"COSMOS: {np.sum(~apart)} galaxies to train on, {np.sum(apart)} held out; left out: {reasons}")
    return _rows(stamps, ~apart), _rows(stamps, apart)


def _rows(stamps: Stamps, rows: Any) -> Stamps:
    import jax
    import jax.numpy as jnp

    return jax.tree.map(lambda leaf: jnp.asarray(leaf[rows]), stamps)


def _run(
    model: Any, loss: Callable, schedule: Schedule, folder: Path, console: Console, held_out: Callable | None = None
) -> tuple[Any, State]:
    """Train with a bar; the best model and the last state."""
    from jaxblend.train.loop import train, trained

    checkpoints = folder / "checkpoints"
    with progress_bar(console) as bar:
        task = bar.add_task("training", total=schedule.steps)
        for _, _, at in train(model, loss, schedule, checkpoints, held_out=held_out):
            what = (
                f"loss {at.training_loss:.3f}, validation {at.validation_loss:.3f}, {at.steps_per_second:.1f} steps/s"
            )
            bar.update(task, completed=at.step, description=what)
    return trained(model, schedule, checkpoints)


def _history(state: State, folder: Path, label: str) -> dict[str, Path]:
    import numpy as np
    from astropy.table import Table

    from jaxblend.io.tables import write_table
    from jaxblend.plot.training import learning_curves

    history = np.asarray(state.history)
    rows = history[np.isfinite(history[:, 0])]
    table = Table(rows, names=("step", "training_loss", "validation_loss"))
    return {
        "history": write_table(table, folder / "history.ecsv"),
        "curve": learning_curves(history, label=label).save(folder / "learning_curve.png", dpi=100.0),
    }


def _about(config: Config, morphology: State, flow: State, judgement: dict[str, float]) -> dict[str, Any]:
    """What the card of the weights says of where they come from."""
    from importlib.metadata import version

    real = f"; a share of {config.cosmos.share} are real galaxies of COSMOS (HST)" if config.cosmos.path else ""
    learned = "drawn galaxies and those of one HST band" if real else "drawn galaxies, not on real ones"
    return {
        "data": f"galaxies of jaxblend.simulation.morphology, drawn anew in every step{real}",
        "config": asdict(config),
        "versions": {name: version(name) for name in ("jax", "flax", "flowjax", "optax")},
        "figures": {
            "validation_loss": float(morphology.best_loss),
            "steps": int(morphology.step),
            "flow_validation_loss": float(flow.best_loss),
            **judgement,
        },
        "limits": f"Trained on {learned}; seen with pixels of 0.11 to 0.3 half-light radii.",
    }
