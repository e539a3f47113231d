"""The first code inside a sandbox: run as a script, `stage.py <control socket's number>`, it imports nothing of ours.

It gives up what it may do, starts the program under the filters and stays as its guardian: it passes signals on, reaps
what the program leaves behind, kills all of it when the program or the one at the other end of the control socket is
gone, and tells how the program ended.

Towards us: a length (4 bytes), marshalled Orders, then a byte for each signal (0: end everything now).
From us, lines: `hello` (its sender's process number is added by the kernel), `running`, `failed <why>`,
`ended <wait status> <how many processes it has left behind>`.
"""

import ctypes
import marshal
import os
import resource
import select
import signal
import struct
import sys
from typing import Any, NoReturn

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 4, 22, 24
_PR_SET_SECUREBITS, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 28, 36, 38
_SECCOMP_MODE_FILTER = 2
_NO_ROOT_LOCKED = 0b11
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_PATH_BENEATH = 1

_libc = ctypes.CDLL(None, use_errno=True)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def main() -> None:
    control = int(sys.argv[1])
    os.set_inheritable(control, False)
    (length,) = struct.unpack("!I", _receive(control, 4))
    orders = marshal.loads(_receive(control, length))
    os.write(control, b"hello\n")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        _become(orders)
        wake = _hear_of_children()
        program = _start(orders)
    except OSError as error:
        os.write(control, f"failed {error.strerror}: {error.filename or ''}\n".encode())
        sys.exit(1)
    for descriptor in orders["pass_fds"]:
        os.close(descriptor)
    # Others of this user may neither look into this process nor take its control socket.
    _prctl(_PR_SET_DUMPABLE, 0)
    _say(control, b"running")
    _guard(control, wake, program)


def _receive(control: int, count: int) -> bytes:
    received = b""
    while len(received) < count:
        data = os.read(control, count - len(received))
        if not data:
            sys.exit(1)
        received += data
    return received


def _become(orders: dict[str, Any]) -> None:
    """Another user where we are root; whatever happens, never an orphan."""
    if orders["user"]:
        user, group, others = orders["user"]
        os.setgroups(others)
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    if orders["own_processes"]:
        # Changing the user has undone what bubblewrap asked for.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        # The control socket tells of our parent's end, and there is a tree to kill then.
        _prctl(_PR_SET_PDEATHSIG, 0)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _hear_of_children() -> int:
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _start(orders: dict[str, Any]) -> int:
    """The program's process number, once it runs under all that was ordered."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    program = os.fork()
    if program == 0:
        _become_program(orders, writing)
    os.close(writing)
    problem = b""
    while data := os.read(reading, 4096):
        problem += data
    os.close(reading)
    if problem:
        os.waitpid(program, 0)
        raise OSError(1, problem.decode(), "")
    return program


def _become_program(orders: dict[str, Any], problems: int) -> NoReturn:
    step = "starting"
    try:
        step = "its signals and files"
        signal.set_wakeup_fd(-1)
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGHUP,
            signal.SIGCHLD,
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        # Nothing runs without its guardian.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _keep_only(orders["pass_fds"])
        _prctl(_PR_SET_DUMPABLE, 1)
        _die_first()
        os.chdir(orders["cwd"])
        step = "its limits"
        for which, most in orders["limits"]:
            _, hard = resource.getrlimit(which)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(which, (most, most))
        step = "giving up privileges"
        _drop_capabilities()
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if orders["landlock"]:
            step = "Landlock"
            _landlock(orders["landlock"])
        step = "the system call filter"
        program = orders["seccomp"]
        _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(_Filter(len(program) // 8, program)))
        step = orders["argv"][0]
        os.execve(orders["argv"][0], orders["argv"], orders["environment"])
    except OSError as error:
        os.write(problems, f"{step}: {error.strerror} {error.filename or ''}".strip().encode())
    finally:
        os._exit(127)


def _keep_only(descriptors: list[int]) -> None:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), int(name) in descriptors)
            except OSError:
                # The listing's own, closed by now.
                continue


def _die_first() -> None:
    """Of all processes, the kernel shall kill this one when memory is short."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("1000")
    except OSError:
        # A read-only /proc: then it's as likely as others.
        return


def _drop_capabilities() -> None:
    # Without CAP_SETPCAP, which an ordinary user has not, there is nothing to drop either.
    if _libc.prctl(_PR_SET_SECUREBITS, _NO_ROOT_LOCKED, 0, 0, 0) == 0:
        for capability in range(_LAST_CAPABILITY + 1):
            if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, bytes(24)), "capset")


def _landlock(ruleset: dict[str, Any]) -> None:
    attributes = struct.pack("=QQQ", ruleset["filesystem"], ruleset["network"], ruleset["scopes"])
    # The structure grew with the versions: an older kernel takes a longer one as long as what it doesn't know is 0.
    descriptor = _checked(_libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0), "Landlock")
    for path, allowed in ruleset["rules"]:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", allowed, beneath)
        _checked(_libc.syscall(_LANDLOCK_ADD, descriptor, _LANDLOCK_PATH_BENEATH, rule, 0), path)
        os.close(beneath)
    _checked(_libc.syscall(_LANDLOCK_RESTRICT, descriptor, 0), "Landlock")
    os.close(descriptor)


def _guard(control: int, wake: int, program: int) -> NoReturn:
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(wake, select.POLLIN)
    while True:
        for descriptor, _ in poller.poll():
            if descriptor == wake:
                os.read(wake, 4096)
                continue
            for number in os.read(control, 64) or b"\0":
                if number:
                    os.kill(program, number)
                else:
                    _end(control, program)
        status = _reap(program)
        if status is not None:
            left = len(_descendants())
            _clear()
            _tell(control, status, left)
            os._exit(0)


def _reap(program: int) -> int | None:
    """The program's wait status once it has ended."""
    ended = None
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if process == 0:
            return ended
        if process == program:
            ended = status


def _end(control: int, program: int) -> NoReturn:
    os.kill(program, signal.SIGKILL)
    _clear()
    _tell(control, signal.SIGKILL, 0)
    os._exit(0)


def _clear() -> None:
    """Kills all that is left. Whoever loses its parent becomes our child, so this comes to an end."""
    if os.getpid() == 1:
        # With us everything in our namespace ends.
        return
    while left := _descendants():
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _reap(0)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(name))
    found, waiting = [], [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _tell(control: int, status: int, left: int) -> None:
    _say(control, b"ended %d %d" % (status, left))


def _say(control: int, what: bytes) -> None:
    try:
        os.write(control, what + b"\n")
    except BrokenPipeError:
        # Nobody listens any more; the guard hears of that too.
        return


def _prctl(*arguments: Any) -> None:
    _checked(_libc.prctl(*arguments, *[0] * (5 - len(arguments))), f"prctl {arguments[0]}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    main()
