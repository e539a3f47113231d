"""TLS towards clients, and towards model servers on other machines."""

import datetime
import ipaddress
import socket
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.contract.proxy.fakes import ModelServer
from tests.contract.proxy.stack import FRONTS, call, predict_request, refused, route, running_proxy, version_of


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


async def test_over_tls_and_only_over_tls(tmp_path: Path, front: str) -> None:
    certificate, key = self_signed(tmp_path)
    server = {"listen": "127.0.0.1:0", "tls_cert_file": str(certificate), "tls_key_file": str(key)}
    async with running_proxy(tmp_path, front, server=server) as stack, stack.model_server(1):
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        token = stack.issuers.token("predictor", "default")
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        port = stack.address.rpartition(":")[2]
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
            assert version_of(await call(channel, token, predict_request())) == 1
        async with stack.channel() as channel:
            assert (await refused(channel, token, predict_request(), timeout=5)).code in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            )


async def test_a_model_server_on_another_machine_is_reached_by_mutual_tls(tmp_path: Path, front: str) -> None:
    host = outer_address()
    certificate, key = self_signed(tmp_path, host)
    files = {"tls_ca_file": str(certificate), "tls_cert_file": str(certificate), "tls_key_file": str(key)}
    pair = [(key.read_bytes(), certificate.read_bytes())]
    credentials = grpc.ssl_server_credentials(pair, certificate.read_bytes(), require_client_auth=True)
    async with running_proxy(tmp_path, front, backends=files) as stack, stack.channel() as channel:
        model_server = ModelServer(1)
        port = await model_server.start_secure(f"{host}:0", credentials)
        await stack.route(route(backends=[(1, f"{host}:{port}", 100)]))

        assert version_of(await call(channel, stack.issuers.token("admin"), predict_request())) == 1

        await model_server.stop()


def outer_address() -> str:
    """An address of this machine that others could reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        host: str = probe.getsockname()[0]
    return host


def self_signed(folder: Path, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """A certificate for localhost and `host`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(host))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    return folder / "cert.pem", folder / "key.pem"
