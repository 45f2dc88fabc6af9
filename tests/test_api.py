import importlib

import pytest

import jaxblend as jb


@pytest.mark.parametrize("name", jb.__all__)
def test_every_public_name_is_there_and_stays_what_it_is(name):
    importlib.import_module("jaxblend.cli.demo")  # imports most subpackages
    first = getattr(jb, name)
    importlib.import_module("jaxblend.frames")
    assert getattr(jb, name) is first
    if name not in ("compare", "metrics", "plot"):
        assert callable(first), f"{name} is shadowed by a subpackage"


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'deblent'"):
        _ = jb.deblent
