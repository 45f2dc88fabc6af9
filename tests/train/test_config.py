"""Training runs are told what to do by a TOML file."""

import json
from dataclasses import asdict

import pytest

from jaxblend.io.atomic import to_json
from jaxblend.train.config import Config, differences, read_config


def written(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def test_what_a_file_leaves_out_has_its_default(tmp_path):
    text = "[morphology]\nlatent = 8\nfeatures = [8, 16]\nside = 16\n[training]\nlearning_rate = 1\n"
    config = read_config(written(tmp_path, text))
    assert (config.morphology.latent, config.morphology.features, config.training.learning_rate) == (8, (8, 16), 1.0)
    assert config.flow == Config().flow
    assert config.training.steps == Config().training.steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[morphology]\nlatents = 8", r"\['latents'\], expected some of"),
        ("[morphology]\nlatent = 'many'", "latent must be like 16, got 'many'"),
        ("morphology = 3", "morphology must be a table, got 3"),
        ("[training]\nsteps = 0", "steps must be at least 1, got 0"),
        ("[training]\nbatch_size = 0", "run.toml: training: batch_size must be at least 1, got 0"),
        ("[flow_training]\nlearning_rate = 0", "learning_rate must be a finite number above 0, got 0.0"),
        ("[training]\nlearning_rate = inf", "learning_rate must be a finite number above 0, got inf"),
        ("[cosmos]\nshare = 1.5", "run.toml: cosmos: share must be above 0 and at most 1, got 1.5"),
        ("[cosmos]\nshare = 0", "share must be above 0 and at most 1, got 0.0"),
        ("[cosmos]\npath = 3", "path must be like '', got 3"),
        ("flow_galaxies = 0", "run.toml: flow_galaxies must be at least 2, got 0"),
        ("[morphology]\nlatent = 0", "latent must be at least 1, got 0"),
        ("[morphology]\nsplats = -2", "splats must be at least 1, got -2"),
        ("[morphology]\nside = 8", "side must be 64, of which 4 features leave 4 pixels, got 8"),
        ("[morphology]\nfeatures = []", r"features must be one or more multiples of 8, got \[\]"),
        ("[morphology]\nfeatures = [8, 12]", r"multiples of 8, got \[8, 12\]"),
        ("[morphology]\nfeatures = [8, 'many']", r"features must be like \(16, 32, 48, 64\), got \[8, 'many'\]"),
        ("[flow]\nwidth = 0", "width must be at least 1, got 0"),
        ("[flow]\ninterval = -1", "interval must be a finite number above 0, got -1.0"),
        ("[morphology", "is not TOML"),
    ],
)
def test_files_that_mean_nothing_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_config(written(tmp_path, text))


def test_differences_are_named_with_what_each_has(tmp_path):
    stored = json.loads(to_json(asdict(Config())))
    everything = list(stored)
    assert differences(Config(), stored, everything) == []
    config = read_config(written(tmp_path, "flow_galaxies = 9\n[morphology]\nlatent = 8\n[training]\nsteps = 3000"))
    assert differences(config, stored, ["morphology", "flow_galaxies"]) == [
        "morphology.latent = 16 (now 8)",
        "flow_galaxies = 20000 (now 9)",
    ]
    assert "training.steps = 16000 (now 3000)" in differences(config, stored, everything)
    # Runs of before there were real galaxies had none.
    del stored["cosmos"]
    assert differences(Config(), stored, everything) == []
    real = read_config(written(tmp_path, "[cosmos]\npath = 'stamps.fits'"))
    assert differences(real, stored, ["cosmos"]) == ["cosmos.path =  (now stamps.fits)"]
    assert "flow_galaxies = None (now 9)" in differences(config, {}, everything)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.toml"):
        read_config(tmp_path / "no.toml")
