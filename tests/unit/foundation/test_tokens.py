"""Tokens: what is signed is believed, and nothing else."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelyard.foundation.auth.keys import BadKeyFile, create_key, key_id, load_key, public_key, public_text
from modelyard.foundation.auth.tokens import LEEWAY_S, Signer, TokenExpired, TokenInvalid, TokenRevoked, Verifier
from modelyard.foundation.auth.trust import BadTrustFile, TrustFile, issuer, read_trust, write_trust
from modelyard.foundation.clock import ManualClock, SystemClock
from modelyard.foundation.errors import Unauthenticated

KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
TRUST = {
    "catalog": issuer([KEY.public_key()], ["viewer", "admin"]),
    "scheduler": issuer([OTHER.public_key()], ["attempt"]),
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def verifier(clock: ManualClock) -> Verifier:
    return Verifier(TRUST, clock=clock)


def test_a_signed_token_is_believed(clock: ManualClock, verifier: Verifier) -> None:
    signed = Signer("catalog", KEY, clock).sign("tokens/t", {"p": "viewer"}, 60, claims={"attempt": 3})
    identity = verifier.verify(signed.token)
    assert (identity.subject, identity.issuer, identity.token_id) == ("tokens/t", "catalog", signed.token_id)
    assert identity.projects == {"p": "viewer"}
    assert identity.expire_time == signed.expire_time == clock.now() + timedelta(seconds=60)
    assert identity.claims["attempt"] == 3
    assert verifier.verify(signed.token) is identity


def test_an_identity_shows_no_claims_in_its_repr(clock: ManualClock, verifier: Verifier) -> None:
    signed = Signer("catalog", KEY, clock).sign("tokens/t", {}, 60, claims={"secret": "hunter2"})
    assert "hunter2" not in repr(verifier.verify(signed.token))


def test_roles_of_the_installation_hold_in_every_project(clock: ManualClock, verifier: Verifier) -> None:
    identity = verifier.verify(Signer("catalog", KEY, clock).sign("t", {"p": "admin", "*": "viewer"}, 60).token)
    assert identity.roles_in("p") == {"admin", "viewer"}
    assert identity.roles_in("q") == {"viewer"}
    assert identity.roles_in("") == {"viewer"}
    assert not identity.is_installation_admin


def test_a_remembered_token_expires_all_the_same(clock: ManualClock, verifier: Verifier) -> None:
    token = Signer("catalog", KEY, clock).sign("t", {}, 60).token
    clock.advance(60 + LEEWAY_S - 1)
    verifier.verify(token)
    clock.advance(1)
    for _ in range(2):
        with pytest.raises(TokenExpired):
            verifier.verify(token)


def test_a_remembered_token_is_revoked_at_once(clock: ManualClock) -> None:
    revoked: set[str] = set()
    verifier = Verifier(TRUST, clock=clock, revoked=revoked.__contains__)
    signed = Signer("catalog", KEY, clock).sign("t", {}, 60)
    verifier.verify(signed.token)
    revoked.add(signed.token_id)
    with pytest.raises(TokenRevoked):
        verifier.verify(signed.token)


def test_only_so_many_tokens_are_remembered(clock: ManualClock) -> None:
    verifier = Verifier(TRUST, clock=clock, cache_size=2)
    signer = Signer("catalog", KEY, clock)
    tokens = [signer.sign(f"t{number}", {}, 60).token for number in range(3)]
    first = verifier.verify(tokens[0])
    verifier.verify(tokens[1])
    assert verifier.verify(tokens[0]) is first
    second = verifier.verify(tokens[1])
    verifier.verify(tokens[2])
    assert verifier.verify(tokens[1]) is second
    assert verifier.verify(tokens[0]) is not first


def test_a_signer_sets_the_standard_claims_itself(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="projects"):
        Signer("catalog", KEY, clock).sign("t", {}, 60, claims={"projects": {"*": "admin"}})


Claims = dict[str, Any]


def good(clock: ManualClock) -> Claims:
    now = int(clock.now().timestamp())
    return {"iss": "catalog", "sub": "t", "aud": "modelyard", "exp": now + 60, "jti": "x", "projects": {"p": "admin"}}


def encode(claims: Claims, key: Any = KEY, algorithm: str = "EdDSA", **header: Any) -> str:
    headers = {"typ": "JWT", "kid": key_id(KEY.public_key()), **header}
    return jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm, headers)


def test_the_corpus_begins_with_a_good_token(clock: ManualClock, verifier: Verifier) -> None:
    assert verifier.verify(encode(good(clock))).subject == "t"


BAD_CLAIMS: dict[str, Callable[[Claims], Claims]] = {
    **{f"without {name}": (lambda c, name=name: {k: v for k, v in c.items() if k != name})  # type: ignore[misc]
       for name in ("iss", "sub", "aud", "exp", "jti", "projects")},
    "another issuer": lambda c: c | {"iss": "mallory"},
    "the issuer of another key": lambda c: c | {"iss": "scheduler"},
    "a list as issuer": lambda c: c | {"iss": ["catalog"]},
    "another audience": lambda c: c | {"aud": "other"},
    "expired": lambda c: c | {"exp": c["exp"] - 60 - LEEWAY_S},
    "expired long ago": lambda c: c | {"exp": 1},
    "exp as text": lambda c: c | {"exp": "tomorrow"},
    "exp true": lambda c: c | {"exp": True},
    "exp beyond any calendar": lambda c: c | {"exp": 10**18},
    "exp negative": lambda c: c | {"exp": -1},
    "not yet valid": lambda c: c | {"nbf": c["exp"] + 3600},
    "nbf as text": lambda c: c | {"nbf": "now"},
    "an empty subject": lambda c: c | {"sub": ""},
    "a number as subject": lambda c: c | {"sub": 5},
    "an empty jti": lambda c: c | {"jti": ""},
    "projects as a list": lambda c: c | {"projects": ["admin"]},
    "projects as text": lambda c: c | {"projects": "*"},
    "a role that is no text": lambda c: c | {"projects": {"p": 1}},
    "a role that does not exist": lambda c: c | {"projects": {"p": "root"}},
    "a role of another issuer": lambda c: c | {"projects": {"p": "attempt"}},
    "one such role among good ones": lambda c: c | {"projects": {"p": "viewer", "q": "attempt"}},
}  # fmt: skip


@pytest.mark.parametrize("change", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_a_token_with_bad_claims_is_refused(
    clock: ManualClock, verifier: Verifier, change: Callable[[Claims], Claims]
) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(encode(change(good(clock))))


def forged(clock: ManualClock) -> dict[str, str]:
    claims = good(clock)
    token = encode(claims)
    header, body, signature = token.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": key_id(KEY.public_key())}).encode()).decode()
    raw = base64.b64decode(public_text(KEY.public_key()))
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    rsa_key = rsa.generate_private_key(65537, 2048)
    return {
        "no text": "not a token",
        "dots": "..",
        "alg none": f"{none.rstrip('=')}.{body}.",
        "alg none with the signature": f"{none.rstrip('=')}.{body}.{signature}",
        "no signature": f"{header}.{body}.",
        "another body": f"{header}.{encode(claims | {'sub': 'root'}).split('.')[1]}.{signature}",
        "a changed signature": token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBB"),
        "another key under our kid": encode(claims, OTHER),
        "HMAC with the public key": encode(claims, raw, "HS256"),
        "HMAC with the public key's text": encode(claims, base64.b64encode(pem), "HS256"),
        "RSA": encode(claims, rsa_key, "RS256"),
        "ECDSA": encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256"),
        "an unknown kid": encode(claims, kid="0" * 16),
        "a kid that is a path": encode(claims, kid="../../etc/passwd"),
        "a kid of another issuer": encode(claims, OTHER, kid=key_id(OTHER.public_key())),
        "100 kB": encode(claims | {"padding": "x" * 100_000}),
        "a body that is no object": jwt.api_jws.encode(b"[]", KEY, "EdDSA", {"kid": key_id(KEY.public_key())}),
        "deep nesting": jwt.api_jws.encode(b"[" * 3000 + b"]" * 3000, KEY, "EdDSA"),
    }


@pytest.mark.filterwarnings("ignore:The HMAC key is")
def test_forged_tokens_are_refused(clock: ManualClock, verifier: Verifier) -> None:
    for name, token in forged(clock).items():
        with pytest.raises(TokenInvalid) as caught:
            verifier.verify(token)
        assert token not in caught.value.message, name


def test_the_leeway_covers_clocks_that_differ(clock: ManualClock, verifier: Verifier) -> None:
    now = int(clock.now().timestamp())
    verifier.verify(encode(good(clock) | {"exp": now - LEEWAY_S + 1, "nbf": now + LEEWAY_S - 1}))


def test_a_changed_trust_list_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.foundation.auth.tokens._REFRESH_S", 0.0)
    path = tmp_path / "trust.json"
    write_trust(path, {"catalog": issuer([KEY.public_key()], ["admin"])})
    verifier = Verifier(path)
    old = Signer("catalog", KEY, SystemClock()).sign("t", {"*": "admin"}, 60).token
    new = Signer("catalog", OTHER, SystemClock()).sign("t", {"*": "admin"}, 60).token
    verifier.verify(old)
    with pytest.raises(TokenInvalid):
        verifier.verify(new)
    write_trust(path, {"catalog": issuer([OTHER.public_key()], ["admin"])})
    verifier.verify(new)
    with pytest.raises(TokenInvalid):
        verifier.verify(old)


def test_during_a_rotation_both_keys_are_good(clock: ManualClock) -> None:
    verifier = Verifier({"catalog": issuer([KEY.public_key(), OTHER.public_key()], ["admin"])}, clock=clock)
    for key in (KEY, OTHER):
        verifier.verify(Signer("catalog", key, clock).sign("t", {"*": "admin"}, 60).token)


def test_a_broken_trust_list_leaves_the_last_one_in_force(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    write_trust(path, TRUST)
    source = TrustFile(path)
    path.write_text("{")
    assert not source.refresh()
    assert source.trust == TRUST
    path.unlink()
    assert not source.refresh()
    assert source.trust == TRUST


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"issuers": {"c": {}}}', '{"issuers": {"c": {"keys": ["x"], "roles": []}}}']
)
def test_a_trust_list_that_is_none_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trust.json"
    path.write_text(text)
    with pytest.raises(BadTrustFile, match="is not a trust list"):
        read_trust(path)


def test_a_key_is_written_for_its_owner_only_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "catalog.key"
    key = create_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_text(load_key(path).public_key()) == public_text(key.public_key())
    assert key_id(public_key(public_text(key.public_key()))) == key_id(key.public_key())
    with pytest.raises(FileExistsError):
        create_key(path)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.key"
    create_key(path)
    path.chmod(0o640)
    with pytest.raises(BadKeyFile, match="chmod 600"):
        load_key(path)


def test_files_that_are_no_key_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.key"
    with pytest.raises(BadKeyFile, match="No such file"):
        load_key(path)
    path.write_text("nonsense")
    path.chmod(0o600)
    with pytest.raises(BadKeyFile, match="not a private key"):
        load_key(path)
    other = ec.generate_private_key(ec.SECP256R1())
    no_password = serialization.NoEncryption()
    path.write_bytes(other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))
    with pytest.raises(BadKeyFile, match="not an Ed25519 key"):
        load_key(path)
