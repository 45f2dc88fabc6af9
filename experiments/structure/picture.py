"""A gallery of blends of galaxies with structure: the truth, bulge + disk, the learned model, and what each leaves.

Run from the repository: python -m experiments.structure.picture
"""

from pathlib import Path

import tyro

from experiments.deblending import fitted
from experiments.structure.blends import CASES, COUNTS, SNRS, draw_blend
from experiments.structure.run import model_of
from jaxblend.plot.gallery import gallery_picture

HERE = Path(__file__).parent
SURVEY = "LSST"
METHODS = {"bulge + disk": "bulge_disk", "neural": "neural"}
PAIR = COUNTS.index(2) + len(COUNTS) * (len(SNRS) - 1)  # of the highest S/N: its number among the cases
DPI = 90


def main(weights: str = "default", pairs: int = 5, folder: Path = HERE) -> None:
    """Write gallery.png.

    Parameters
    ----------
    weights
        Of `jb.NeuralGalaxy.load`.
    pairs
        How many pairs, the first ones of the run at the highest S/N.
    folder
        Where to write; by default beside this file.
    """
    numbers = [i * CASES + PAIR for i in range(pairs)]
    blends = [draw_blend(number, kind="structured", survey=SURVEY) for number in numbers]
    results = {label: fitted(model=model_of(name, weights))(blends) for label, name in METHODS.items()}
    names = ["\n".join(blend.truth["structure"]) for blend in blends]
    gallery_picture(blends, results, names=names).save(folder / "gallery.png", dpi=DPI)


if __name__ == "__main__":
    tyro.cli(main)
