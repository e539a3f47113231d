"""Tokens: Ed25519 JWTs with `iss sub aud exp iat jti projects`."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.auth.keys import key_id
from modelyard.foundation.auth.trust import FixedTrust, Issuer, Trust, TrustFile
from modelyard.foundation.clock import Clock, SystemClock
from modelyard.foundation.errors import Unauthenticated
from modelyard.foundation.ids import new_uid

AUDIENCE = "modelyard"
LEEWAY_S = 30
MAX_TOKEN_BYTES = 8192
_REQUIRED = ["iss", "sub", "aud", "exp", "jti", "projects"]
_RESERVED = frozenset([*_REQUIRED, "iat", "nbf"])
_REFRESH_S = 1.0


class TokenMissing(Unauthenticated):
    reason = "TOKEN_MISSING"


class TokenInvalid(Unauthenticated):
    reason = "TOKEN_INVALID"


class TokenExpired(Unauthenticated):
    reason = "TOKEN_EXPIRED"


class TokenRevoked(Unauthenticated):
    reason = "TOKEN_REVOKED"


class SignedToken(NamedTuple):
    token: str
    token_id: str
    expire_time: datetime


class Signer:
    """One issuer's key."""

    def __init__(self, issuer: str, key: Ed25519PrivateKey, clock: Clock | None = None) -> None:
        self._issuer = issuer
        self._key = key
        self._key_id = key_id(key.public_key())
        self._clock = clock or SystemClock()

    def sign(
        self,
        subject: str,
        projects: Mapping[str, str],
        ttl_s: float,
        *,
        token_id: str | None = None,
        claims: Mapping[str, object] | None = None,
    ) -> SignedToken:
        """A token for `subject` with a role by project; `claims` are extra and may not name a standard one."""
        if claims and (taken := _RESERVED & claims.keys()):
            raise ValueError(f"claims {sorted(taken)} are set by the signer")
        token_id = token_id or new_uid()
        now = self._clock.now()
        expire = (now + timedelta(seconds=ttl_s)).replace(microsecond=0)
        payload: dict[str, Any] = {
            **(claims or {}),
            "iss": self._issuer,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": int(now.timestamp()),
            "exp": int(expire.timestamp()),
            "jti": token_id,
            "projects": dict(projects),
        }
        token = jwt.encode(payload, self._key, algorithm="EdDSA", headers={"kid": self._key_id})
        return SignedToken(token, token_id, expire)


class TrustSource(Protocol):
    @property
    def trust(self) -> Trust: ...

    def refresh(self) -> bool: ...


class Verifier:
    """Checks tokens against the trust list; remembers the last `cache_size` good ones.

    `revoked(token_id)` is asked on every call, also for remembered tokens.
    """

    def __init__(
        self,
        trust: TrustSource | Trust | Path,
        *,
        revoked: Callable[[str], bool] = lambda token_id: False,
        clock: Clock | None = None,
        cache_size: int = 4096,
    ) -> None:
        self._source: TrustSource
        if isinstance(trust, Path):
            self._source = TrustFile(trust)
        elif isinstance(trust, Mapping):
            self._source = FixedTrust(trust)
        else:
            self._source = trust
        self._revoked = revoked
        self._clock = clock or SystemClock()
        self._cache_size = cache_size
        self._cache: OrderedDict[str, Identity] = OrderedDict()
        self._next_refresh = 0.0

    def verify(self, token: str) -> Identity:
        """The identity a token proves; Unauthenticated says what is wrong with it (never the token itself)."""
        if not token:
            raise TokenMissing("no token; send metadata `authorization: Bearer <token>` (see `modelyard token print`)")
        self._refresh()
        identity = self._cache.get(token)
        if identity is None:
            identity = self._check(token)
            self._cache[token] = identity
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(token)
            if self._clock.now() >= identity.expire_time + timedelta(seconds=LEEWAY_S):
                del self._cache[token]
                raise _expired()
        if self._revoked(identity.token_id):
            raise TokenRevoked("the token was revoked; ask for a new one", token_id=identity.token_id)
        return identity

    def _refresh(self) -> None:
        now = time.monotonic()
        if now >= self._next_refresh:
            self._next_refresh = now + _REFRESH_S
            if self._source.refresh():
                self._cache.clear()

    def _check(self, token: str) -> Identity:
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenInvalid(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
        try:
            header = jwt.get_unverified_header(token)
            unverified = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise TokenInvalid("the token is not a JSON web token") from None
        issuer_name = unverified.get("iss")
        issuer = self._source.trust.get(issuer_name) if isinstance(issuer_name, str) else None
        key = issuer.keys.get(str(header.get("kid"))) if issuer else None
        if issuer is None or key is None:
            raise TokenInvalid("the token was signed by an issuer or key that is not trusted here")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=issuer_name,
                options={"require": _REQUIRED, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError):
            raise TokenInvalid("the token's signature or claims are not valid") from None
        return self._identity(claims, issuer)

    def _identity(self, claims: Mapping[str, Any], issuer: Issuer) -> Identity:
        now = self._clock.now().timestamp()
        expire, not_before, subject = claims["exp"], claims.get("nbf", 0), claims["sub"]
        projects, token_id = claims["projects"], claims["jti"]
        if not _is_time(expire) or not _is_time(not_before):
            raise TokenInvalid("the token's times are not numbers")
        if now >= expire + LEEWAY_S:
            raise _expired()
        if now < not_before - LEEWAY_S:
            raise TokenInvalid("the token is not valid yet; check this machine's clock")
        if not (isinstance(subject, str) and subject and isinstance(token_id, str) and token_id):
            raise TokenInvalid("the token's sub or jti is empty")
        if not isinstance(projects, dict) or not all(isinstance(role, str) for role in projects.values()):
            raise TokenInvalid("the token's projects are not a map of project to role")
        if not issuer.roles.issuperset(projects.values()):
            raise TokenInvalid("the token carries a role that its issuer may not give")
        return Identity(
            subject=subject,
            issuer=claims["iss"],
            token_id=token_id,
            projects=projects,
            expire_time=datetime.fromtimestamp(expire, UTC),
            claims=claims,
        )


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 253402300800


def _expired() -> TokenExpired:
    return TokenExpired("the token has expired; ask for a new one (`modelyard token create`)")
