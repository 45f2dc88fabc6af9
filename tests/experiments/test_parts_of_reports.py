import numpy as np
from evaluated import BLENDS, FLAWED, evaluated

from experiments.cluster import report as cluster
from experiments.euclid import report as euclid
from experiments.pairs import report as pairs
from jaxblend.infer.flags import Flag


def test_galaxies_alone_are_whole_blends_and_those_with_neighbours_are_not():
    found, _ = evaluated(FLAWED)
    found.sources["n_sources"] = np.repeat([3, 1, 2], [3, 1, 2])
    alone, blended = (euclid.central(found, blended=blended) for blended in (False, True))
    assert list(alone.sources["blend"]) == [1]
    assert alone.of_blends()["precision"].value[0] == 0.5  # one of two detections is its own
    assert list(blended.sources["blend"]) == [0, 2]
    assert list(blended.sources["row"]) == [0, 0]
    assert blended.of_blends() == {}


def test_chosen_sources_have_no_numbers_of_whole_blends():
    found, _ = evaluated(FLAWED)
    rows = np.asarray(found.sources["row"])
    found.sources["member"], found.sources["central"] = rows < 2, rows == 0
    satellites = cluster.among({"method": found}, "member", without="central")["method"]
    assert list(satellites.sources["row"]) == [1, 1]
    assert satellites.of_blends() == {}
    companions = pairs.one_of_two(found, 1)
    assert list(companions.sources["row"]) == [1, 1]
    assert companions.of_blends() == {}


def test_detections_without_a_galaxy_are_counted_by_blend():
    here, nowhere = BLENDS[2], ([150, 150], 1.0)
    found, _ = evaluated([(*here, nowhere, nowhere, nowhere), here, here, (*here, nowhere)], [here] * 4)
    without_flags = pairs.flag_lines({"jaxblend": found})
    assert without_flags == []
    found.detections["flagged"] = ~np.asarray(found.detections["matched"]) & (np.asarray(found.detections["row"]) > 2)
    found.detections["flags"] = np.where(found.detections["flagged"], int(Flag.LOW_SNR | Flag.AT_BOUND), 0)
    perfect, _ = evaluated([here] * 4, [here] * 4)
    table = pairs.extra_table({"jaxblend": found, "perfect": perfect})
    assert table[2] == "| jaxblend | 4 | 1.00 ± 0.71 | 3 | 50.0% | 50.0% |"
    assert table[3] == "| perfect | 0 | 0.00 ± 0.00 | 0 | 100.0% |  |"
    flags = pairs.flag_lines({"jaxblend": found, "jaxblend, perfect": perfect, "sep": found})
    assert [line for line in flags if "%" in line] == ["| at_bound | 50.0% |", "| low_snr | 50.0% |"]
