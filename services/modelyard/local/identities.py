"""Keys, the trust list and the tokens of an installation on one machine."""

import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelyard.foundation.auth.keys import create_key, load_key
from modelyard.foundation.auth.roles import MACHINE_ROLES, PEOPLE_ROLES
from modelyard.foundation.auth.tokens import Signer
from modelyard.foundation.auth.trust import issuer, write_trust
from modelyard.local.folder import DataFolder, replace_file

ADMIN_TTL_S = 366 * 86_400
MACHINE_TTL_S = 30 * 86_400
WORKER, HOST = "local", "local"
_MACHINES = {
    "scheduler": ("services/scheduler", "service"),
    "inference": ("services/inference", "service"),
    "proxy": ("services/proxy", "service"),
    "worker": (f"workers/{WORKER}", "worker"),
    "host": (f"hosts/{HOST}", "host"),
}


def ensure_identities(folder: DataFolder) -> None:
    """Make what is missing: both authorities' keys, the trust list, the administrator's token; renew the machines', and
    the administrator's before it ends."""
    keys = folder.part("keys")
    catalog, scheduler = (_key(keys / name) for name in ("catalog.key", "scheduler.key"))
    write_trust(
        keys / "trust.json",
        {
            "catalog": issuer([catalog.public_key()], [*PEOPLE_ROLES, *(r for r in MACHINE_ROLES if r != "attempt")]),
            "scheduler": issuer([scheduler.public_key()], ["attempt"]),
        },
    )
    signer = Signer("catalog", catalog)
    if not folder.token.exists() or _ends_soon(folder.token):
        replace_file(folder.token, signer.sign("users/admin", {"*": "admin"}, ADMIN_TTL_S).token)
    for name, (subject, role) in _MACHINES.items():
        replace_file(keys / f"{name}.token", signer.sign(subject, {"*": role}, MACHINE_TTL_S).token)


def _ends_soon(token: Path) -> bool:
    """Within a month; also what is no token any more."""
    try:
        claims = jwt.decode(token.read_text().strip(), options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError):
        return True
    return bool(claims.get("exp", 0) < time.time() + MACHINE_TTL_S)


def _key(path: Path) -> Ed25519PrivateKey:
    """The key in `path`, made if there is none; complete or not there at all."""
    if not path.exists():
        partial = path.with_name(path.name + ".new")
        partial.unlink(missing_ok=True)
        create_key(partial)
        partial.rename(path)
    return load_key(path)
