"""The command that trains: morphology, then the flow, then a file that galaxies are made of."""

import numpy as np
import pytest

import jaxblend as jb
from jaxblend.cli.main import main
from jaxblend.io.tables import read_table
from jaxblend.io.weights import read_weights

pytest.importorskip("flax")

CONFIG = """
flow_galaxies = 64
[morphology]
latent = 4
splats = 6
hidden = 16
features = [8, 8]
side = 16
[training]
steps = {steps}
batch_size = 8
every = 10
[flow]
layers = 2
width = 8
[flow_training]
steps = 20
batch_size = 32
every = 10
"""


@pytest.mark.slow
def test_training_ends_in_galaxies_that_can_be_loaded(tmp_path, capsys):
    config = tmp_path / "run.toml"
    config.write_text(CONFIG.format(steps=20))
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
