"""How this process keeps the memory it has used."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # mallopt(3)
LARGEST_KEPT = 32 * 2**20  # bytes; what is larger has pages of its own, and glibc takes no higher number
SELDOM = (100_000, 20, 100)  # objects more than freed; Python's own (700, 10, 10) is meant for small programs
MOST_KEPT = 256 * 2**20  # bytes that stay with the process although nothing uses them at the moment


def keep_freed_memory() -> None:
    """Have freed memory used again instead of given back and asked for anew.

    A plan makes and frees arrays of some MB for each thousand people. By default each of them is new pages, and in a
    virtual machine a new page costs up to 50 µs: 950 µs a mail, plan and send together, against 800 with this. Does
    nothing without glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(_TRIM_THRESHOLD, MOST_KEPT)


@contextmanager
def looking_for_garbage_seldom() -> Iterator[None]:
    """While something large is worked through that holds no cycles: walking through all of it again and again to look
    for them takes 40 µs of the 270 that a mail costs the planner. What is freed by counting is freed as ever."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
