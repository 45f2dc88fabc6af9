import numpy as np
import pytest

from jaxblend.cli.main import main
from jaxblend.io.tables import read_table

pytest.importorskip("jaxblend.fitting", reason="nothing fits without it")


@pytest.mark.slow
def test_the_demo_fits_what_it_simulates(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path)]) == 0
    truth, catalog = read_table(tmp_path / "truth.ecsv"), read_table(tmp_path / "catalog.parquet")
    off = catalog["mag_r"].value - truth["mag_r"].value
    assert np.median(np.abs(off)) < 0.05
    assert np.all(np.abs(off) < 0.5)
    assert list(catalog["kind"]) == list(truth["kind"])
    assert "4 (star: ln evidence +" in capsys.readouterr().out
