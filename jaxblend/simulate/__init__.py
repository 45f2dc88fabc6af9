"""Simulated blends with their truth."""

from jaxblend.simulate.blend import Blend as Blend
from jaxblend.simulate.blend import observe as observe
from jaxblend.simulate.blend import simulate as simulate
from jaxblend.simulate.blend import simulate_blends as simulate_blends
from jaxblend.simulate.catsim import read_catsim as read_catsim
from jaxblend.simulate.population import draw_population as draw_population
from jaxblend.simulate.psf import psf_from_galsim as psf_from_galsim
from jaxblend.simulate.sample import Selection as Selection
from jaxblend.simulate.sources import SkySources as SkySources
from jaxblend.simulate.survey import Survey as Survey
