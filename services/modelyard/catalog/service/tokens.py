"""Tokens of people and machines."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from modelyard.catalog.domain.errors import not_found
from modelyard.catalog.domain.tokens import Token, administers, check_may_give, token_id, validate_request
from modelyard.catalog.service.audit import audit_row
from modelyard.catalog.service.ports import Catalog, Minter, RequestKey, Transaction
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.auth.revocations import Revocation, RevocationPage, Revocations
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import InvalidArgument, PermissionDenied
from modelyard.foundation.ids import new_uid

REVOCATIONS_A_CALL = 1000
UNKNOWN_EXPIRY = timedelta(days=3650)
"""How long this process remembers that a token was revoked which it did not make."""

Position = tuple[str, str]


class TokenService:
    def __init__(self, catalog: Catalog, minter: Minter, clock: Clock) -> None:
        self._catalog = catalog
        self._minter = minter
        self._clock = clock
        self.revocations = Revocations(self._poll, clock=clock)
        """What this process itself refuses; follows SQL, where another catalog may write too."""

    async def create(
        self, caller: Identity, subject: str, projects: Mapping[str, str], ttl: timedelta | None, key: RequestKey
    ) -> tuple[Token, str]:
        """The token and its secret."""
        ttl = validate_request(subject, projects, ttl)
        check_may_give(caller.projects, projects)

        def work(tx: Transaction) -> Token:
            # Whole seconds, as in the token itself: by them the same secret is made again for a retry.
            now = self._clock.now().replace(microsecond=0)

            def create() -> str:
                token = Token(new_uid(), subject, dict(projects), now, now + ttl)
                tx.tokens.insert(token)
                tx.audit(audit_row(caller, "CreateToken", token.name, now, key.request_id))
                return token.id

            return _existing(tx, tx.once(key, now, create))

        token = await self._catalog.run(work)
        return token, self._minter.mint(token)

    async def page(self, caller: Identity, before: str, limit: int) -> list[Token]:
        """The caller's own, and those of whatever it administers; newest first. `before` is a token's ID."""

        def work(tx: Transaction) -> list[Token]:
            found: list[Token] = []
            start = tx.tokens.get(before) if before else None
            position = (start.create_time, start.id) if start and start.create_time else None
            while len(found) < limit:
                page = tx.tokens.page(position, 500)
                found += [token for token in page if _may_see(caller, token)]
                if len(page) < 500:
                    break
                last = page[-1]
                position = (last.create_time, last.id) if last.create_time else None
            return found[:limit]

        return await self._catalog.read(work)

    async def revoke(self, caller: Identity, name: str) -> Token:
        """Any token: an administrator of the installation may revoke one that this catalog has not made."""
        token = token_id(name)

        def work(tx: Transaction) -> Token:
            found = tx.tokens.get(token)
            if found is None:
                if not caller.is_installation_admin and caller.token_id != token:
                    raise _not_yours(name)
                found = Token(token, "", {}, None, None)
            elif not _may_see(caller, found):
                raise _not_yours(name)
            if found.revoke_time is not None:
                return found
            now = self._clock.now()
            revoked = replace(found, revoke_time=now)
            tx.tokens.revoke(revoked)
            tx.audit(audit_row(caller, "RevokeToken", name, now))
            return revoked

        revoked = await self._catalog.run(work)
        self.revocations.add([self._remembered(revoked)])
        return revoked

    async def revoked_since(self, cursor: str) -> tuple[list[Token], str]:
        if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
            raise InvalidArgument("cursor is not one that ListRevocations gave out", field="cursor")
        now = self._clock.now()
        tokens, behind = await self._catalog.read(
            lambda tx: tx.tokens.revoked_since(int(cursor or 0), now, REVOCATIONS_A_CALL)
        )
        return tokens, str(behind)

    async def _poll(self, cursor: str) -> RevocationPage:
        tokens, behind = await self.revoked_since(cursor)
        return RevocationPage([self._remembered(token) for token in tokens], behind)

    def _remembered(self, token: Token) -> Revocation:
        return Revocation(token.id, token.expire_time or self._clock.now() + UNKNOWN_EXPIRY)


def _existing(tx: Transaction, token: str) -> Token:
    found = tx.tokens.get(token)
    if found is None:
        raise not_found(f"tokens/{token}")
    return found


def _may_see(caller: Identity, token: Token) -> bool:
    return token.subject == caller.subject or administers(caller.projects, token.projects)


def _not_yours(name: str) -> PermissionDenied:
    return PermissionDenied(
        f"RevokeToken on {name} is not allowed (or it does not exist); an administrator of its projects may"
    )
