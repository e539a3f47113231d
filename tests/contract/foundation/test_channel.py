"""The channel factory, with a real server at the other end."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import ValidationError

from modelyard.foundation.auth.credentials import FixedToken, TokenFile
from modelyard.foundation.auth.policy import Rule, service_rules
from modelyard.foundation.auth.roles import READERS
from modelyard.foundation.config import ChannelSettings, ListenSettings
from modelyard.foundation.errors import Unavailable
from modelyard.foundation.rpc.channel import connect, retriable
from modelyard.foundation.rpc.server import Server
from modelyard.foundation.rpc.tls import BadTlsFile
from tests.support.certificates import Certificate, issue
from tests.support.echo import FILE, METHODS, SERVICE, Echo, EchoClient, EchoServicer, add_echo
from tests.support.servers import Issuers, serving

RULES = service_rules(SERVICE, dict.fromkeys(METHODS, Rule(READERS, "name")))
REQUEST = Echo(name="projects/p/things/t", text="hello")


@pytest.mark.parametrize("listen", ["", "127.0.0.1:0"])
@pytest.mark.parametrize("method", METHODS)
async def test_the_token_travels_on_a_unix_socket_and_on_loopback(
    tmp_path: Path, issuers: Issuers, listen: str, method: str
) -> None:
    async with serving(tmp_path, [(add_echo, EchoServicer())], RULES, issuers=issuers, listen=listen) as served:
        settings = ChannelSettings(target=served.address)
        async with connect(settings, credentials=FixedToken(issuers.token("viewer", "p"))) as channel:
            assert (await EchoClient(channel).call(method, REQUEST))[0].text == "hello"


async def test_a_proxy_in_the_environment_is_not_used(
    tmp_path: Path, issuers: Issuers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    services = [(add_echo, EchoServicer())]
    async with (
        serving(tmp_path, services, RULES, issuers=issuers, listen="127.0.0.1:0") as served,
        served.channel() as channel,
    ):
        await EchoClient(channel).call("Unary", REQUEST, timeout=5)


async def test_a_call_that_may_be_repeated_is(tmp_path: Path) -> None:
    failures = 2

    async def fail_twice(request: Any) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise Unavailable("not yet")
        return request

    servicer = EchoServicer(fail_twice)
    async with serving(tmp_path, [(add_echo, servicer)], RULES) as served:
        async with served.channel(retry=[f"{SERVICE}/Unary"]) as channel:
            assert await EchoClient(channel).call("Unary", REQUEST) == [REQUEST]
        assert servicer.calls == 3


async def test_a_call_that_may_not_be_repeated_is_not(tmp_path: Path) -> None:
    async def fail(request: Any) -> Any:
        raise Unavailable("not yet")

    servicer = EchoServicer(fail)
    async with serving(tmp_path, [(add_echo, servicer)], RULES) as served, served.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await EchoClient(channel).call("Unary", REQUEST)
        assert servicer.calls == 1


def test_what_may_be_repeated_is_read_from_the_names() -> None:
    assert retriable(FILE) == []
    assert retriable(FILE, also=["Unary"]) == [f"{SERVICE}/Unary"]


async def test_a_renewed_token_file_is_used_without_a_restart(
    tmp_path: Path, issuers: Issuers, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text(issuers.token("viewer", "other") + "\n")
    monkeypatch.setattr("modelyard.foundation.auth.credentials._REFRESH_S", 0.0)
    async with (
        serving(tmp_path, [(add_echo, EchoServicer())], RULES, issuers=issuers) as served,
        connect(ChannelSettings(target=served.address), credentials=TokenFile(path)) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError):
            await EchoClient(channel).call("Unary", REQUEST)
        path.write_text(issuers.token("viewer", "p") + "\n")
        assert await EchoClient(channel).call("Unary", REQUEST) == [REQUEST]


def tls_listen(ours: Certificate, client_ca: Path | None = None) -> ListenSettings:
    return ListenSettings(
        listen="127.0.0.1:0", tls_cert_file=ours.cert, tls_key_file=ours.key, tls_client_ca_file=client_ca
    )


async def call_over_tls(server: Server, issuers: Issuers, **settings: Any) -> Any:
    port = server.address.rpartition(":")[2]
    target = ChannelSettings(target=f"localhost:{port}", tls=True, **settings)
    async with connect(target, credentials=FixedToken(issuers.token())) as channel:
        return await EchoClient(channel).call("Unary", REQUEST, timeout=5)


async def started(settings: ListenSettings, issuers: Issuers) -> Server:
    server = Server(settings, verifier=issuers.verifier(), rules=RULES)
    server.add(add_echo, EchoServicer())
    await server.start()
    return server


async def test_tls_is_spoken_with_who_knows_the_authority_only(tmp_path: Path, issuers: Issuers) -> None:
    ours, other = issue(tmp_path / "ours"), issue(tmp_path / "other")
    server = await started(tls_listen(ours), issuers)
    try:
        assert await call_over_tls(server, issuers, tls_ca_file=ours.ca) == [REQUEST]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call_over_tls(server, issuers, tls_ca_file=other.ca)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        await server.stop(0)


async def test_mutual_tls_refuses_a_client_without_our_certificate(tmp_path: Path, issuers: Issuers) -> None:
    ours, other = issue(tmp_path / "ours"), issue(tmp_path / "other")
    server = await started(tls_listen(ours, ours.ca), issuers)
    try:
        mine = {"tls_ca_file": ours.ca, "tls_cert_file": ours.cert, "tls_key_file": ours.key}
        assert await call_over_tls(server, issuers, **mine) == [REQUEST]
        for refused in ({}, {"tls_cert_file": other.cert, "tls_key_file": other.key}):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call_over_tls(server, issuers, tls_ca_file=ours.ca, **refused)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        await server.stop(0)


async def test_a_renewed_certificate_needs_no_restart(tmp_path: Path, issuers: Issuers) -> None:
    ours = issue(tmp_path / "ours")
    server = await started(tls_listen(ours), issuers)
    try:
        assert await call_over_tls(server, issuers, tls_ca_file=ours.ca) == [REQUEST]
        old_ca = tmp_path / "old-ca.pem"
        old_ca.write_bytes(ours.ca.read_bytes())
        issue(tmp_path / "ours")
        assert await call_over_tls(server, issuers, tls_ca_file=ours.ca) == [REQUEST]
        with pytest.raises(grpc.aio.AioRpcError):
            await call_over_tls(server, issuers, tls_ca_file=old_ca)
    finally:
        await server.stop(0)


async def test_a_certificate_that_cannot_be_read_is_said(tmp_path: Path, issuers: Issuers) -> None:
    missing = Certificate(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")
    with pytest.raises(BadTlsFile, match="cannot be read"):
        await started(tls_listen(missing), issuers)


def test_plaintext_to_another_machine_is_refused() -> None:
    with pytest.raises(ValidationError, match="tls is off"):
        ChannelSettings(target="scheduler.example:8470")
