"""From an image to a table of sources."""

from jaxblend.detect.sep import detect

__all__ = ["detect"]
