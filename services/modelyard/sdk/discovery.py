"""Where the installation is and which token to show: flag, then environment, then the data folder of `modelyard up`."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from modelyard.sdk.errors import InvalidArgument

DEFAULT_ADDRESS = "127.0.0.1:8470"
DATA_FOLDER = ".modelyard"


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach an installation."""

    server: str
    """`host:port` or `unix:/path`."""
    token: str = ""
    """What goes behind `authorization: Bearer `; empty: none was found."""
    ca_file: str = ""
    """Certificates to trust for a server that is not on this machine; empty: the system's."""
    origin: str = ""
    """Where the token was found, in words."""


def data_folder(start: Path | None = None) -> Path | None:
    """The nearest `.modelyard` here or above: where `modelyard up` keeps its data."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        candidate = folder / DATA_FOLDER
        if (candidate / "token").is_file():
            return candidate
    return None


def find_access(server: str = "", token: str = "", token_file: str = "", folder: Path | None = None) -> Access:
    """Flags, then `MODELYARD_SERVER`, `…_TOKEN`, `…_TOKEN_FILE` and `…_CA_FILE`, then the data folder."""
    local = folder or data_folder()
    origin = "the command line"
    if not token and token_file:
        token = _read_token(token_file)
    if not token and os.environ.get("MODELYARD_TOKEN"):
        token, origin = os.environ["MODELYARD_TOKEN"], "MODELYARD_TOKEN"
    if not token and os.environ.get("MODELYARD_TOKEN_FILE"):
        token, origin = _read_token(os.environ["MODELYARD_TOKEN_FILE"]), "MODELYARD_TOKEN_FILE"
    if not token and local is not None:
        token, origin = _read_token(str(local / "token")), str(local / "token")
    server = server or os.environ.get("MODELYARD_SERVER", "") or _recorded_address(local)
    return Access(server, token.strip(), os.environ.get("MODELYARD_CA_FILE", ""), origin if token else "")


def _read_token(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise InvalidArgument(f"the token file {path} can't be read: {error.strerror}", reason="TOKEN_FILE") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"the token file {path} holds no token: it is no text", reason="TOKEN_FILE") from error


def _recorded_address(folder: Path | None) -> str:
    if folder is None:
        return DEFAULT_ADDRESS
    try:
        address = json.loads((folder / "up.json").read_text()).get("address")
    except (OSError, ValueError):
        # Nothing is up, or was when the power failed.
        return DEFAULT_ADDRESS
    return str(address) if address else DEFAULT_ADDRESS
