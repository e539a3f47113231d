"""Ed25519 key pairs in PEM files."""

import base64
import hashlib
import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modelyard.foundation.errors import FailedPrecondition


class BadKeyFile(FailedPrecondition):
    reason = "BAD_KEY_FILE"


def create_key(path: Path) -> Ed25519PrivateKey:
    """Writes a new private key to `path` (mode 0600); a file that is already there is an error."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """The private key in `path`; refused when others on the machine can read it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        pem = path.read_bytes()
    except OSError as error:
        raise BadKeyFile(f"the key {path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise BadKeyFile(f"the key {path} is readable by others (mode {mode:04o}); run: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except ValueError:
        raise BadKeyFile(f"{path} is not a private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKeyFile(f"{path} is not an Ed25519 key; tokens are signed with Ed25519 only")
    return key


def public_text(key: Ed25519PublicKey) -> str:
    """The 32 bytes of a public key in base64, as the trust list holds them."""
    return base64.b64encode(_raw(key)).decode()


def public_key(text: str) -> Ed25519PublicKey:
    """Reads what `public_text` wrote; ValueError for anything else."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))


def key_id(key: Ed25519PublicKey) -> str:
    """The `kid` of a key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(_raw(key)).hexdigest()[:16]


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
