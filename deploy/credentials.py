"""Makes what compose.yaml hands out as secrets: keys, the trust list, tokens, a certificate authority, MinIO's login.

    sudo .venv/bin/python -m deploy.credentials --host ai.example.org     writes deploy/secrets/

Files belong to the user that the images run as. What is there already stays, so a second run adds only what is missing.
"""

import argparse
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from modelyard.foundation.auth.keys import create_key, load_key
from modelyard.foundation.auth.roles import MACHINE_ROLES, PEOPLE_ROLES
from modelyard.foundation.auth.tokens import Signer
from modelyard.foundation.auth.trust import issuer, write_trust

IMAGE_UID = 10001
TOKEN_DAYS = 365
CERTIFICATE_DAYS = 825
TOKENS = {
    "admin": ("users/admin", "admin"),
    "scheduler": ("services/scheduler", "service"),
    "inference": ("services/inference", "service"),
    "proxy": ("services/proxy", "service"),
    "worker": ("workers/worker-1", "worker"),
    "host": ("hosts/host-1", "host"),
}


def make(folder: Path, host: str) -> list[Path]:
    """Writes what is missing in `folder`; the answer is what it wrote."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = set(folder.iterdir())
    for name in ("catalog", "scheduler"):
        if not (folder / f"{name}.key").exists():
            create_key(folder / f"{name}.key")
    catalog, scheduler = (load_key(folder / f"{name}.key") for name in ("catalog", "scheduler"))
    people_and_machines = [role for role in (*PEOPLE_ROLES, *MACHINE_ROLES) if role != "attempt"]
    if not (folder / "trust.json").exists():
        trust = {
            "catalog": issuer([catalog.public_key()], people_and_machines),
            "scheduler": issuer([scheduler.public_key()], ["attempt"]),
        }
        write_trust(folder / "trust.json", trust)
    signer = Signer("catalog", catalog)
    for name, (subject, role) in TOKENS.items():
        _once(folder / f"{name}.token", partial(_token, signer, subject, role))
    _once(folder / "s3_access_key", lambda: secrets.token_hex(10).encode())
    _once(folder / "s3_secret_key", lambda: secrets.token_urlsafe(30).encode())
    if not (folder / "proxy.pem").exists():
        _certify(folder, host)
    return sorted(set(folder.iterdir()) - before)


def _token(signer: Signer, subject: str, role: str) -> bytes:
    return signer.sign(subject, {"*": role}, timedelta(days=TOKEN_DAYS).total_seconds()).token.encode()


def _once(path: Path, content: Callable[[], bytes]) -> None:
    if not path.exists():
        _write(path, content())


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def _certify(folder: Path, host: str) -> None:
    """An authority of the installation's own and the proxy's certificate; the authority's key is not kept."""
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issued_by = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "modelyard installation")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proxy")])
    root = (
        _draft(issued_by, issued_by, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False)
        .sign(authority, hashes.SHA256())
    )
    names = [_general_name(name) for name in dict.fromkeys([host, "proxy", "localhost", "127.0.0.1"])]
    leaf = (
        _draft(subject, issued_by, own.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .sign(authority, hashes.SHA256())
    )
    _write(folder / "ca.pem", root.public_bytes(serialization.Encoding.PEM))
    _write(
        folder / "proxy.key",
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    _write(folder / "proxy.pem", leaf.public_bytes(serialization.Encoding.PEM))


def _draft(subject: x509.Name, issued_by: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.credentials", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--host", required=True, help="the name or address under which clients reach the proxy")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("secrets"))
    arguments = parser.parse_args()
    written = make(arguments.out, arguments.host)
    if os.geteuid() == 0:
        for path in written:
            os.chown(path, IMAGE_UID, IMAGE_UID)
    else:
        print(f"not root: run `sudo chown {IMAGE_UID} {arguments.out}/*`, or the containers cannot read them")
    print(f"{len(written)} files written to {arguments.out}" if written else f"{arguments.out} is complete already")


if __name__ == "__main__":
    main()
