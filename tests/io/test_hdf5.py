import jax
import numpy as np
import pytest

from jaxblend.io.hdf5 import BlendFile, write_blends
from jaxblend.io.surveys import get_survey
from jaxblend.simulation import simulate_blends

LSST = get_survey("LSST", "gr")


@pytest.fixture(scope="module")
def drawn():
    return list(simulate_blends(LSST, 3, key=jax.random.key(0), stamp_size=24, max_sources=3))


@pytest.fixture
def path(drawn, tmp_path):
    return write_blends(iter(drawn), tmp_path / "some_25.3")


def test_gives_back_what_was_drawn(drawn, path):
    assert path.name == "some_25.3.h5"
    with BlendFile(path) as blends:
        assert len(blends) == 3
        assert "3 blends" in repr(blends)
        for found, blend in zip(blends, drawn, strict=True):
            for name in ("image", "weight", "zero_point"):
                np.testing.assert_array_equal(getattr(found.observation, name), getattr(blend.observation, name))
            assert found.observation.bands == LSST.bands
            assert found.observation.survey == "LSST"
            frame = blend.observation.frame
            assert found.observation.frame.shape == frame.shape
            np.testing.assert_array_equal(found.observation.psf.transfer(frame), blend.observation.psf.transfer(frame))
            np.testing.assert_array_equal(found.isolated, blend.isolated)
            np.testing.assert_array_equal(found.positions, blend.positions)
            for column in blend.truth.colnames:
                assert found.truth[column].unit == blend.truth[column].unit
                np.testing.assert_array_equal(found.truth[column], blend.truth[column])
            assert found.truth.meta["reference_band"] == "r"
            assert set(found.truth["kind"]) <= {"galaxy", "star"}


def test_seeds_that_are_not_the_truth_are_kept(tmp_path):
    (blend,) = simulate_blends(LSST, 1, key=jax.random.key(1), stamp_size=24, n_sources=2, decentring="pixel")
    with BlendFile(write_blends([blend], tmp_path / "seeds")) as blends:
        found = blends[0]
    np.testing.assert_array_equal(found.positions, blend.positions)
    seeds = np.stack([np.asarray(found.truth[name]) for name in ("seed_x", "seed_y")], axis=1)
    np.testing.assert_array_equal(seeds, blend.seeds)
    assert np.abs(blend.seeds - blend.positions).max() > 0.01


def test_any_blend_by_its_number(drawn, path):
    with BlendFile(path) as blends:
        np.testing.assert_array_equal(blends[-1].observation.image, drawn[2].observation.image)
        assert [len(b.positions) for b in blends[1:]] == [len(b.positions) for b in drawn[1:]]
        with pytest.raises(IndexError):
            blends[3]
    with pytest.raises(ValueError, match="was closed"):
        blends[0]


def test_a_file_is_whole_or_not_there(drawn, tmp_path):
    def breaks():
        yield drawn[0]
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_blends(breaks(), tmp_path / "half")
    with pytest.raises(ValueError, match="no blends"):
        write_blends([], tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_other_files_are_refused(tmp_path):
    import h5py

    with pytest.raises(FileNotFoundError, match="no file"):
        BlendFile(tmp_path / "missing.h5")
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(ValueError, match="could not be read as an HDF5"):
        BlendFile(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    with pytest.raises(ValueError, match="none of blends"):
        BlendFile(tmp_path / "other.h5")
