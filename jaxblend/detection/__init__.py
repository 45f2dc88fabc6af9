"""From an image to a table of sources."""

from jaxblend.detection.sep import detect

__all__ = ["detect"]
