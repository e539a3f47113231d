"""How a job's process keeps memory that it has freed.

glibc gives a large block back to the system with each `free` and takes a new one with the next `malloc`, whose pages
are filled with zeros one by one as they are touched. A training step allocates all of its tensors anew: on a virtual
machine half of its time may go there. What is freed stays with the process instead, which ends with its job.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""As malloc.h has them."""
MOST_BYTES = (1 << 31) - 1
"""That lie free at the end of the heap before they are given back; mallopt takes no more."""


def keep_freed() -> bool:
    """From here on, as far as the C library can (glibc): large blocks lie on the heap, and the heap does not shrink.

    Answers whether it can; where not, all works as before.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, MOST_BYTES))
