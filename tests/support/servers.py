"""Real grpc.aio servers on a socket, and callers with tokens."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.auth.identity import Identity, set_current_identity
from modelyard.foundation.auth.policy import Rules
from modelyard.foundation.auth.roles import MACHINE_ROLES, PEOPLE_ROLES
from modelyard.foundation.auth.tokens import Signer, Verifier
from modelyard.foundation.auth.trust import Trust, issuer
from modelyard.foundation.config import ChannelSettings, ListenSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.rpc.server import Server

AddToServer = Callable[[Any, Any], None]


@dataclass(frozen=True)
class Issuers:
    """The two authorities of an installation, with keys of their own."""

    catalog_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    scheduler_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def trust(self) -> Trust:
        return {
            "catalog": issuer(
                [self.catalog_key.public_key()], [r for r in (*PEOPLE_ROLES, *MACHINE_ROLES) if r != "attempt"]
            ),
            "scheduler": issuer([self.scheduler_key.public_key()], ["attempt"]),
        }

    def verifier(self, **options: Any) -> Verifier:
        return Verifier(self.trust, **options)

    def token(
        self,
        role: str = "admin",
        project: str = "*",
        subject: str = "tokens/test",
        *,
        ttl_s: float = 600,
        **options: Any,
    ) -> str:
        """A token with one role in one project; of the scheduler when the role is `attempt`."""
        by_scheduler = role == "attempt"
        signer = Signer("scheduler", self.scheduler_key) if by_scheduler else Signer("catalog", self.catalog_key)
        return signer.sign(subject, {project: role} if role else {}, ttl_s, **options).token

    def identity(self, role: str = "admin", project: str = "*", subject: str = "tokens/test") -> Identity:
        return self.verifier().verify(self.token(role, project, subject))

    def act_as(self, role: str = "admin", project: str = "*", subject: str = "tokens/test") -> Identity:
        """Makes this the caller of the use cases that the test calls directly."""
        identity = self.identity(role, project, subject)
        set_current_identity(identity)
        return identity


@dataclass(frozen=True)
class Served:
    server: Server
    address: str
    issuers: Issuers

    @asynccontextmanager
    async def channel(self, token: str | None = None, **options: Any) -> AsyncIterator[grpc.aio.Channel]:
        """A channel to the server; `token` "" is none, by default it is an installation admin's."""
        token = self.issuers.token() if token is None else token
        credentials = FixedToken(token) if token else None
        async with connect(ChannelSettings(target=self.address), credentials=credentials, **options) as channel:
            yield channel


@asynccontextmanager
async def serving(
    folder: Path,
    services: Mapping[AddToServer, object] | Sequence[tuple[AddToServer, object]],
    rules: Rules,
    *,
    issuers: Issuers | None = None,
    listen: str = "",
    **options: Any,
) -> AsyncIterator[Served]:
    """A running server of these servicers on a unix socket in `folder` (or on `listen`)."""
    issuers = issuers or Issuers()
    settings = ListenSettings(listen=listen or f"unix:{folder}/server.sock")
    options.setdefault("verifier", issuers.verifier())
    server = Server(settings, rules=rules, **options)
    for add, servicer in services.items() if isinstance(services, Mapping) else services:
        server.add(add, servicer)
    await server.start()
    try:
        yield Served(server, server.address, issuers)
    finally:
        await server.stop(grace_s=0)
