"""For which name of the store URLs are signed."""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from modelyard.catalog.domain.errors import HostNotAllowed

_AUTHORITY = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)


class Origins:
    """The name by which the caller reached us, when it is allowed; else a fixed one.

    A name is loopback, or it is listed ("host" with any port, or "host:port"): a signature covers the name, and nobody
    shall get one for a host of their own choosing.
    """

    def __init__(self, fixed: str, allowed: Sequence[str]) -> None:
        self._fixed = fixed.rstrip("/")
        fixed_host = urlsplit(fixed).netloc.lower()
        self._allowed = frozenset([*(host.lower() for host in allowed), fixed_host])

    def origin(self, authority: str, scheme: str) -> str:
        """`authority` and `scheme` as the proxy saw them; without an authority, the fixed origin."""
        authority = authority.lower()
        if not authority:
            return self._fixed
        host = _host(authority)
        if not host or not (authority in self._allowed or host in self._allowed or _is_loopback(host)):
            raise HostNotAllowed(
                f"the call came for {authority[:200]!a}, which is not among allowed_hosts of the catalog; "
                "use another name, or add this one there",
                host=authority[:200],
            )
        return f"{'https' if scheme == 'https' else 'http'}://{authority}"


def _host(authority: str) -> str:
    """The host in "host" or "host:port", "" for anything else."""
    match = _AUTHORITY.fullmatch(authority)
    return match[1].strip("[]") if match else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
