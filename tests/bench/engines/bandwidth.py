"""What this machine reads from its memory in a second, which the plan of a replica goes by."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

# Many times what caches hold, so that memory is what is read.
_MEBIBYTES: Final = 256
# How often, of which the best counts: others only slow it down.
_PASSES: Final = 40


def read_bytes_per_second(threads: int) -> float:
    """Returns the best of some passes in which so many threads read an array each."""
    arrays = [np.ones(_MEBIBYTES * 2**20 // 8 // threads) for _ in range(threads)]
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_PASSES):
            began = time.perf_counter()
            list(pool.map(np.sum, arrays))
            best = min(best, time.perf_counter() - began)
    return sum(array.nbytes for array in arrays) / best
