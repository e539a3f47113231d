"""Addresses, and which of them stay on this machine."""

import pytest

from modelyard.foundation.addresses import TcpAddress, UnixAddress, is_local, parse_listen


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/a.sock", UnixAddress("/run/a.sock")),
        ("unix:///run/a.sock", UnixAddress("/run/a.sock")),
        ("127.0.0.1:80", TcpAddress("127.0.0.1", 80)),
        ("[::1]:80", TcpAddress("::1", 80)),
        ("host.example:0", TcpAddress("host.example", 0)),
    ],
)
def test_addresses_are_read_and_written(text: str, address: object) -> None:
    assert parse_listen(text) == address
    assert parse_listen(str(address)) == address


@pytest.mark.parametrize(
    "bad", ["", "80", ":80", "host:", "host:x", "host:70000", "unix:a.sock", "unix:" + "/x" * 60, "h:-1"]
)
def test_others_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"looks like|absolute|longer"):
        parse_listen(bad)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("unix:/a", True),
        ("unix:relative", True),
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("dns:///localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("example.com:1", False),
        ("localhost.example.com:1", False),
        ("127.0.0.1.example.com:1", False),
    ],
)
def test_what_stays_on_this_machine(text: str, local: bool) -> None:
    assert is_local(text) is local
