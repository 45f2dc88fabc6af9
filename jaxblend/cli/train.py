"""jaxblend train: networks, on galaxies that are drawn as they are needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console

from jaxblend.cli.console import described, doing, say_files
from jaxblend.cli.training import history, run

if TYPE_CHECKING:
    from jaxblend.train.config import Config
    from jaxblend.train.loop import State
    from jaxblend.train.stamps import Stamps

HELD_OUT = 1_000_000  # folded into the seed: galaxies that no step has seen
SHOWN, DRAWN, JUDGED = 10, 40, 256
VERSIONS = "jax", "flax", "flowjax", "optax"
NEEDED = "flax", "optax", "orbax.checkpoint", "safetensors"
DECODER = "morphology", "training", "cosmos"  # what of the configuration a decoder depends on
FLOW = *DECODER, "flow", "flow_training", "flow_galaxies"
POPULATION = *FLOW, "population", "population_training", "population_galaxies"
GLANCE = "sky", "encoder", "glance_training"
ENCODER = *GLANCE, "encoder_training"
BEFORE = {
    "morphology": (),
    "flow": ("morphology",),
    "population": ("morphology", "flow"),
    "glance": (),
    "encoder": ("glance",),
}
DEPENDS_ON = {"morphology": DECODER, "flow": FLOW, "population": POPULATION, "glance": GLANCE, "encoder": ENCODER}
TABLES = {"morphology": "training"} | {name: f"{name}_training" for name in ("flow", "population", "glance", "encoder")}
JUDGEMENT = "held_out.json"


@dataclass(frozen=True)
class Train:
    """Train the prior of galaxy morphologies, or a deblending encoder.

    First the decoder (with the encoder that trains it), then the flow of its latent vectors, in the same folder. The
    second writes galaxy.safetensors, which `jaxblend.NeuralGalaxy.load` reads. The population, how morphologies go with
    magnitudes, sizes and colours, is trained after both and written into that file, too. Each has its learning curve,
    the first two have pictures. Of an encoder the first pass is trained first (glance), then the second, which writes
    encoder.safetensors for `jaxblend.DeblendingEncoder.load`. A run that was ended goes on where it was, to the same
    weights. Another configuration needs another folder; so do more steps, since the learning rate falls over all of
    them.

    For example:

        jaxblend train morphology --out trained
        jaxblend train flow --out trained
        jaxblend train population --out trained
        jaxblend train morphology --config larger.toml --out larger
        jaxblend train glance --out encoder
        jaxblend train encoder --out encoder
    """

    network: Annotated[Literal["morphology", "flow", "population", "glance", "encoder"], tyro.conf.Positional]
    """What to train."""

    out: Path = Path("jaxblend-trained")
    """Folder; made if it is not there."""

    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """TOML file with tables [morphology], [training], [cosmos], [flow], [flow_training], [population],
    [population_training], [sky], [encoder], [glance_training], [encoder_training]; what it leaves out has its
    default."""

    def run(self, console: Console) -> None:
        """Train, and write what came of it."""
        _check_installed()
        from jaxblend.cli.train_encoder import train_encoder, train_glance
        from jaxblend.io.atomic import write_json
        from jaxblend.train.config import Config, read_config

        config = Config() if self.config is None else read_config(self.config)
        self._check_folder(config)
        folder = self.out / self.network
        folder.mkdir(parents=True, exist_ok=True)
        files = {"options": write_json(described("train", self) | {"config": asdict(config)}, folder / "options.json")}
        try:
            steps = {"morphology": _morphology, "flow": _flow, "population": _population}
            steps |= {"glance": train_glance, "encoder": train_encoder}
            files |= steps[self.network](config, self.out, console)
        except FloatingPointError as error:
            raise ValueError(f"{error} in [{TABLES[self.network]}] of --config, and remove {folder}") from error
        say_files(console, self.out, files)

    def _check_folder(self, config: Config) -> None:
        """See that what comes before has been trained, and that all that is there was trained as is told now."""
        for network in BEFORE[self.network]:
            if not _has_checkpoints(self.out / network):
                raise FileNotFoundError(
                    f"{self.out / network} has no trained network, which the {self.network} builds on: train it first, "
                    f"with jaxblend train {network} --out {self.out}"
                )
        for network in (*BEFORE[self.network], self.network):
            _check_same(config, self.out / network, DEPENDS_ON[network])


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


def _morphology(config: Config, out: Path, console: Console) -> dict[str, Path]:
    """The autoencoder."""
    import equinox as eqx
    import jax
    import numpy as np

    from jaxblend.io.atomic import write_json
    from jaxblend.plot.training import reconstructions_picture
    from jaxblend.train.morphology import make, negative_elbo
    from jaxblend.train.pictures import chi2_per_pixel, cosines, reconstructions

    folder = out / "morphology"
    seed, side = jax.random.key(config.training.seed), config.morphology.side
    loss = partial(negative_elbo, side=side, batch_size=config.training.batch_size)
    stamps, unseen_stamps = _real_galaxies(config, console)
    held_out = None
    if stamps is not None:
        share = config.cosmos.share
        loss, held_out = (eqx.Partial(loss, stamps=some, share=share) for some in (stamps, unseen_stamps))
    (folder / JUDGEMENT).unlink(missing_ok=True)  # until these weights are judged
    model, state = run(make(config.morphology, seed), loss, config.training, folder, console, held_out)
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
        **history(state, folder, "nats of a galaxy above the noise"),
        "judgement": write_json(judgement, folder / JUDGEMENT),
        "reconstructions": picture.save(folder / "reconstructions.png", dpi=80.0),
    }


def _flow(config: Config, out: Path, console: Console) -> dict[str, Path]:
    """The flow, and the galaxy model of both."""
    import jax
    import numpy as np

    from jaxblend.nets.flow import make_flow
    from jaxblend.nets.storage import write_galaxy
    from jaxblend.plot.training import draws_picture
    from jaxblend.train.latents import encoded, negative_log_density
    from jaxblend.train.loop import trained
    from jaxblend.train.morphology import make
    from jaxblend.train.pictures import prior_draws

    seed, side = jax.random.key(config.flow_training.seed), config.morphology.side
    model, before = trained(make(config.morphology, seed), config.training, out / "morphology" / "checkpoints")
    stamps, _ = _real_galaxies(config, console)
    real = {"stamps": stamps, "share": config.cosmos.share}
    with doing(console, f"encoding {config.flow_galaxies} galaxies"):
        mean, scale = encoded(model, jax.random.fold_in(seed, 1), side=side, n=config.flow_galaxies, **real)
    loss = partial(negative_log_density, mean=mean, scale=scale, batch_size=config.flow_training.batch_size)
    folder = out / "flow"
    flow, state = run(
        make_flow(config.morphology.latent, config.flow, seed), loss, config.flow_training, folder, console
    )
    judgement = out / "morphology" / JUDGEMENT
    about = _about(config, before, state, json.loads(judgement.read_text()) if judgement.is_file() else {})
    path = write_galaxy(model.decoder, flow, config.flow, about, out / "galaxy.safetensors")
    images = prior_draws(model.decoder, flow, jax.random.fold_in(seed, HELD_OUT), side=side, n=DRAWN)
    old = jax.random.uniform(jax.random.fold_in(seed, HELD_OUT + 1), (DRAWN, 1))
    picture = draws_picture(images, np.concatenate([old, 1 - old], axis=1))
    return {
        "galaxy": path,
        **history(state, folder, "nats of a galaxy"),
        "draws": picture.save(folder / "draws.png", dpi=80.0),
    }


def _population(config: Config, out: Path, console: Console) -> dict[str, Path]:
    """The coupling of the latent vector with what else is known of a galaxy, into the file of its galaxy model."""
    import equinox as eqx
    import jax

    from jaxblend.nets.flow import make_coupling
    from jaxblend.nets.galaxy import NeuralGalaxy
    from jaxblend.nets.storage import add_population
    from jaxblend.priors import Population
    from jaxblend.train.coupling import BANDS, BROAD, coupled_galaxies, coupling_loss, gain, with_broad
    from jaxblend.train.loop import trained
    from jaxblend.train.morphology import make

    seed, side = jax.random.key(config.population_training.seed), config.morphology.side
    path, folder, n = out / "galaxy.safetensors", out / "population", config.population_galaxies
    galaxy = NeuralGalaxy.load(path)
    _check_galaxy(galaxy.identity, folder)
    model, _ = trained(make(config.morphology, seed), config.training, out / "morphology" / "checkpoints")
    coupling = make_coupling(galaxy.latent, config.population, seed)
    with doing(console, f"drawing and encoding {n} galaxies"):
        galaxies = coupled_galaxies(model, galaxy, coupling.names, jax.random.fold_in(seed, 1), side=side, n=n)
    tenth, batch_size = -(-n // 10), config.population_training.batch_size
    unseen, seen = galaxies[:tenth], galaxies[tenth:]
    mixed = [with_broad(some, jax.random.fold_in(seed, 2 + i)) for i, some in enumerate((seen, unseen))]
    loss = eqx.Partial(partial(coupling_loss, batch_size=batch_size), galaxies=mixed[0])
    held_out = eqx.Partial(partial(coupling_loss, batch_size=max(batch_size, JUDGED)), galaxies=mixed[1])
    coupling, state = run(coupling, loss, config.population_training, folder, console, held_out)
    better, error = gain(coupling, unseen)
    worse = -gain(coupling, jax.random.normal(jax.random.fold_in(seed, HELD_OUT), unseen.shape))[0]
    console.print(f"held-out galaxies: {better:.2f} ± {error:.2f} nats better than without the coupling")
    console.print(f"galaxies that follow no relations: {worse:.2f} nats worse")
    about = {
        "data": f"drawn galaxies with the built-in population of the simulation, in {[list(dict(b)) for b in BANDS]}; "
        f"a share of {BROAD} follow no relations but those of the population without a coupling",
        "config": {name: value for name, value in asdict(config).items() if name.startswith("population")},
        "versions": _versions(*VERSIONS, "surveycodex"),
        "figures": {"gain": better, "gain_error": error, "loss_of_broad": worse, "steps": int(state.step)},
    }
    path = add_population(Population(coupling=coupling), config.population, about, path)
    return {"galaxy": path, **history(state, folder, "nats of a galaxy")}


def _check_galaxy(identity: str, folder: Path) -> None:
    """See that what is there of a population was learned with these galaxies, and remember it."""
    from jaxblend.io.atomic import write_json

    path = folder / "galaxy.json"
    if _has_checkpoints(folder) and (not path.is_file() or json.loads(path.read_text()) != {"identity": identity}):
        raise ValueError(f"{folder} was trained with another galaxy.safetensors: remove {folder} to train it again")
    write_json({"identity": identity}, path)


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


def _about(config: Config, morphology: State, flow: State, judgement: dict[str, float]) -> dict[str, Any]:
    """What the card of the weights says of where they come from."""
    real = f"; a share of {config.cosmos.share} are real galaxies of COSMOS (HST)" if config.cosmos.path else ""
    learned = "drawn galaxies and those of one HST band" if real else "drawn galaxies, not on real ones"
    return {
        "data": f"galaxies of jaxblend.simulation.morphology, drawn anew in every step{real}",
        "config": asdict(config),
        "versions": _versions(*VERSIONS),
        "figures": {
            "validation_loss": float(morphology.best_loss),
            "steps": int(morphology.step),
            "flow_validation_loss": float(flow.best_loss),
            **judgement,
        },
        "limits": f"Trained on {learned}; seen with pixels of 0.11 to 0.3 half-light radii.",
    }


def _versions(*names: str) -> dict[str, str]:
    return {name: version(name) for name in names}
