"""Simulated blends with their truth."""

from jaxblend.simulation.blend import Blend as Blend
from jaxblend.simulation.blend import observe as observe
from jaxblend.simulation.blend import simulate as simulate
from jaxblend.simulation.blend import simulate_blends as simulate_blends
from jaxblend.simulation.catsim import read_catsim as read_catsim
from jaxblend.simulation.cosmos import read_cosmos as read_cosmos
from jaxblend.simulation.device import draw_blend as draw_blend
from jaxblend.simulation.device import draw_blends as draw_blends
from jaxblend.simulation.drawn import DrawnBlends as DrawnBlends
from jaxblend.simulation.layouts import Cluster as Cluster
from jaxblend.simulation.layouts import Density as Density
from jaxblend.simulation.layouts import Groups as Groups
from jaxblend.simulation.layouts import Isolated as Isolated
from jaxblend.simulation.layouts import Pair as Pair
from jaxblend.simulation.layouts import RedSequence as RedSequence
from jaxblend.simulation.layouts import Uniform as Uniform
from jaxblend.simulation.population import draw_population as draw_population
from jaxblend.simulation.profiles import galsim_sources as galsim_sources
from jaxblend.simulation.psf import psf_from_galsim as psf_from_galsim
from jaxblend.simulation.sample import Selection as Selection
from jaxblend.simulation.sampler import BlendSampler as BlendSampler
from jaxblend.simulation.sources import SkySources as SkySources
from jaxblend.simulation.survey import Survey as Survey
from jaxblend.simulation.tables import read_sources as read_sources
