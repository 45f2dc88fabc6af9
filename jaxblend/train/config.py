"""What a training run is told, from a TOML file."""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxblend.io.atomic import to_json
from jaxblend.nets.flow import CouplingSize, FlowSize
from jaxblend.nets.sizes import EncoderSize
from jaxblend.train.blends import Sky
from jaxblend.train.cosmos import Cosmos
from jaxblend.train.loop import Schedule
from jaxblend.train.morphology import Morphology

__all__ = ["Config", "differences", "read_config"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Networks and schedules; a table of the file for each.

    Attributes
    ----------
    morphology, training
        The autoencoder of galaxies.
    cosmos
        Real galaxies that it is trained on as well; none by default.
    flow, flow_training
        The flow of its latent vectors.
    flow_galaxies
        Encoded galaxies that the flow is trained on.
    population, population_training, population_galaxies
        As these three, of the coupling of the latent vector with magnitude, size, ellipticity and colours.
    sky, encoder
        Blends that a deblending encoder is trained on, and its networks.
    glance_training, encoder_training
        Of its two passes; a batch is one of blends.
    """

    morphology: Morphology = dataclasses.field(default_factory=Morphology)
    training: Schedule = dataclasses.field(default_factory=lambda: Schedule(steps=16_000, every=500))
    cosmos: Cosmos = dataclasses.field(default_factory=Cosmos)
    flow: FlowSize = dataclasses.field(default_factory=FlowSize)
    flow_training: Schedule = dataclasses.field(default_factory=lambda: Schedule(steps=6000, batch_size=256))
    flow_galaxies: int = 20_000
    population: CouplingSize = dataclasses.field(default_factory=CouplingSize)
    population_training: Schedule = dataclasses.field(default_factory=lambda: Schedule(steps=2500, batch_size=128))
    population_galaxies: int = 40_000
    sky: Sky = dataclasses.field(default_factory=Sky)
    encoder: EncoderSize = dataclasses.field(default_factory=EncoderSize)
    glance_training: Schedule = dataclasses.field(default_factory=lambda: Schedule(steps=4000))
    encoder_training: Schedule = dataclasses.field(default_factory=lambda: Schedule(steps=2000))

    def __post_init__(self):
        for name in ("flow_galaxies", "population_galaxies"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be at least 2, got {getattr(self, name)}")


def read_config(path: str | os.PathLike) -> Config:
    """Read a file; what it leaves out has its default.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is not TOML, has a name that means nothing, or a value of the wrong kind or out of range.
    """
    path = Path(path)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    return _filled(Config(), found, str(path))


def differences(config: Config, stored: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Entries in which a configuration differs from one that was read from JSON, and what each has.

    Parameters
    ----------
    config
        What is told now.
    stored
        What was told then.
    names
        Of the tables, and of entries outside of them, that are compared.
    """
    stored = {"cosmos": dataclasses.asdict(Cosmos()), **stored}  # there was no such table once
    then, now = _entries(stored, names), _entries(json.loads(to_json(dataclasses.asdict(config))), names)
    both = {name: (then.get(name), now.get(name)) for name in then | now}
    return [f"{name} = {a} (now {b})" for name, (a, b) in both.items() if a != b]


def _entries(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Entries of tables under dotted names."""
    found = {}
    for name in names:
        value = config.get(name)
        found |= {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
    return found


def _filled(default: Any, found: dict[str, Any], where: str) -> Any:
    names = [field.name for field in dataclasses.fields(default)]
    if unknown := sorted(set(found) - set(names)):
        raise ValueError(f"{where} has {unknown}, expected some of {names}")
    values = {name: _value(getattr(default, name), value, f"{where}: {name}") for name, value in found.items()}
    try:
        return dataclasses.replace(default, **values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _value(default: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(default):
        if not isinstance(value, dict):
            raise ValueError(f"{where} must be a table, got {value!r}")
        return _filled(default, value, where)
    if isinstance(default, tuple):
        if isinstance(value, list) and all(type(one) is type(default[0]) for one in value):
            value = tuple(value)
    elif isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(default):
        raise ValueError(f"{where} must be like {default!r}, got {value!r}")
    return value
