"""Time the Blending ToolKit (BTK): LSST blends in six bands with isolated images and noise.

BTK needs an older NumPy than jaxblend's, so it has an environment of its own, whose interpreter runs this file:

    python btk_draw.py CATALOG N_SOURCES STAMP_ARCSEC BATCH_SIZE BATCHES

It prints one line of JSON: CPU and wall seconds per blend of each batch but the first, and versions.
"""

import json
import sys
import time
from importlib.metadata import version


def main(catalog: str, n_sources: int, stamp_arcsec: float, batch_size: int, batches: int) -> None:
    from btk.catalog import CatsimCatalog
    from btk.draw_blends import CatsimGenerator
    from btk.sampling_functions import DefaultSampling
    from btk.survey import get_surveys

    sampling = DefaultSampling(
        stamp_size=stamp_arcsec, max_number=n_sources, min_number=n_sources, max_shift=2.4, seed=0
    )
    generator = CatsimGenerator(
        CatsimCatalog.from_file(catalog), sampling, get_surveys("LSST"), batch_size=batch_size, seed=0
    )
    next(generator)
    cpu, wall, shape = [], [], ()
    for _ in range(batches):
        begin = time.process_time(), time.perf_counter()
        batch = next(generator)
        cpu.append((time.process_time() - begin[0]) / batch_size)
        wall.append((time.perf_counter() - begin[1]) / batch_size)
        shape = batch.isolated_images.shape[1:]
    packages = ("blending-toolkit", "galsim", "numpy", "surveycodex")
    versions = {name: version(name) for name in packages}
    print(json.dumps({"cpu": cpu, "wall": wall, "isolated": shape, "versions": versions}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
