"""The system call filter decides as it is meant to: it is run here by an interpreter of its language."""

import errno
import socket
import struct

import pytest

from modelyard.foundation.sandbox import seccomp

X86, ARM = ("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)
ALLOW, KILL = 0x7FFF0000, 0x80000000
USER_NAMESPACE = 0x10000000


def decide(program: bytes, architecture: int, call: int, *arguments: int) -> int:
    """What the kernel would: struct seccomp_data through struct sock_filter[]."""
    padded = [argument & 0xFFFFFFFFFFFFFFFF for argument in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("<iIQ6Q", call, architecture, 0, *padded)
    instructions = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = held = 0
    while True:
        code, yes, no, value = instructions[at]
        at += 1
        if code == 0x20:
            (held,) = struct.unpack_from("<I", data, value)
        elif code == 0x05:
            at += value
        elif code == 0x06:
            return int(value)
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            at += yes if holds else no


def refused(number: int) -> int:
    return 0x00050000 | number


@pytest.mark.parametrize(
    ("call", "x86", "arm"),
    [("mount", 165, 40), ("ptrace", 101, 117), ("bpf", 321, 280), ("keyctl", 250, 219), ("setns", 308, 268)],
)
def test_what_reaches_out_is_refused(call: str, x86: int, arm: int) -> None:
    for (machine, architecture), number in ((X86, x86), (ARM, arm)):
        program = seccomp.confinement(network=False, machine=machine)
        assert decide(program, architecture, number) == refused(errno.EPERM), call


@pytest.mark.parametrize("call", [0, 1, 9, 59, 202, 257, 231])
def test_ordinary_work_is_allowed(call: int) -> None:
    assert decide(seccomp.confinement(network=False, machine="x86_64"), X86[1], call) == ALLOW


def test_a_thread_is_made_and_a_namespace_is_not() -> None:
    program = seccomp.confinement(network=False, machine="x86_64")
    assert decide(program, X86[1], 56, 0x003D0F00) == ALLOW
    assert decide(program, X86[1], 56, USER_NAMESPACE | 17) == refused(errno.EPERM)
    assert decide(program, X86[1], 435) == refused(errno.ENOSYS), "flags of clone3 can't be seen"


def test_bits_that_the_kernel_does_not_look_at_change_nothing() -> None:
    program = seccomp.confinement(network=False, machine="x86_64")
    assert decide(program, X86[1], 16, 0, 1 << 32 | 0x5412) == refused(errno.EPERM)
    assert decide(program, X86[1], 41, 1 << 32 | socket.AF_PACKET, 1) == refused(errno.EAFNOSUPPORT)


def test_sockets_are_made_as_far_as_they_are_of_use() -> None:
    """The columns: in a network of its own, beside others without a network, with one."""
    filters = [
        seccomp.confinement(network=False, machine="x86_64"),
        seccomp.confinement(network=False, guardian=4711, machine="x86_64"),
        seccomp.confinement(network=True, machine="x86_64"),
    ]
    stream, datagram = socket.SOCK_STREAM | socket.SOCK_CLOEXEC, socket.SOCK_DGRAM
    for family, kind, protocol, *allowed in (
        (socket.AF_UNIX, stream, 0, True, True, True),
        (socket.AF_UNIX, datagram, 0, True, False, True),
        (socket.AF_INET, stream, 0, True, True, True),
        (socket.AF_INET6, stream, socket.IPPROTO_TCP, True, True, True),
        (socket.AF_INET, stream, 262, False, False, True),  # multipath TCP, which Landlock does not know
        (socket.AF_INET, datagram, 0, False, False, True),
        (socket.AF_NETLINK, datagram, 0, False, False, True),
        (socket.AF_PACKET, datagram, 0, False, False, False),
        (38, stream, 0, False, False, False),
    ):
        made = [decide(each, X86[1], 41, family, kind, protocol) for each in filters]
        assert made == [ALLOW if each else refused(errno.EAFNOSUPPORT) for each in allowed], (family, kind, protocol)


def test_beside_others_nothing_is_connected_to() -> None:
    shared = seccomp.confinement(network=False, guardian=4711, machine="x86_64")
    assert decide(shared, X86[1], 42) == refused(errno.EPERM)
    assert decide(shared, X86[1], 44, 3, 0, 0, 0x20000000) == refused(errno.EPERM)
    assert decide(shared, X86[1], 44, 3, 0, 0, 0x4000) == ALLOW
    assert decide(seccomp.confinement(network=False, machine="x86_64"), X86[1], 42) == ALLOW


def test_another_architecture_s_calls_end_the_program() -> None:
    program = seccomp.confinement(network=False, machine="x86_64")
    assert decide(program, 0x40000003, 20) == KILL
    assert decide(program, X86[1], 0x40000000 | 165) == KILL
    assert decide(program, ARM[1], 0) == KILL


def test_the_guardian_can_t_be_signalled() -> None:
    program = seccomp.confinement(network=False, guardian=4711, machine="x86_64")
    for target in (4711, -4711, -1):
        assert decide(program, X86[1], 62, target, 9) == refused(errno.EPERM)
    assert decide(program, X86[1], 62, 4712, 9) == ALLOW
    assert decide(program, X86[1], 434, 4711) == refused(errno.EPERM)
