"""How this worker's account is set to reach a package index: pip's and uv's own variables and files."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PREFIXES = ("PIP_", "UV_INDEX", "UV_EXTRA_INDEX")
_VARIABLES = (
    "PATH",
    "LD_LIBRARY_PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "UV_DEFAULT_INDEX",
    "UV_FIND_LINKS",
    "UV_NATIVE_TLS",
    "UV_NO_INDEX",
)
_NOT = ("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_REQUIREMENT", "PIP_LOG")
"""Where something is installed is not the account's to say."""
_FILES = ("/etc/pip.conf", "/etc/xdg/pip", "/usr/local/share/ca-certificates")
_CONFIGURED = ("PIP_CONFIG_FILE", "PIP_CERT", "PIP_CLIENT_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


def index_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip and uv shall see of the worker's environment; its home is another, so the account's file is named."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in _VARIABLES or (name.startswith(_PREFIXES) and name not in _NOT)
    }
    file = _account_file(environment)
    if file is not None:
        kept.setdefault("PIP_CONFIG_FILE", str(file))
    return kept


def index_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Files and folders of those settings; names are looked up by what every sandbox with a network has."""
    named = [Path(environment[name]) for name in _CONFIGURED if environment.get(name)]
    named += [Path(place) for place in _FILES] + [Path(sys.prefix, "pip.conf")]
    file = _account_file(environment)
    if file is not None:
        named.append(file)
    for word in (environment.get("PIP_FIND_LINKS", "") + " " + environment.get("UV_FIND_LINKS", "")).split():
        url = urlsplit(word)
        if url.scheme in ("", "file"):
            named.append(Path(unquote(url.path)))
    seen = set()
    for path in named:
        if path.is_absolute() and path.exists() and path not in seen:
            seen.add(path)
            yield path


def _account_file(environment: Mapping[str, str]) -> Path | None:
    home = environment.get("HOME")
    if not home:
        return None
    config = Path(environment.get("XDG_CONFIG_HOME") or Path(home, ".config"))
    return next(
        (file for file in (config / "pip" / "pip.conf", Path(home, ".pip", "pip.conf")) if file.is_file()), None
    )
