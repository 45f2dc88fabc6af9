"""The command that trains: morphology, the flow, a file that galaxies are made of, and their population into it."""

import json
import sys
from dataclasses import asdict

import jax
import numpy as np
import pytest

import jaxblend as jb
from jaxblend.cli.main import main
from jaxblend.io.atomic import write_json
from jaxblend.io.tables import read_table
from jaxblend.io.weights import read_weights

pytest.importorskip("flax")

from jaxblend.train.config import read_config

CONFIG = """
flow_galaxies = 64
population_galaxies = 80
[morphology]
latent = 4
splats = 6
hidden = 16
features = [8, 8]
side = 16
[training]
steps = 20
batch_size = 8
every = 10
[flow]
layers = 2
width = 8
[flow_training]
steps = 20
batch_size = 32
every = 10
[population]
width = 16
[population_training]
steps = 40
batch_size = 32
every = 20
"""


@pytest.mark.slow
def test_training_ends_in_galaxies_that_can_be_loaded(tmp_path, capsys):
    config = tmp_path / "run.toml"
    config.write_text(CONFIG)
    run = ["--config", str(config), "--out", str(tmp_path / "out")]
    assert main(["train", "flow", *run]) == 2  # there is nothing yet whose latent vectors it could learn
    assert "train it first" in " ".join(capsys.readouterr().err.split())
    assert main(["train", "morphology", *run]) == 0
    assert "held-out galaxies: median 1 - cosine" in " ".join(capsys.readouterr().out.split())
    assert main(["train", "flow", *run]) == 0
    history = read_table(tmp_path / "out" / "morphology" / "history.ecsv")
    assert list(history["step"]) == [10, 20]
    assert history["validation_loss"][1] < history["validation_loss"][0]
    for name in ("morphology/learning_curve.png", "morphology/reconstructions.png", "flow/draws.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000
    galaxy = jb.NeuralGalaxy.load(tmp_path / "out" / "galaxy.safetensors")
    assert galaxy.latent_names == ("z0", "z1", "z2", "z3")
    card = read_weights(tmp_path / "out" / "galaxy.safetensors")[1]
    assert card["config"]["morphology"]["splats"] == 6
    assert np.isfinite(card["figures"]["validation_loss"])
    judgement = tmp_path / "out" / "morphology" / "held_out.json"
    assert (
        0 < json.loads(judgement.read_text())["one_minus_cosine_median"] == card["figures"]["one_minus_cosine_median"]
    )
    judgement.unlink()
    assert main(["train", "flow", *run]) == 0  # the same configuration goes on, here from the end
    again = read_weights(tmp_path / "out" / "galaxy.safetensors")[1]["figures"]
    assert again == {name: card["figures"][name] for name in ("validation_loss", "steps", "flow_validation_loss")}
    assert jb.NeuralGalaxy.load(tmp_path / "out" / "galaxy.safetensors").population is None
    assert main(["train", "population", *run]) == 0
    assert "nats better than without the coupling" in capsys.readouterr().out
    population = jb.NeuralGalaxy.load(tmp_path / "out" / "galaxy.safetensors").population
    assert population.coupling.names[-4:] == galaxy.latent_names
    trained = read_weights(tmp_path / "out" / "galaxy.safetensors")[1]
    assert trained["figures"] == again
    assert np.isfinite(trained["population"]["figures"]["gain"])


@pytest.fixture
def refused(tmp_path, capsys):
    """Train into the folder "out", which must not work: the one line that was printed."""

    def refused(network, old="", new=""):
        (tmp_path / "run.toml").write_text(CONFIG.replace(old, new, 1))
        run = ["train", network, "--config", str(tmp_path / "run.toml"), "--out", str(tmp_path / "out")]
        assert main(run) == 2
        printed = capsys.readouterr().err
        assert printed.startswith("error: ")
        assert len(printed.splitlines()) == 1
        return printed

    return refused


@pytest.fixture
def left(tmp_path):
    """Leave what a run with the configuration above leaves in the folder "out", but for the weights."""

    def left(network):
        (tmp_path / "left.toml").write_text(CONFIG)
        folder = tmp_path / "out" / network
        (folder / "checkpoints" / "20").mkdir(parents=True)
        write_json({"config": asdict(read_config(tmp_path / "left.toml"))}, folder / "options.json")

    return left


@pytest.mark.parametrize("package", ["optax", "orbax.checkpoint", "safetensors"])
def test_what_is_not_installed_is_named(refused, monkeypatch, tmp_path, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert f"training needs {package} " in (printed := refused("morphology"))
    assert 'pip install "jaxblend[nets]"' in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("network", "table"),
    [("morphology", "training"), ("flow", "flow_training"), ("population", "population_training")],
)
def test_a_loss_that_is_not_finite_says_what_to_lower(refused, left, monkeypatch, tmp_path, network, table):
    def diverge(*_):
        raise FloatingPointError("the validation loss is nan after 10 steps: lower learning_rate")

    left("morphology")
    left("flow")
    monkeypatch.setattr(f"jaxblend.cli.train._{network}", diverge)
    expected = f"after 10 steps: lower learning_rate in [{table}] of --config, and remove {tmp_path / 'out' / network}"
    assert expected in refused(network)


def test_galaxies_that_are_not_there_are_named(refused):
    expected = "nowhere.fits is not there: give the file of a galsim.RealGalaxyCatalog"
    assert expected in refused("morphology", "[flow]", '[cosmos]\npath = "nowhere.fits"\n[flow]')


def test_a_flow_needs_a_morphology(refused, tmp_path):
    printed = refused("flow")
    assert "train it first, with jaxblend train morphology --out" in printed
    assert not (tmp_path / "out").exists()


def test_a_population_needs_a_flow(refused, left):
    left("morphology")
    assert "which the population builds on: train it first, with jaxblend train flow --out" in refused("population")


@pytest.mark.parametrize(
    ("network", "old", "new", "where", "expected"),
    [
        ("morphology", "latent = 4", "latent = 8", "morphology", "morphology.latent = 4 (now 8)"),
        ("morphology", "steps = 20", "steps = 40", "morphology", "training.steps = 20 (now 40)"),
        ("flow", "splats = 6", "splats = 7", "morphology", "morphology.splats = 6 (now 7)"),
        ("flow", "width = 8", "width = 9", "flow", "flow.width = 8 (now 9)"),
        ("flow", "batch_size = 32", "batch_size = 16", "flow", "flow_training.batch_size = 32 (now 16)"),
        ("flow", "galaxies = 64", "galaxies = 65", "flow", "flow_galaxies = 64 (now 65)"),
        ("population", "[flow]\nlayers = 2", "[flow]\nlayers = 3", "flow", "flow.layers = 2 (now 3)"),
        ("population", "width = 16", "width = 17", "population", "population.width = 16 (now 17)"),
    ],
)
def test_another_configuration_is_refused_in_the_same_folder(
    refused, left, tmp_path, network, old, new, where, expected
):
    for each in ("morphology", "flow", "population"):
        left(each)
    before = (tmp_path / "out" / network / "options.json").read_text()
    printed = refused(network, old, new)
    assert f"out/{where} has a network that was trained with {expected}: give that configuration" in printed
    assert (tmp_path / "out" / network / "options.json").read_text() == before


ENCODER = """
[sky]
bands = ["r", "i"]
sources = 2
reach = 5.0
[encoder]
side = 15
width = 8
blocks = 1
[glance_training]
steps = 8
batch_size = 4
every = 4
[encoder_training]
steps = 4
batch_size = 4
every = 2
"""


@pytest.mark.slow
def test_training_ends_in_an_encoder_that_can_be_asked(tmp_path, capsys):
    config = tmp_path / "run.toml"
    config.write_text(ENCODER)
    run = ["--config", str(config), "--out", str(tmp_path / "out")]
    assert main(["train", "encoder", *run]) == 2
    assert "train it first, with jaxblend train glance" in " ".join(capsys.readouterr().err.split())
    assert main(["train", "glance", *run]) == 0
    assert main(["train", "encoder", *run]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "answer: " in printed
    assert "% in 68% (farthest" in printed
    assert list(read_table(tmp_path / "out" / "encoder" / "history.ecsv")["step"]) == [2, 4]
    encoder = jb.DeblendingEncoder.load(tmp_path / "out" / "encoder.safetensors")
    assert (encoder.bands, encoder.pixel_scale) == (("r", "i"), 0.2)
    blend = jb.simulate(jb.get_survey("LSST", "r"), key=jax.random.key(0), n_sources=2, stamp_size=32)
    found = jb.encode(blend.observation, blend.positions, encoder=encoder)
    assert np.isfinite(found.catalog["flux_r"].value).all()
    with pytest.raises(SystemExit):
        main(["train", "everything"])
