"""The red sequence as it is and as each method finds it."""

import numpy as np

from experiments.cluster.fields import BAND
from experiments.deblending_tables import Found
from jaxblend.evaluation.columns import column
from jaxblend.plot.picture import Picture
from jaxblend.plot.several import panels, styles

COLOURS = (0.4, 2.2)  # mag, of g - r
COLUMNS = 3


def colour_picture(groups: dict[str, Found]) -> Picture:
    """A panel for each method: colours and magnitudes as found, on the true ones in grey."""
    looks = styles(groups)

    def draw(axes, method: str) -> None:
        sources = groups[method].sources
        true, magnitude = column(sources, "true_colour"), column(sources, "magnitude")
        error = column(sources, "colour_residual_g_r")
        found = magnitude + column(sources, f"magnitude_residual_{BAND}"), true + error
        axes.plot(magnitude, true, ".", ms=5, color="0.75", label="true")
        axes.plot(*found, ".", ms=3, color=looks[method].colour, label="found")
        known = np.isfinite(found[1])
        beyond = np.sum((found[1] < COLOURS[0]) | (found[1] > COLOURS[1]))
        title = f"{method}: {known.sum()} of {len(known)} found, {beyond} of them beyond the panel"
        axes.set_title(title, fontsize=8, loc="left")
        axes.set(ylim=COLOURS, xlim=(magnitude.min() - 1.5, magnitude.max() + 1.0))

    figure = panels(list(groups), draw, size=(4.0, 3.0), most_columns=COLUMNS, share_y=True)
    figure.supxlabel(f"{BAND} magnitude", fontsize=10)
    figure.supylabel("g - r (mag)", fontsize=10)
    figure.axes[0].legend(frameon=False, fontsize=8, loc="lower left")
    return figure
