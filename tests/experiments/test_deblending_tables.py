import numpy as np
import pytest
from evaluated import BLENDS, FLAWED, evaluated, tables


def values(numbers):
    return {name: float(number.value[0]) for name, number in numbers.items()}


def metrics(found):
    table = tables.all_numbers({"method": found})
    return dict(zip(table["metric"], table["value"], strict=True))


def test_perfect_detections_have_perfect_numbers():
    found, _ = evaluated(BLENDS)
    assert values(found.of_blends()) == {
        "precision": 1.0,
        "f1": 1.0,
        "unrecognised": 0.0,
        "extra_detections": 0.0,
        "flux_of_all": 1.0,
        "flux_of_pairs": 1.0,
        "flux_found": 1.0,
    }


def test_numbers_of_whole_blends_are_those_of_the_evaluation():
    found, evaluation = evaluated(FLAWED)
    known = dict(zip(evaluation.table["metric"], evaluation.table["value"], strict=True))
    ours = values(found.of_blends())
    assert 0.0 < ours["f1"] < 1.0
    assert ours["precision"] == pytest.approx(4 / 5)
    assert ours.pop("unrecognised") == pytest.approx(known["unrecognised_blends"])
    assert ours == pytest.approx({name: known[name] for name in ours})


def test_some_sources_of_blends_have_no_numbers_of_whole_blends():
    found, _ = evaluated(FLAWED)
    some = found.of_sources(np.asarray(found.sources["row"]) == 1)
    assert some.of_blends() == {}
    there = metrics(some)
    assert there["recall"] == pytest.approx(np.mean(some.sources["found"]), rel=1e-3)
    assert not set(there) & set(tables.MEANINGS)
    assert set(tables.MEANINGS) <= set(metrics(found))


def test_some_blends_have_the_numbers_of_these_alone():
    found, _ = evaluated(FLAWED)
    alone, _ = evaluated(FLAWED[1:2], BLENDS[1:2])
    assert values(found.in_blends([1]).of_blends()) == values(alone.of_blends())
    without_detections = found.of_sources(slice(None)).in_blends([1])
    assert len(without_detections.sources) == 1
    assert without_detections.of_blends() == {}


def test_blends_that_every_method_has_come_whole():
    more, fewer = evaluated(FLAWED)[0], evaluated(FLAWED[:2], BLENDS[:2])[0]
    shared = tables.common({"more": more, "fewer": fewer})
    assert values(shared["more"].of_blends()) == values(shared["fewer"].of_blends())


@pytest.mark.parametrize("edge", [20.5, 42.0, 60.0, 100.0])
def test_shares_of_a_part_of_the_image_are_shares(edge):
    displaced = [[([place[0] + 1.0, place[1]], flux) for place, flux in blend] for blend in BLENDS]
    found, _ = evaluated(displaced)
    inside = found.take(*(np.asarray(rows["x"], float) > edge for rows in (found.sources, found.detections)))
    ours = values(inside.of_blends())
    for name in ("precision", "f1", "unrecognised", "flux_found"):
        assert 0.0 <= ours.get(name, 0.0) <= 1.0
    assert ours.get("flux_of_pairs", 1.0) == pytest.approx(1.0)


def test_nothing_detected_is_no_error():
    found, _ = evaluated(((), (), ()))
    assert values(found.of_blends()) == {"f1": 0.0, "flux_of_all": 0.0, "flux_found": 0.0}
    assert found.take(slice(0, 0), slice(0, 0)).of_blends() == {}
