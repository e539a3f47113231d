"""Envoy's whole configuration, as the JSON it is started with."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from modelyard.foundation.addresses import UnixAddress, parse_listen
from modelyard.proxy.envoy.clusters import front_clusters, static_clusters
from modelyard.proxy.envoy.replies import local_reply_config
from modelyard.proxy.envoy.routes import FILTER, virtual_host
from modelyard.proxy.settings import ProxySettings

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy"
_MONITORS = f"{_TYPE}.extensions.resource_monitors"
_APP = "modelyard.proxy.embedded:app"
LISTENER = "address"
STAT_PREFIX = "address"


def admin_socket(run_dir: Path) -> Path:
    return run_dir / "admin.sock"


def cluster_file(run_dir: Path) -> Path:
    """The model servers' clusters; Envoy follows this file."""
    return run_dir / "clusters" / "backends.json"


def bootstrap(settings: ProxySettings, *, embedded: bool) -> Json:
    """`embedded`: the prediction path runs inside Envoy, by its filter."""
    clusters = static_clusters(settings) + ([] if embedded else front_clusters(settings.run_dir))
    found: Json = {
        "node": {"id": "proxy", "cluster": "modelyard"},
        "admin": {"address": {"pipe": {"path": str(admin_socket(settings.run_dir)), "mode": 0o600}}},
        "static_resources": {"listeners": [_listener(settings, embedded=embedded)], "clusters": clusters},
        "overload_manager": _overload_manager(settings),
        "stats_flush_interval": "60s",
    }
    if embedded:
        path = cluster_file(settings.run_dir)
        found["dynamic_resources"] = {
            "cds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}},
            }
        }
    return found


def _listener(settings: ProxySettings, *, embedded: bool) -> Json:
    address = parse_listen(settings.server.listen)
    if isinstance(address, UnixAddress):
        where: Json = {"pipe": {"path": address.path, "mode": 0o600}}
    else:
        where = {"socket_address": {"address": address.host, "port_value": address.port}}
    chain: Json = {
        "filters": [
            {
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": _http(settings, embedded=embedded),
            }
        ]
    }
    if settings.server.tls_cert_file is not None:
        chain["transport_socket"] = _tls(settings)
    return {
        "name": LISTENER,
        "address": where,
        "filter_chains": [chain],
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        # A second proxy on the port is wanted only where somebody says so: else it would take half of the calls.
        "enable_reuse_port": settings.share_port,
    }


def _http(settings: ProxySettings, *, embedded: bool) -> Json:
    limits = settings.connections
    return {
        "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": STAT_PREFIX,
        "server_name": "modelyard",
        "use_remote_address": True,
        "internal_address_config": {"cidr_ranges": []},
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "max_request_headers_kb": limits.max_header_kib,
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "0s",
        "common_http_protocol_options": {"idle_timeout": f"{limits.idle_s:g}s", "max_headers_count": 128},
        "http2_protocol_options": {
            "max_concurrent_streams": limits.max_streams_per_connection,
            "initial_stream_window_size": 1024 * 1024,
            "initial_connection_window_size": 16 * 1024 * 1024,
            "connection_keepalive": {"interval": "60s", "timeout": "20s"},
        },
        "http_filters": _filters(settings, embedded=embedded),
        "local_reply_config": local_reply_config(),
        "route_config": {"name": "routes", "virtual_hosts": [virtual_host(settings, embedded=embedded)]},
    }


def _filters(settings: ProxySettings, *, embedded: bool) -> list[Json]:
    filters: list[Json] = []
    if settings.cors_origins:
        filters.append(_filter("envoy.filters.http.cors", "cors.v3.Cors"))
    filters.append(_filter("envoy.filters.http.grpc_web", "grpc_web.v3.GrpcWeb"))
    if embedded:
        filters.append(_pyvoy())
    router = _filter("envoy.filters.http.router", "router.v3.Router")
    router["typed_config"]["suppress_envoy_headers"] = True
    return [*filters, router]


def _filter(name: str, message: str) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_TYPE}.extensions.filters.http.{message}"}}


def _pyvoy() -> Json:
    spec = importlib.util.find_spec("pyvoy._pyvoy")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("pyvoy has no native module here")
    app = {"app": _APP, "interface": "asgi", "root_path": "", "lifespan": True}
    return {
        "name": FILTER,
        "typed_config": {
            "@type": f"{_TYPE}.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": {"module": {"local": {"filename": spec.origin}}},
            "filter_name": FILTER,
            "terminal_filter": False,
            "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(app)},
        },
    }


def _tls(settings: ProxySettings) -> Json:
    server = settings.server
    common: Json = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificates": [
            {
                "certificate_chain": {"filename": str(server.tls_cert_file)},
                "private_key": {"filename": str(server.tls_key_file)},
            }
        ],
    }
    if server.tls_client_ca_file is not None:
        common["validation_context"] = {"trusted_ca": {"filename": str(server.tls_client_ca_file)}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": common,
            "require_client_certificate": server.tls_client_ca_file is not None,
        },
    }


def _overload_manager(settings: ProxySettings) -> Json:
    """Connections and memory are bounded for the process as a whole."""
    limits = settings.connections
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{_MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": limits.max_connections,
                },
            },
            {
                "name": "envoy.resource_monitors.fixed_heap",
                "typed_config": {
                    "@type": f"{_MONITORS}.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": limits.max_heap_bytes,
                },
            },
        ],
        "actions": [
            {
                "name": "envoy.overload_actions.stop_accepting_requests",
                "triggers": [{"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": 0.95}}],
            },
            {
                "name": "envoy.overload_actions.shrink_heap",
                "triggers": [{"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": 0.9}}],
            },
        ],
    }
