"""Options that are a kind with settings, as in `--layout density per_arcmin2=60`: the keywords of a class in Python."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

__all__ = ["made", "read_settings"]


def made(option: str, kind: type, settings: Mapping[str, Any]) -> Any:
    """Make a dataclass of the settings of an option.

    Raises
    ------
    ValueError
        If the class has none of that name, lacks one, or does not take a value.
    """
    known = [field.name for field in fields(kind)]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ValueError(
            f"Got {option} with {', '.join(unknown)}, expected some of {', '.join(known) or 'no settings'}."
        )
    try:
        return kind(**settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{option}: {error}") from error


def read_settings(option: str, words: Sequence[str]) -> dict[str, Any]:
    """Read words NAME=VALUE; a value is a number, a few with commas between them, yes, no, none, or text.

    Raises
    ------
    ValueError
        If a word is none.
    """
    parted = [word.partition("=") for word in words]
    wrong = [word for word, (name, _, value) in zip(words, parted, strict=True) if not (name and value)]
    if wrong:
        raise ValueError(f"Got {option} {' '.join(words)}, expected settings as NAME=VALUE, not {wrong[0]!r}.")
    return {name.replace("-", "_"): _value(value) for name, _, value in parted}


WORDS: Mapping[str, Any] = {"yes": True, "true": True, "no": False, "false": False, "none": None}


def _value(text: str) -> Any:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
