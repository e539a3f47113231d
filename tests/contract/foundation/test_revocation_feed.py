"""Every service but the catalog hears from it which tokens were revoked."""

from pathlib import Path
from typing import Any

import grpc

from modelyard.api.catalog.v1 import token_service_pb2, token_service_pb2_grpc
from modelyard.foundation.auth.revocation_feed import follow_revocations
from tests.support.eventually import eventually


class Tokens(token_service_pb2_grpc.TokenServiceServicer):
    def __init__(self) -> None:
        self.revoked: list[str] = []
        self.away = False
        self.refused = 0

    async def ListRevocations(self, request: Any, context: Any) -> token_service_pb2.ListRevocationsResponse:
        if self.away:
            self.refused += 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        fresh = self.revoked[int(request.cursor or 0) :]
        return token_service_pb2.ListRevocationsResponse(token_ids=fresh, cursor=str(len(self.revoked)))


async def test_a_revoked_token_is_known_soon_also_after_the_catalog_was_away(tmp_path: Path) -> None:
    tokens = Tokens()  # type: ignore[abstract]
    server = grpc.aio.server()
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(tokens, server)
    server.add_insecure_port(f"unix:{tmp_path}/catalog.sock")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/catalog.sock") as channel:
        revocations = follow_revocations(channel)
        tokens.revoked.append("a")
        revocations.start()
        await eventually(lambda: revocations.is_revoked("a"))
        tokens.away = True
        tokens.revoked.append("b")
        await eventually(lambda: tokens.refused, timeout_s=10)
        assert revocations.is_revoked("a")
        assert not revocations.is_revoked("b")
        tokens.away = False
        await eventually(lambda: revocations.is_revoked("b"), timeout_s=20)
        assert not revocations.is_revoked("c")
        await revocations.stop()
    await server.stop(0)
