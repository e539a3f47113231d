"""Which path goes where."""

from collections.abc import Sequence
from typing import Any

from modelyard.proxy.embedding import PEER_HEADER
from modelyard.proxy.envoy.clusters import CATALOG, FRONT_GRPC, FRONT_REST, INFERENCE, SCHEDULER, STORE
from modelyard.proxy.settings import ProxySettings

Json = dict[str, Any]

FILTER = "pyvoy"
CONTROL = {
    "/modelyard.api.catalog.": CATALOG,
    "/modelyard.api.scheduler.": SCHEDULER,
    "/modelyard.api.inference.": INFERENCE,
    "/grpc.reflection.": INFERENCE,
    "/grpc.health.v1.": INFERENCE,
}
PREDICTION_GRPC = ("/tensorflow.serving.",)
PREDICTION_REST = ("/v1/models",)
HEALTH_PATH = "/healthz"

_DISABLED = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
_AUTHORITY: Json = {
    "request_headers_to_add": [
        {
            "header": {"key": "x-forwarded-host", "value": "%REQ(:AUTHORITY)%"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    ]
}
"""The name by which the caller reached us: the catalog signs URLs of the store for it."""
_OFF: Json = {"typed_per_filter_config": {FILTER: _DISABLED}}


def virtual_host(settings: ProxySettings, *, embedded: bool) -> Json:
    """All routes, for every name by which the address is called; `embedded` is the prediction path inside Envoy."""
    routes = [
        *_predictions(embedded=embedded),
        *(_plain(name, {"prefix": prefix}, name) | _AUTHORITY for prefix, name in CONTROL.items()),
        *(_store(settings.store.bucket) if settings.store else ()),
        _answer("health", {"path": HEALTH_PATH}, 200, "ok\n"),
        _answer("nothing", {"prefix": "/"}, 404, "nothing here"),
    ]
    if embedded:
        for route in routes:
            if route["name"] != "predictions":
                route |= _OFF
    host: Json = {"name": "modelyard", "domains": ["*"], "routes": routes}
    if settings.cors_origins:
        host["typed_per_filter_config"] = {"envoy.filters.http.cors": _cors(settings.cors_origins)}
    return host


def _predictions(*, embedded: bool) -> list[Json]:
    if embedded:
        # The filter answers, so nothing goes where this points; but CORS needs a route with an upstream.
        return [_plain("predictions", {"prefix": prefix}, INFERENCE) for prefix in PREDICTION_GRPC + PREDICTION_REST]
    routes = [
        *(_plain("predictions", {"prefix": prefix}, FRONT_GRPC) for prefix in PREDICTION_GRPC),
        *(_plain("predictions", {"prefix": prefix}, FRONT_REST) for prefix in PREDICTION_REST),
    ]
    peer = {
        "header": {"key": PEER_HEADER, "value": "%DOWNSTREAM_REMOTE_ADDRESS%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    return [route | {"request_headers_to_add": [peer]} for route in routes]


def _store(bucket: str) -> list[Json]:
    """The bucket's path, for signed URLs only: the signature covers method, Host and path, so none is rewritten."""
    signed = {"prefix": f"/{bucket}/", "query_parameters": [{"name": "X-Amz-Signature", "present_match": True}]}
    return [
        _plain(STORE, signed, STORE, retry=False),
        _answer("store", {"prefix": f"/{bucket}/"}, 403, "not signed"),
        _answer("store", {"path": f"/{bucket}"}, 403, "not signed"),
    ]


def _plain(name: str, match: Json, cluster: str, *, retry: bool = True) -> Json:
    """Timeout 0: calls are parked, watches stay open and parts take their time; whoever answers knows the deadline."""
    action: Json = {"cluster": cluster, "timeout": "0s", "idle_timeout": "0s"}
    if retry:
        # Only where nothing was sent, so it is safe for every method.
        action["retry_policy"] = {
            "retry_on": "connect-failure,refused-stream",
            "num_retries": 2,
            "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.25s"},
        }
    return {"name": name, "match": match, "route": action}


def _answer(name: str, match: Json, status: int, text: str) -> Json:
    return {"name": name, "match": match, "direct_response": {"status": status, "body": {"inline_string": text}}}


def _cors(origins: Sequence[str]) -> Json:
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": origin} for origin in origins],
        "allow_methods": "GET, POST, PUT, OPTIONS",
        "allow_headers": "authorization, content-type, grpc-timeout, x-grpc-web, x-user-agent, x-request-id",
        "expose_headers": "grpc-status, grpc-message, grpc-status-details-bin, x-request-id",
        "max_age": "86400",
    }
