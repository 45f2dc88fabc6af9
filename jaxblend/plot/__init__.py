"""Pictures of blends and frames, as matplotlib figures that no global state knows of."""

from jaxblend.plot.blend import blend as blend
from jaxblend.plot.frame import frame as frame
from jaxblend.plot.picture import Picture as Picture
from jaxblend.plot.rgb import rgb_scale as rgb_scale
