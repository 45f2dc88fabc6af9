"""What a user waits for in a new process: the first fit, compiling, and the next one.

Run by benchmarks.fit in processes of its own: python -m benchmarks.first_fit
"""

import json
import time

BEGIN = time.perf_counter()


def main() -> None:
    import jaxblend as jb
    from benchmarks.blends import simulated

    blends = simulated(2)
    ready = time.perf_counter()
    jb.fit(blends[0].observation, blends[0].positions)
    first = time.perf_counter()
    jb.fit(blends[1].observation, blends[1].positions)
    second = time.perf_counter()
    print(json.dumps({"ready": ready - BEGIN, "first": first - ready, "second": second - first}))


if __name__ == "__main__":
    main()
