"""Which issuer may sign with which keys, and for which roles.

The trust list is a JSON file:

    {"issuers": {"catalog": {"keys": ["<base64 of an Ed25519 public key>"], "roles": ["viewer", "admin"]}}}

More than one key serves a rotation: the old one goes when its last token has expired.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from modelyard.foundation.auth.keys import key_id, public_key, public_text
from modelyard.foundation.errors import FailedPrecondition

log = logging.getLogger(__name__)


class BadTrustFile(FailedPrecondition):
    reason = "BAD_TRUST_FILE"


@dataclass(frozen=True, slots=True)
class Issuer:
    keys: Mapping[str, Ed25519PublicKey]
    """By key ID."""
    roles: frozenset[str]


Trust = Mapping[str, Issuer]


def issuer(keys: Sequence[Ed25519PublicKey], roles: Sequence[str]) -> Issuer:
    return Issuer({key_id(key): key for key in keys}, frozenset(roles))


def write_trust(path: Path, trust: Trust) -> None:
    """Replaces the file at once, so that a reader sees the old list or the new one."""
    document = {
        "issuers": {
            name: {"keys": [public_text(key) for key in entry.keys.values()], "roles": sorted(entry.roles)}
            for name, entry in trust.items()
        }
    }
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(document, indent=2) + "\n")
    temporary.replace(path)


def read_trust(path: Path) -> Trust:
    try:
        document = json.loads(path.read_text())
        return {
            name: issuer([public_key(text) for text in entry["keys"]], entry["roles"])
            for name, entry in document["issuers"].items()
        }
    except OSError as error:
        raise BadTrustFile(f"the trust list {path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadTrustFile(f"{path} is not a trust list: {error!r}") from None


class TrustFile:
    """A trust list that follows its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._trust = read_trust(path)

    @property
    def trust(self) -> Trust:
        return self._trust

    def refresh(self) -> bool:
        """Reads the file again when it changed; True when the list is another one now.

        A file that cannot be read leaves the last good list in force and is logged: a bad edit must not lock
        everybody out.
        """
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self._trust = read_trust(self._path)
        except BadTrustFile as error:
            log.error("trust list not reloaded", extra={"error": error.message})
            return False
        log.info("trust list reloaded", extra={"issuers": sorted(self._trust)})
        return True


class FixedTrust:
    """A trust list given in code."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    @property
    def trust(self) -> Trust:
        return self._trust

    def refresh(self) -> bool:
        return False


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)
