"""Other deblenders behind one interface, jaxblend among them, and batches of the Blending ToolKit in and out.

>>> from jaxblend.compare import deblenders
>>> result = deblenders()["sep"]()(observation)  # doctest: +SKIP
>>> result.images, result.catalog  # doctest: +SKIP
"""

from jaxblend.compare.btk import BTKDeblender
from jaxblend.compare.btk_read import BTKBlend, blends_from_btk
from jaxblend.compare.btk_write import blends_to_btk
from jaxblend.compare.catalog import make_catalog
from jaxblend.compare.deblender import Deblended, Deblender
from jaxblend.compare.own import Jaxblend
from jaxblend.compare.peaks import Peaks
from jaxblend.compare.photutils_segmentation import PhotutilsSegmentation
from jaxblend.compare.scarlet import Scarlet
from jaxblend.compare.scarlet2 import Scarlet2
from jaxblend.compare.sep import SEP
from jaxblend.compare.sextractor import SExtractor

__all__ = [
    "SEP",
    "BTKBlend",
    "BTKDeblender",
    "Deblended",
    "Deblender",
    "Jaxblend",
    "Peaks",
    "PhotutilsSegmentation",
    "SExtractor",
    "Scarlet",
    "Scarlet2",
    "blends_from_btk",
    "blends_to_btk",
    "deblenders",
    "make_catalog",
]


def deblenders() -> dict[str, type[Deblender]]:
    """All deblenders by name. A class can be made without its package, which is asked for when it is called."""
    classes: tuple[type[Deblender], ...] = (Peaks, SEP, SExtractor, PhotutilsSegmentation, Scarlet2, Scarlet, Jaxblend)
    return {deblender.name: deblender for deblender in classes}
