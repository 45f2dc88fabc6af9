"""Training runs are told what to do by a TOML file."""

import pytest

from jaxblend.train.config import Config, read_config


def written(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def test_what_a_file_leaves_out_has_its_default(tmp_path):
    text = "[morphology]\nlatent = 8\nfeatures = [8, 16]\n[training]\nlearning_rate = 1\n"
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
        ("[morphology", "is not TOML"),
    ],
)
def test_files_that_mean_nothing_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_config(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.toml"):
        read_config(tmp_path / "no.toml")
