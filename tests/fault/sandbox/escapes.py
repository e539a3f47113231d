"""Programs that reach for what is none of theirs: each prints "escaped" where nothing keeps it.

`facts` say what there is to reach; the rest of the prelude saves words.
"""

from dataclasses import dataclass

PRELUDE = """
import ctypes, errno, json, os, platform, resource, socket, struct, sys
facts = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
column = ["x86_64", "aarch64"].index(platform.machine())

def call(numbers, *arguments):
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in (numbers[column], *arguments)]
    result = libc.syscall(*words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def reaches(numbers, *arguments):
    # The kernel looked at the arguments, so it would have done it.
    try:
        call(numbers, *arguments)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS, errno.EACCES):
            raise

def touch(path):
    os.close(os.open(path, os.O_WRONLY))
"""


@dataclass(frozen=True, slots=True)
class Escape:
    code: str
    root: bool = False
    """Only root can show that it works where nothing keeps it."""
    apart: str = ""
    """For the proof, in a network of its own where this address answers: there is no such one outside."""
    machine: str = ""


ESCAPES: dict[str, Escape] = {
    # Files.
    "read_a_file_of_the_worker": Escape("print(open(facts['secret']).read())"),
    "read_the_passwords": Escape("open('/etc/shadow').read()", root=True),
    "list_the_worker_s_folder": Escape("assert 'secret' in os.listdir(os.path.dirname(facts['secret']))"),
    "read_another_job_s_file": Escape("open(facts['neighbour'] + '/theirs').read()"),
    "write_to_another_job": Escape("open(facts['neighbour'] + '/mine', 'w').write('x')"),
    "follow_a_link_out": Escape("os.symlink(facts['secret'], 'link'); open('link').read()"),
    "keep_a_hard_link": Escape("os.link(facts['secret'], 'hard')"),
    "change_its_inputs": Escape("touch(facts['input'])"),
    "add_to_its_inputs": Escape("open(os.path.dirname(facts['input']) + '/more', 'w')"),
    "change_the_interpreter": Escape("touch(os.__file__)"),
    "change_modelyard": Escape("touch(facts['own_code'])"),
    "change_the_system": Escape("touch(os.path.realpath('/usr/lib/os-release'))", root=True),
    "read_shared_memory_of_another": Escape("open(facts['shared']).read()"),
    "reach_control_groups": Escape("os.listdir('/sys/fs/cgroup')[0]"),
    "open_by_handle": Escape(
        "handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128)); mount = ctypes.c_int();"
        "call((303, 264), -100, facts['own_code'].encode(), handle, ctypes.byref(mount), 0)"
    ),
    "set_the_core_pattern": Escape("touch('/proc/sys/kernel/core_pattern')", root=True),
    "change_the_kernel_s_settings": Escape("touch('/proc/sys/vm/overcommit_memory')", root=True),
    "read_the_kernel_s_log": Escape("os.open('/dev/kmsg', os.O_RDONLY)", root=True),
    "make_a_device": Escape("os.mknod('device', 0o20600, os.makedev(1, 5)); os.open('device', os.O_RDONLY)", root=True),
    "search_the_environment": Escape("os.environ['MODELYARD_SECRET']"),
    "use_an_inherited_file": Escape("print(os.read(facts['descriptor'], 10))"),
    # Other processes.
    "read_another_s_environment": Escape(
        "assert b'hunter2' in open(f\"/proc/{facts['victim']}/environ\", 'rb').read()"
    ),
    "read_another_s_memory": Escape("open(f\"/proc/{facts['victim']}/mem\", 'rb')"),
    "go_through_another_s_root": Escape("open(f\"/proc/{facts['victim']}/root{facts['secret']}\").read()"),
    "see_another_s_files": Escape("os.readlink(f\"/proc/{facts['victim']}/fd/0\")"),
    "signal_another": Escape("os.kill(facts['victim'], 0)"),
    "open_another_as_a_file": Escape("import signal; signal.pidfd_send_signal(os.pidfd_open(facts['victim']), 0)"),
    "trace_another": Escape("call((101, 117), 0x4206, facts['victim'], 0, 0)"),
    "be_traced": Escape("call((101, 117), 0, 0, 0, 0)"),
    "read_memory_across": Escape(
        "data = ctypes.create_string_buffer(b'secret'); to = ctypes.create_string_buffer(6);"
        "vector = lambda b: struct.pack('QQ', ctypes.addressof(b), 6);"
        "call((310, 270), os.getpid(), vector(to), 1, vector(data), 1, 0)"
    ),
    "take_a_file_from_a_process": Escape("call((438, 438), os.pidfd_open(os.getpid()), 0, 0)"),
    "compare_processes": Escape("call((312, 272), os.getpid(), os.getpid(), 1, 0, 0)"),
    "change_another_s_limits": Escape("resource.prlimit(facts['victim'], resource.RLIMIT_NOFILE)"),
    # The network.
    "connect_to_the_host": Escape("socket.create_connection(('127.0.0.1', facts['port']), 3)"),
    "ask_the_cloud_s_metadata": Escape("socket.create_connection(('169.254.169.254', 80), 3)", apart="169.254.169.254"),
    "send_to_a_name_server": Escape(
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(('8.8.8.8', 53)); u.send(b'x')",
        apart="8.8.8.8",
    ),
    "listen_to_the_world": Escape("socket.create_server(('0.0.0.0', 0))"),
    "make_a_raw_socket": Escape("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", root=True),
    "make_a_packet_socket": Escape("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", root=True),
    "speak_netlink": Escape("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"),
    "connect_to_the_worker_s_socket": Escape("socket.socket(socket.AF_UNIX).connect(facts['unix'])"),
    "connect_to_an_abstract_socket": Escape("socket.socket(socket.AF_UNIX).connect(chr(0) + facts['abstract'])"),
    # Namespaces and mounts.
    "make_a_user_namespace": Escape("call((272, 97), 0x10000000)"),
    "make_a_mount_namespace": Escape("call((272, 97), 0x00020000)"),
    "clone_into_a_user_namespace": Escape(
        "pid = call((56, 220), 0x10000000 | 17, 0, 0, 0, 0); pid or os._exit(0); os.waitpid(pid, 0)"
    ),
    "clone3_into_a_user_namespace": Escape(
        "arguments = struct.pack('11Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0);"
        "pid = call((435, 435), arguments, len(arguments)); pid or os._exit(0); os.waitpid(pid, 0)"
    ),
    "enter_a_namespace": Escape("call((308, 268), os.open('/proc/self/ns/uts', os.O_RDONLY), 0)"),
    "mount_a_file_system": Escape("call((165, 40), b'none', b'/mnt', b'tmpfs', 0, 0)"),
    "mount_what_it_sees_elsewhere": Escape("call((165, 40), b'/usr', b'/mnt', 0, 4096, 0)"),
    "unmount": Escape("call((166, 39), b'/proc', 2)"),
    "clone_a_mount": Escape("call((428, 428), -100, b'/', 1)"),
    "open_a_file_system": Escape("call((430, 430), b'tmpfs', 0)"),
    "change_its_root": Escape("os.chroot('/usr')"),
    "rename_the_host": Escape("socket.sethostname('mine')"),
    # The kernel.
    "put_a_key": Escape("call((248, 217), b'user', b'modelyard-test', b'x', 1, -2)"),
    "ask_for_keys": Escape("call((250, 219), 0, -2, 1)"),
    "make_a_bpf_map": Escape(
        "attributes = struct.pack('4I', 2, 4, 4, 1) + bytes(112); call((321, 280), 0, attributes, 128)", root=True
    ),
    "count_events": Escape(
        "attributes = struct.pack('IIQ', 1, 128, 0) + bytes(112); call((298, 241), attributes, 0, -1, -1, 0)", root=True
    ),
    "use_io_uring": Escape("call((425, 425), 1, bytes(120))"),
    "handle_page_faults": Escape("call((323, 282), 1)"),
    "load_a_module": Escape("reaches((175, 105), b'', 0, b'')", root=True),
    "swap": Escape("reaches((167, 224), b'/nowhere', 0)", root=True),
    "read_the_kernel_s_ring": Escape("call((103, 116), 10, 0, 0)", root=True),
    "change_its_personality": Escape("call((135, 92), 0x0040000)"),
    "watch_all_files": Escape("reaches((300, 262), 0xffffffff, 0)", root=True),
    "type_into_a_terminal": Escape(
        "import fcntl, pty, termios; pty_master, slave = os.openpty(); os.setsid();"
        "fcntl.ioctl(slave, termios.TIOCSCTTY); fcntl.ioctl(slave, 0x5412, b'x')",
        root=True,
    ),
    "reach_ports": Escape("call((172,), 3)", root=True, machine="x86_64"),
    "call_as_a_32_bit_program": Escape(
        # mov $20, %eax; int $0x80; ret: getpid by i386's number.
        "import mmap; page = mmap.mmap(-1, 4096, prot=7); page.write(bytes.fromhex('b814000000cd80c3'));"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(page)); assert ctypes.CFUNCTYPE(ctypes.c_int)(at)() > 0",
        machine="x86_64",
    ),
    # What it is.
    "be_root_again": Escape("os.setuid(0); assert os.geteuid() == 0; open('/etc/shadow').read()", root=True),
    "have_capabilities": Escape(
        "assert any(int(line.split()[1], 16) for line in open('/proc/self/status') if line.startswith('CapEff'))"
    ),
    "go_before_others": Escape("os.setpriority(os.PRIO_PROCESS, 0, -5)", root=True),
}
