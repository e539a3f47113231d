"""Token secrets, made with the catalog's own key."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelyard.catalog.domain.tokens import Token
from modelyard.foundation.auth.tokens import Signer
from modelyard.foundation.clock import ManualClock

ISSUER = "catalog"


class KeyMinter:
    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def mint(self, token: Token) -> str:
        """Ed25519 signatures are deterministic: signed as of its creation, a token has the same secret each time."""
        if token.create_time is None or token.expire_time is None:
            raise ValueError(f"{token.name} was not made by this catalog")
        ttl_s = (token.expire_time - token.create_time).total_seconds()
        signer = Signer(ISSUER, self._key, ManualClock(token.create_time))
        return signer.sign(token.subject, token.projects, ttl_s, token_id=token.id).token
