"""Whole images: detect, group, fit every group, look again."""

from jaxblend.frames.deblend import deblend
from jaxblend.frames.scene import Scene

__all__ = ["Scene", "deblend"]
