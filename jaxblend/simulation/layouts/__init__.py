"""Which sources go where on a stamp: the values of the option `layout` of `jaxblend.simulate`."""

from jaxblend.simulation.layouts.cluster import Cluster as Cluster
from jaxblend.simulation.layouts.density import Density as Density
from jaxblend.simulation.layouts.groups import Groups as Groups
from jaxblend.simulation.layouts.isolated import Isolated as Isolated
from jaxblend.simulation.layouts.layout import AbstractLayout as AbstractLayout
from jaxblend.simulation.layouts.pair import Pair as Pair
from jaxblend.simulation.layouts.red_sequence import RedSequence as RedSequence
from jaxblend.simulation.layouts.uniform import Uniform as Uniform
