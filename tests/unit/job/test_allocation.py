"""What a job's process does with memory that it has freed."""

import subprocess
import sys

FAULTS = """
import ctypes, resource, sys
from modelyard.job.allocation import keep_freed
if sys.argv[1] == "kept":
    assert keep_freed()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def touch():
    block = libc.malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    libc.free(block)
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages that the system had to bring while 64 MiB were taken and freed four times."""
    return int(subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True).stdout)


def test_pages_that_were_freed_are_used_again_and_not_asked_for_anew() -> None:
    assert faults("kept") < 100
    assert faults("given back") > 1000
