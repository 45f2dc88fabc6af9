"""Files in and out: surveys, images, blends, catalogues."""

from jaxblend.io.fits import read_fits as read_fits
from jaxblend.io.fits import read_psf as read_psf
from jaxblend.io.fits_blend import read_fits_blend as read_fits_blend
from jaxblend.io.fits_blend import write_fits as write_fits
from jaxblend.io.hdf5 import BlendFile as BlendFile
from jaxblend.io.hdf5 import write_blends as write_blends
from jaxblend.io.noise import read_noise_correlation as read_noise_correlation
from jaxblend.io.npz import read_npz as read_npz
from jaxblend.io.npz import write_npz as write_npz
from jaxblend.io.output import write_fit as write_fit
from jaxblend.io.output import write_scene as write_scene
from jaxblend.io.stored import StoredBlend as StoredBlend
from jaxblend.io.surveys import get_survey as get_survey
from jaxblend.io.surveys import list_surveys as list_surveys
from jaxblend.io.tables import read_positions as read_positions
from jaxblend.io.tables import read_table as read_table
from jaxblend.io.tables import write_table as write_table
