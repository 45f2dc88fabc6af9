import os

import pytest

from jaxblend.fitting.threads import threads


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinities")
@pytest.mark.parametrize(("cores", "expected"), [({5}, 1), ({0, 7}, 2), (set(range(64)), 4)])
def test_as_many_as_the_process_has_cores(monkeypatch, cores, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores)
    assert threads() == expected
