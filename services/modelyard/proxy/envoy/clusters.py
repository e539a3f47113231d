"""Envoy's clusters: who is called, and how."""

import hashlib
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelyard.foundation.addresses import UnixAddress, is_local, parse_listen
from modelyard.foundation.config import ChannelSettings
from modelyard.proxy.settings import BackendSettings, ProxySettings, StoreSettings

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy"
CLUSTER_TYPE = f"{_TYPE}.config.cluster.v3.Cluster"
_MANY = 1_000_000
"""Parked calls and watches are requests that stay: Envoy's default breaker of 1024 would trip on them."""
_SYSTEM_CA = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

CATALOG, SCHEDULER, INFERENCE, STORE = "catalog", "scheduler", "inference", "store"
FRONT_GRPC, FRONT_REST = "front_grpc", "front_rest"


def static_clusters(settings: ProxySettings) -> list[Json]:
    """The neighbours that the settings name."""
    clusters = [
        service(CATALOG, settings.catalog),
        service(SCHEDULER, settings.scheduler),
        service(INFERENCE, settings.inference),
    ]
    if settings.store is not None:
        clusters.append(store(settings.store))
    return clusters


def front_clusters(run_dir: Path) -> list[Json]:
    """The prediction path where it runs beside Envoy."""
    return [
        cluster(FRONT_GRPC, f"unix:{front_socket(run_dir, FRONT_GRPC)}", http2=True),
        cluster(FRONT_REST, f"unix:{front_socket(run_dir, FRONT_REST)}", http2=False),
    ]


def front_socket(run_dir: Path, name: str) -> Path:
    return run_dir / f"{name}.sock"


def service(name: str, channel: ChannelSettings) -> Json:
    tls = None
    if channel.tls:
        tls = tls_context(
            channel.tls_server_name or _host(channel.target),
            ca=channel.tls_ca_file,
            cert=channel.tls_cert_file,
            key=channel.tls_key_file,
            alpn="h2",
        )
    return cluster(name, channel.target, http2=True, tls=tls)


def store(settings: StoreSettings) -> Json:
    tls = tls_context(settings.host, ca=settings.tls_ca_file) if settings.tls else None
    return cluster(STORE, f"{settings.host}:{settings.port}", http2=False, tls=tls)


def backend_name(endpoint: str) -> str:
    """The cluster of a model server; the same endpoint is always the same cluster."""
    return "backend-" + hashlib.sha256(endpoint.encode()).hexdigest()[:24]


def backend(endpoint: str, settings: BackendSettings) -> Json:
    """The cluster of a model server, as the file holds it."""
    tls = None
    if not is_local(endpoint):
        tls = tls_context(
            _host(endpoint), ca=settings.tls_ca_file, cert=settings.tls_cert_file, key=settings.tls_key_file, alpn="h2"
        )
    return {"@type": CLUSTER_TYPE, **cluster(backend_name(endpoint), endpoint, http2=True, tls=tls)}


def write_clusters(path: Path, version: str, resources: Sequence[Json]) -> None:
    """What Envoy follows, replaced at once by a rename: it reads when a file is moved there."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps({"version_info": version, "resources": resources}))
    temporary.replace(path)


def cluster(name: str, target: str, *, http2: bool, tls: Json | None = None) -> Json:
    address = parse_listen(target.removeprefix("dns:///"))
    found: Json = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "circuit_breakers": {
            "thresholds": [
                dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), _MANY)
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": _http2() if http2 else {"http_protocol_options": {}},
            }
        },
    }
    if isinstance(address, UnixAddress):
        where: Json = {"pipe": {"path": address.path}}
    else:
        where = {"socket_address": {"address": address.host, "port_value": address.port}}
        if not _is_ip(address.host):
            found |= {"type": "STRICT_DNS", "dns_lookup_family": "ALL", "respect_dns_ttl": True}
    found["load_assignment"] = {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}],
    }
    if tls is not None:
        found["transport_socket"] = tls
    return found


def tls_context(
    server_name: str, *, ca: Path | None, cert: Path | None = None, key: Path | None = None, alpn: str = ""
) -> Json:
    """TLS towards a server whose certificate must be for `server_name`."""
    authority = ca or next((Path(path) for path in _SYSTEM_CA if Path(path).exists()), Path(_SYSTEM_CA[0]))
    names = [
        {"san_type": kind, "matcher": {"exact": server_name}}
        for kind in (["IP_ADDRESS"] if _is_ip(server_name) else ["DNS"])
    ]
    common: Json = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "validation_context": {"trusted_ca": {"filename": str(authority)}, "match_typed_subject_alt_names": names},
    }
    if alpn:
        common["alpn_protocols"] = [alpn]
    if cert and key:
        common["tls_certificates"] = [
            {"certificate_chain": {"filename": str(cert)}, "private_key": {"filename": str(key)}}
        ]
    context: Json = {
        "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": common,
    }
    if not _is_ip(server_name):
        context["sni"] = server_name
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _http2() -> Json:
    return {
        "http2_protocol_options": {
            "initial_stream_window_size": 1024 * 1024,
            "initial_connection_window_size": 16 * 1024 * 1024,
            "connection_keepalive": {"interval": "30s", "timeout": "10s"},
        }
    }


def _host(target: str) -> str:
    address = parse_listen(target.removeprefix("dns:///"))
    return "localhost" if isinstance(address, UnixAddress) else address.host


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
