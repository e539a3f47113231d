"""Tokens: who may be given which role, and how they end."""

import uuid

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from modelyard.api.catalog.v1 import project_service_pb2, token_service_pb2
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import Client, RunningCatalog


async def make(
    client: Client, subject: str, projects: dict[str, str], **fields: object
) -> token_service_pb2.CreateTokenResponse:
    request = token_service_pb2.CreateTokenRequest(
        token=token_service_pb2.Token(subject=subject, projects=projects),
        **fields,  # type: ignore[arg-type]
    )
    return await client.tokens.CreateToken(request)


async def failed(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def works(client: Client) -> bool:
    try:
        await client.projects.ListProjects(project_service_pb2.ListProjectsRequest())
    except grpc.aio.AioRpcError as error:
        if reason_of(error) != "TOKEN_REVOKED":
            raise
        return False
    return True


async def test_a_token_works_until_it_is_revoked(catalog: RunningCatalog, admin: Client) -> None:
    made = await make(admin, "users/bob", {"default": "viewer"})
    bob = await catalog.client_with(made.secret)
    assert await works(bob)

    revoked = await admin.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(name=made.token.name))

    assert revoked.HasField("revoke_time")
    assert not await works(bob)
    assert await admin.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(name=made.token.name)) == revoked


async def test_a_retry_gets_the_same_token_not_a_second_one(admin: Client) -> None:
    request_id = str(uuid.uuid4())
    first = await make(admin, "users/bob", {"default": "viewer"}, request_id=request_id)

    assert await make(admin, "users/bob", {"default": "viewer"}, request_id=request_id) == first


async def test_nobody_gives_a_role_they_do_not_have(catalog: RunningCatalog) -> None:
    lead = await catalog.client("admin", "default", "users/lead")
    await make(lead, "users/bob", {"default": "editor"})

    for client, projects in (
        (lead, {"*": "viewer"}),
        (lead, {"other": "viewer"}),
        (lead, {"default": "viewer", "other": "viewer"}),
        (await catalog.client("editor", "default"), {"default": "viewer"}),
        (await catalog.client("service", "*", "services/s"), {"default": "viewer"}),
    ):
        error = await failed(make(client, "users/bob", projects))
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_TOO_HIGH")


@pytest.mark.parametrize(
    ("subject", "projects", "ttl_s", "field"),
    [
        ("users/bob", {}, 600, "token.projects"),
        ("users/bob", {"default": "attempt"}, 600, "token.projects"),
        ("users/bob", {"default": "king"}, 600, "token.projects"),
        ("users/bob", {"*": "worker"}, 600, "token.projects"),
        ("workers/w", {"default": "worker"}, 600, "token.projects"),
        ("workers/w", {"*": "host"}, 600, "token.projects"),
        ("workers/w", {"*": "admin"}, 600, "token.projects"),
        ("bob", {"default": "viewer"}, 600, "token.subject"),
        ("projects/p/jobs/j/attempts/1", {"default": "viewer"}, 600, "token.subject"),
        ("users/bob", {"default": "viewer"}, 1, "ttl"),
        ("users/bob", {"default": "viewer"}, 367 * 86400, "ttl"),
    ],
)
async def test_a_wrong_token_is_refused_with_its_field(
    admin: Client, subject: str, projects: dict[str, str], ttl_s: int, field: str
) -> None:
    error = await failed(make(admin, subject, projects, ttl=Duration(seconds=ttl_s)))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert failure_of(error).fields.keys() == {field}


async def test_machines_get_their_roles_from_the_installations_administrator(
    catalog: RunningCatalog, admin: Client
) -> None:
    made = await make(admin, "workers/w1", {"*": "worker"})

    worker = await catalog.client_with(made.secret)

    answer = await worker.tokens.ListRevocations(token_service_pb2.ListRevocationsRequest())
    assert list(answer.token_ids) == []


async def test_revocations_are_read_by_cursor(catalog: RunningCatalog, admin: Client) -> None:
    service = await catalog.client("service", "*", "services/s")

    async def since(cursor: str) -> token_service_pb2.ListRevocationsResponse:
        return await service.tokens.ListRevocations(token_service_pb2.ListRevocationsRequest(cursor=cursor))

    start = await since("")
    await admin.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(name="tokens/never-seen-here"))
    first = await since(start.cursor)
    made = await make(admin, "users/bob", {"default": "viewer"})
    await admin.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(name=made.token.name))
    second = await since(first.cursor)

    assert list(first.token_ids) == ["never-seen-here"]
    assert [f"tokens/{token}" for token in second.token_ids] == [made.token.name]
    assert list((await since(second.cursor)).token_ids) == []
    assert (await failed(since("nonsense"))).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_tokens_are_listed_to_those_they_concern(catalog: RunningCatalog, admin: Client) -> None:
    for number in range(3):
        await make(admin, f"users/u{number}", {"default": "viewer"})
    await make(admin, "users/u0", {"other": "viewer"})

    async def seen(client: Client) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            page = await client.tokens.ListTokens(token_service_pb2.ListTokensRequest(page_size=2, page_token=token))
            found += [each.subject for each in page.tokens]
            token = page.next_page_token
            if not token:
                return sorted(found)

    assert await seen(admin) == ["users/u0", "users/u0", "users/u1", "users/u2"]
    assert await seen(await catalog.client("admin", "default", "users/lead")) == ["users/u0", "users/u1", "users/u2"]
    assert await seen(await catalog.client("viewer", "default", "users/u1")) == ["users/u1"]


async def test_only_administrators_revoke_what_is_not_theirs(catalog: RunningCatalog, admin: Client) -> None:
    made = await make(admin, "users/bob", {"default": "viewer"})
    eve = await catalog.client("editor", "default", "users/eve")

    known = await failed(eve.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(name=made.token.name)))
    unknown = await failed(eve.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(name="tokens/x")))

    assert known.code() is unknown.code() is grpc.StatusCode.PERMISSION_DENIED
    assert (known.details() or "").replace(made.token.name, "tokens/x") == unknown.details()
    bob = await catalog.client_with(made.secret)
    await bob.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(name=made.token.name))
    assert not await works(bob)
