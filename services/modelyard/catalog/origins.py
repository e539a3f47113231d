"""For which name of the store URLs are signed."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from modelyard.catalog.domain.errors import HostNotAllowed


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
        if authority not in self._allowed and host not in self._allowed and not _is_loopback(host):
            raise HostNotAllowed(
                f"the call came for {authority[:200]!a}, which is not among allowed_hosts of the catalog; "
                "use another name, or add this one there",
                host=authority[:200],
            )
        return f"{'https' if scheme == 'https' else 'http'}://{authority}"


def _host(authority: str) -> str:
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
