"""The last code before a child's own: `launch.py <parent pid> <n> <n cgroup.procs files> <program> <arguments…>`.

It asks the kernel to kill this process when its parent dies, enters the control groups, and becomes the program. A
script of its own, because code between fork and exec is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent = int(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        # It died before the kernel was asked.
        os._exit(1)
    count = int(sys.argv[2])
    for door in sys.argv[3 : 3 + count]:
        with open(door, "w") as file:  # noqa: PTH123
            file.write("0")
    argv = sys.argv[3 + count :]
    program = argv[0]
    try:
        os.execv(program, argv)
    except OSError as error:
        sys.stderr.write(f"cannot run {program}: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    main()
