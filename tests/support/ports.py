"""A port for a server that a test starts."""

import random
import socket

BELOW_EPHEMERAL = range(10_000, 32_768)
"""Nobody's outgoing connection takes one of these before the server does: Linux takes those from 32768 on
(net.ipv4.ip_local_port_range)."""


def free_port() -> int:
    """One that nobody listens on, another at each call."""
    for port in random.SystemRandom().sample(BELOW_EPHEMERAL, 100):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("a hundred ports are taken")
