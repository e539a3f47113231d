"""Revocations as the catalog tells them, for every service but the catalog itself."""

from datetime import UTC, datetime, timedelta

import grpc

from modelyard.api.catalog.v1 import token_service_pb2, token_service_pb2_grpc
from modelyard.foundation.auth.revocations import Revocation, RevocationPage, Revocations

_LONGEST_TOKEN = timedelta(days=366)
_TIMEOUT_S = 5.0


def follow_revocations(channel: grpc.aio.Channel) -> Revocations:
    """A set that is asked on every call and follows the catalog at the end of `channel`; `start` it."""
    stub = token_service_pb2_grpc.TokenServiceStub(channel)

    async def list_revocations(cursor: str) -> RevocationPage:
        request = token_service_pb2.ListRevocationsRequest(cursor=cursor)
        answer = await stub.ListRevocations(request, timeout=_TIMEOUT_S)
        # The catalog does not say when each would have ended by itself, so the longest is assumed.
        until = datetime.now(UTC) + _LONGEST_TOKEN
        return RevocationPage([Revocation(token_id, until) for token_id in answer.token_ids], answer.cursor)

    return Revocations(list_revocations, unreachable=(grpc.aio.AioRpcError,))
