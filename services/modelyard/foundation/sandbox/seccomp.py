"""Which system calls a confined program is refused.

A deny list: it closes what the kernel offers for reaching out of namespaces, into other processes and into the kernel's
less travelled parts. A program that only computes and writes files, TensorFlow with CUDA included, needs none of it.
"""

import errno
import platform
import socket

from modelyard.foundation.sandbox.bpf import Never, Only, Refuse, Rule, assemble

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_…: 64 bits, little endian, the ELF machine's number."""

# Call -> number on x86-64, on arm64 (None: there is none).
_REFUSED: dict[str, tuple[int, int | None]] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "open_tree_attr": (467, 467),
    "unshare": (272, 97),
    "setns": (308, 268),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "create_module": (174, None),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "nfsservctl": (180, 42),
}
# Said to be absent rather than forbidden: libraries then use the older call.
_ABSENT: dict[str, tuple[int, int | None]] = {
    "clone3": (435, 435),  # its flags lie in memory, where a filter can't look
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_CLONE = (56, 220)
_IOCTL = (16, 29)
_PERSONALITY = (135, 92)
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)
_CONNECT = (42, 203)
_SENDS = (((44, 206), 3), ((46, 211), 2), ((307, 269), 3))
"""sendto, sendmsg, sendmmsg, and where their flags are."""
_KILL = (62, 129)
_TKILL = (200, 130)
_TGKILL = (234, 131)
_QUEUE = (129, 138)
_THREAD_QUEUE = (297, 240)
_PIDFD_OPEN = (434, 434)

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; this call has no NEWTIME."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_SET_PERSONALITY = (0, 0xFFFFFFFF)
"""The usual one and the question for it."""


def supported() -> bool:
    """Whether there is a table for this machine."""
    return platform.machine() in _ARCHITECTURES


_FAST_OPEN = 0x20000000
"""MSG_FASTOPEN: connects as it sends."""
_STREAMS = tuple(socket.SOCK_STREAM | flags for flags in (0, 0x800, 0x80000, 0x80800))
"""With and without SOCK_NONBLOCK and SOCK_CLOEXEC."""
_TCP_OR_DEFAULT = (0, socket.IPPROTO_TCP)


def confinement(*, network: bool, guardian: int = 0, machine: str = "") -> bytes:
    """The filter for this machine: struct sock_filter[].

    `guardian` is given where no namespaces keep the program: this process may not be signalled then, and without
    `network` nothing may be connected to.
    """
    machine = machine or platform.machine()
    column = list(_ARCHITECTURES).index(machine)
    rules: list[Rule] = [
        Refuse(_numbers(_REFUSED, column), errno.EPERM),
        Refuse(_numbers(_ABSENT, column), errno.ENOSYS),
        Never(_CLONE[column], 0, errno.EPERM, bits=_NEW_NAMESPACES),
        Never(_IOCTL[column], 1, errno.EPERM, values=(_TIOCSTI, _TIOCLINUX)),
        Only(_PERSONALITY[column], ({0: _SET_PERSONALITY},), errno.EPERM),
        # As of a kernel that was built without them.
        Only(_SOCKET[column], _sockets(network=network, shared=bool(guardian)), errno.EAFNOSUPPORT),
        Only(_SOCKETPAIR[column], ({0: (socket.AF_UNIX,)},), errno.EAFNOSUPPORT),
    ]
    if guardian and not network:
        rules.append(Refuse((_CONNECT[column],), errno.EPERM))
        rules += [Never(call[column], argument, errno.EPERM, bits=_FAST_OPEN) for call, argument in _SENDS]
    if guardian:
        rules += [
            Never(_KILL[column], 0, errno.EPERM, values=(guardian, -guardian, -1)),
            *(
                Never(call[column], 0, errno.EPERM, values=(guardian,))
                for call in (_TKILL, _TGKILL, _QUEUE, _THREAD_QUEUE, _PIDFD_OPEN)
            ),
        ]
    return assemble(_ARCHITECTURES[machine], rules)


def _sockets(*, network: bool, shared: bool) -> tuple[dict[int, tuple[int, ...]], ...]:
    """Family, type and protocol of those that may be made; `shared`: beside everybody else's.

    Without a network a TCP socket is of no use, but Envoy does not start on a machine that has none.
    """
    internet = (socket.AF_INET, socket.AF_INET6)
    if network:
        return ({0: (socket.AF_UNIX, *internet, socket.AF_NETLINK)},)
    local: dict[int, tuple[int, ...]] = {0: (socket.AF_UNIX,)}
    if shared:
        # Others would send without connecting.
        local[1] = _STREAMS
    return (local, {0: internet, 1: _STREAMS, 2: _TCP_OR_DEFAULT})


def _numbers(table: dict[str, tuple[int, int | None]], column: int) -> tuple[int, ...]:
    return tuple(number for row in table.values() if (number := row[column]) is not None)
