"""Training of the two passes of a deblending encoder."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from jaxblend.cli.console import doing
from jaxblend.cli.training import history, run

if TYPE_CHECKING:
    from jaxblend.train.config import Config
    from jaxblend.train.deblending import Judgement

__all__ = ["train_encoder", "train_glance"]

HELD_OUT = 1_000_000  # folded into the seed: blends that no step has seen
JUDGED = 32  # batches
LABEL = "nats of a source"


def train_glance(config: Config, out: Path, console: Console) -> dict[str, Path]:
    """The first pass."""
    import equinox as eqx

    from jaxblend.train.deblending import glance_loss

    schedule = config.glance_training
    loss = eqx.Partial(partial(glance_loss, blends=schedule.batch_size), drawing=_drawing(config))
    _, state = run(_untrained(config).glance, loss, schedule, out / "glance", console)
    return history(state, out / "glance", LABEL)


def train_encoder(config: Config, out: Path, console: Console) -> dict[str, Path]:
    """The second pass, and the file of both."""
    import equinox as eqx
    import jax

    from jaxblend.nets.deblender import Encoder
    from jaxblend.nets.deblending_encoder import write_encoder
    from jaxblend.train.deblending import judge, look_loss
    from jaxblend.train.loop import trained

    schedule, drawing, untrained = config.encoder_training, _drawing(config), _untrained(config)
    glance, before = trained(untrained.glance, config.glance_training, out / "glance" / "checkpoints")
    loss = eqx.Partial(partial(look_loss, blends=schedule.batch_size), glance=glance, drawing=drawing)
    look, state = run(untrained.look, loss, schedule, out / "encoder", console)
    unseen = jax.random.fold_in(jax.random.key(schedule.seed), HELD_OUT)
    with doing(console, "holding it against fresh blends"):
        judged = judge(Encoder(glance, look), unseen, drawing=drawing, batches=JUDGED, blends=schedule.batch_size)
    for name, one in judged.items():
        console.print(f"{name}: {_described(one)}")
    survey = config.sky.numbers()
    about = {
        "data": f"blends of bulges and disks of the default population, as {survey.name} would see them, drawn anew in "
        "every step",
        "config": {name: asdict(getattr(config, name)) for name in ("sky", "glance_training", "encoder_training")},
        "versions": {name: version(name) for name in ("jax", "flax", "optax", "surveycodex")},
        "figures": {"steps": [int(before.step), int(state.step)], **{n: _figures(one) for n, one in judged.items()}},
    }
    path = write_encoder(
        Encoder(glance, look), config.encoder, survey.bands, survey.pixel_scale, about, out / "encoder.safetensors"
    )
    return {"encoder": path, **history(state, out / "encoder", LABEL)}


def _untrained(config: Config) -> Any:
    import jax

    from jaxblend.nets.sizes import make_encoder

    return make_encoder(config.encoder, len(config.sky.numbers().bands), jax.random.key(config.glance_training.seed))


def _drawing(config: Config) -> Any:
    from jaxblend.train.blends import Drawing

    return Drawing.of(config.sky, config.encoder.side)


def _described(judgement: Judgement) -> str:
    from jaxblend.train.deblending import LEVELS

    parts = zip(LEVELS, judgement.inside, judgement.farthest, strict=True)
    shares = ", ".join(f"{mean:.1%} in {level:.0%} (farthest {far:.1%})" for level, mean, far in parts)
    return f"{judgement.nats:.2f} {LABEL}; {shares}"


def _figures(judgement: Judgement) -> dict[str, Any]:
    return {name: value if isinstance(value, float) else value.tolist() for name, value in judgement._asdict().items()}
