"""Reflection and health, as grpcurl and load balancers use them."""

import asyncio
import shutil
from pathlib import Path

import pytest
from grpc_reflection.v1alpha import reflection_pb2

from modelyard.foundation.auth.policy import ANY_IDENTITY, service_rules
from tests.support.echo import METHODS, SERVICE, EchoServicer, add_echo
from tests.support.servers import Served, serving

RULES = service_rules(SERVICE, dict.fromkeys(METHODS, ANY_IDENTITY))


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_both_versions_list_the_services(tmp_path: Path, version: str) -> None:
    async with serving(tmp_path, [(add_echo, EchoServicer())], RULES) as served, served.channel("") as channel:
        rpc = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        async for answer in rpc(iter([reflection_pb2.ServerReflectionRequest(list_services="")])):
            names = {service.name for service in answer.list_services_response.service}
        assert names == {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


def find_grpcurl() -> str | None:
    return shutil.which("grpcurl") or shutil.which("grpcurl", path=str(Path.home() / "go" / "bin"))


@pytest.mark.skipif(find_grpcurl() is None, reason="grpcurl is not installed")
async def test_grpcurl_lists_and_calls(tmp_path: Path) -> None:
    async with serving(tmp_path, [(add_echo, EchoServicer())], RULES, listen="127.0.0.1:0") as served:
        listed = await grpcurl(served, "list")
        assert SERVICE in listed
        called = await grpcurl(served, f"{SERVICE}/Unary", token=served.issuers.token(), data='{"text": "hi"}')
        assert '"text": "hi"' in called
        described = await grpcurl(served, "describe", SERVICE)
        assert "rpc Unary" in described


async def grpcurl(served: Served, *words: str, token: str = "", data: str = "") -> str:
    flags = ["-plaintext"]
    flags += ["-H", f"authorization: Bearer {token}"] if token else []
    flags += ["-d", data] if data else []
    process = await asyncio.create_subprocess_exec(
        find_grpcurl() or "", *flags, served.address, *words, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return output.decode()
