"""TokenService."""

from modelyard.api.catalog.v1 import token_service_pb2 as pb
from modelyard.api.catalog.v1.token_service_pb2_grpc import TokenServiceServicer
from modelyard.catalog.service.tokens import TokenService
from modelyard.catalog.servicers.messages import token_message
from modelyard.catalog.servicers.requests import Page, request_key
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.pages import PageTokens


class TokenServicer(TokenServiceServicer):
    def __init__(self, tokens: TokenService, page_tokens: PageTokens) -> None:
        self._tokens = tokens
        self._page_tokens = page_tokens

    async def CreateToken(self, request: pb.CreateTokenRequest, context: object) -> pb.CreateTokenResponse:
        wanted = request.token
        try:
            ttl = request.ttl.ToTimedelta() if request.HasField("ttl") else None
        except OverflowError:
            raise InvalidArgument("ttl must be between 1 minute and 366 days", field="ttl") from None
        key = request_key("CreateToken", request, request.request_id)
        token, secret = await self._tokens.create(current_identity(), wanted.subject, dict(wanted.projects), ttl, key)
        return pb.CreateTokenResponse(token=token_message(token), secret=secret)

    async def ListTokens(self, request: pb.ListTokensRequest, context: object) -> pb.ListTokensResponse:
        page = Page(self._page_tokens, "ListTokens", "", request.page_size, request.page_token)
        found = await self._tokens.page(current_identity(), page.after, page.limit)
        return pb.ListTokensResponse(
            tokens=map(token_message, page.shown(found)), next_page_token=page.next_token(found, lambda token: token.id)
        )

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: object) -> pb.Token:
        return token_message(await self._tokens.revoke(current_identity(), request.name))

    async def ListRevocations(self, request: pb.ListRevocationsRequest, context: object) -> pb.ListRevocationsResponse:
        tokens, cursor = await self._tokens.revoked_since(request.cursor)
        return pb.ListRevocationsResponse(token_ids=[token.id for token in tokens], cursor=cursor)
