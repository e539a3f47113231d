"""Addresses to listen on and to call: "unix:/path" or "host:port"."""

import ipaddress
from dataclasses import dataclass

MAX_UNIX_PATH = 107
"""Bytes that fit the kernel's socket address."""


@dataclass(frozen=True, slots=True)
class UnixAddress:
    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


Address = UnixAddress | TcpAddress


def parse_listen(text: str) -> Address:
    """Reads "unix:/path" or "host:port"; ValueError with a sentence otherwise."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        path = path[2:] if path.startswith("///") else path
        if not path.startswith("/"):
            raise ValueError(f"a unix socket needs an absolute path, like unix:/run/modelyard.sock; got {text!r}")
        if len(path.encode()) > MAX_UNIX_PATH:
            raise ValueError(f"the socket path {path} is longer than {MAX_UNIX_PATH} bytes; choose a shorter folder")
        return UnixAddress(path)
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"an address looks like host:port or unix:/path; got {text!r}")
    return TcpAddress(host, int(port))


def is_local(text: str) -> bool:
    """Whether only processes on this machine can be at the other end."""
    text = text.removeprefix("dns:///")
    if text.startswith("unix:"):
        return True
    address = parse_listen(text)
    if isinstance(address, UnixAddress):
        return True
    if address.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return False
