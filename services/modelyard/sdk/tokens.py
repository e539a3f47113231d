"""Tokens."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from modelyard.api.catalog.v1 import token_service_pb2, token_service_pb2_grpc
from modelyard.sdk.connection import Connection
from modelyard.sdk.pages import every, lister


class Tokens:
    """The installation's tokens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = token_service_pb2_grpc.TokenServiceStub(connection.channel)

    def create(
        self, subject: str, projects: Mapping[str, str], ttl: timedelta | None = None
    ) -> token_service_pb2.CreateTokenResponse:
        """A token for `subject` (`users/ann`, `workers/gpu-1`) with a role in each project."""
        duration = None
        if ttl is not None:
            duration = Duration()
            duration.FromTimedelta(ttl)
        request = token_service_pb2.CreateTokenRequest(
            token=token_service_pb2.Token(subject=subject, projects=projects),
            ttl=duration,
            request_id=str(uuid.uuid4()),
        )
        return self._connection.call(self._stub.CreateToken, request)

    def list(self) -> Iterator[token_service_pb2.Token]:
        """Every token, newest first, without its secret."""
        request = token_service_pb2.ListTokensRequest()
        return every(lister(self._connection.call, self._stub.ListTokens, request, "tokens"))

    def revoke(self, name: str) -> token_service_pb2.Token:
        """Revoke a token by its id; every service refuses it within 2 seconds."""
        full = name if name.startswith("tokens/") else f"tokens/{name}"
        return self._connection.call(self._stub.RevokeToken, token_service_pb2.RevokeTokenRequest(name=full))
