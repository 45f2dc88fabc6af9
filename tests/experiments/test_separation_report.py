import numpy as np
import pytest
from astropy.table import Table

report = pytest.importorskip("experiments.separation.report", reason="experiments are beside the package, not in it")

SEPARATIONS = report.SEPARATIONS
BIAS = 0.05  # of the second galaxy


def fits_of(pairs, *, scatter=0.02):
    """What a run of fits only writes, of so many pairs of each kind; all second galaxies are too bright."""
    rng = np.random.default_rng(0)
    rows = []
    for brightness, fluxes in report.FLUXES.items():
        for separation in SEPARATIONS:
            for _ in range(pairs):
                first, second = np.array(fluxes) * (1 + scatter * rng.normal(size=2) + np.array([0.0, BIAS]))
                row = {"brightness": brightness, "separation": separation}
                row |= {f"{name}_{i + 1}": v for name in ("snr", "blendedness") for i, v in enumerate((2.0, 1.0))}
                row |= {f"true_{i + 1}": flux for i, flux in enumerate(fluxes)}
                row |= {"flux_1_laplace": first, "flux_2_laplace": second, "total_laplace": first + second}
                row |= {f"{name}_laplace_err": scatter * sum(fluxes) for name in ("flux_1", "flux_2", "total")}
                rows.append(row)
    return Table(rows=rows)


def test_a_bias_shows_in_all_separations_together():
    rows = [row for row in report.summarise(fits_of(7), SEPARATIONS, report.LIKELY) if row["brightness"] == "faint"]
    value, error = report.pooled(rows, "flux_2_laplace")
    assert error == pytest.approx(0.02 / np.sqrt(7 * len(SEPARATIONS)), rel=0.3)
    assert abs(value - BIAS) < 4 * error
    assert value == pytest.approx(np.mean(fits_of(7)["flux_2_laplace"][-7 * len(SEPARATIONS) :]) / 1e4 - 1)
    assert np.mean([row["flux_2_laplace_sem"] for row in rows]) > 2 * error


def test_fits_alone_have_a_report_of_their_own(tmp_path):
    fits_of(3).write(tmp_path / "fits_of_pairs.ecsv")
    report.main(tmp_path / "fits_of_pairs.ecsv", tmp_path / "report")
    text = (tmp_path / "report" / "fits.md").read_text()
    assert "## Bias, all separations" in text
    assert "importance" not in text.split("## Bias")[1].split("## Error bars")[0]
    assert "without being told" not in text
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["fits.ecsv", "fits.md"]
