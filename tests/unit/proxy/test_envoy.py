"""What Envoy is told."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import ValidationError

from modelyard.foundation.rpc.status import code_number, code_of, read_failure
from modelyard.proxy.embedding import SETTINGS_VARIABLE
from modelyard.proxy.envoy.bootstrap import bootstrap, cluster_file
from modelyard.proxy.envoy.clusters import backend, write_clusters
from modelyard.proxy.envoy.process import binary
from modelyard.proxy.envoy.replies import REPLIES, local_reply_config
from modelyard.proxy.envoy.routes import virtual_host
from modelyard.proxy.errors import CannotStart
from modelyard.proxy.front import embedded_environment
from modelyard.proxy.settings import BackendSettings, ProxySettings


def settings(run_dir: Path = Path("/run/p"), **more: Any) -> ProxySettings:
    values: dict[str, Any] = {
        "server": {"listen": "127.0.0.1:8470"},
        "run_dir": str(run_dir),
        "identity": {"trust_file": "/keys/trust.json"},
        "catalog": {"target": "unix:/run/catalog.sock"},
        "scheduler": {"target": "dns:///localhost:7000"},
        "inference": {"target": "scheduler.example.org:7443", "tls": True},
        "store": {"endpoint": "http://127.0.0.1:9000", "bucket": "modelyard"},
        **more,
    }
    return ProxySettings.model_validate(values)


@pytest.mark.parametrize("embedded", [True, False])
def test_envoy_accepts_the_configuration(tmp_path: Path, embedded: bool) -> None:
    made = settings(tmp_path, cors_origins=["https://console.example.org"])
    cluster_file(tmp_path).parent.mkdir()
    write_clusters(cluster_file(tmp_path), "1", [backend("unix:/m.sock", made.backends)])
    config = bootstrap(made, embedded=embedded)
    # Validation would start Python; the rest of the configuration is the same.
    for listener in config["static_resources"]["listeners"]:
        http = listener["filter_chains"][0]["filters"][0]["typed_config"]
        http["http_filters"] = [entry for entry in http["http_filters"] if entry["name"] != "pyvoy"]
        for route in http["route_config"]["virtual_hosts"][0]["routes"]:
            route.pop("typed_per_filter_config", None)
    (tmp_path / "envoy.json").write_text(json.dumps(config))

    done = subprocess.run(
        [binary(made), "--mode", "validate", "-c", str(tmp_path / "envoy.json"), "-l", "error"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("embedded", [True, False])
def test_no_route_ends_a_call_that_is_parked_or_a_watch(embedded: bool) -> None:
    routes = virtual_host(settings(), embedded=embedded)["routes"]

    actions = [route["route"] for route in routes if "route" in route]
    assert {(action["timeout"], action["idle_timeout"]) for action in actions} == {("0s", "0s")}


def test_python_is_off_on_everything_but_predictions() -> None:
    routes = virtual_host(settings(), embedded=True)["routes"]

    off = {route["name"] for route in routes if "typed_per_filter_config" in route}
    assert off == {"catalog", "scheduler", "inference", "store", "health", "nothing"}
    assert all("typed_per_filter_config" not in route for route in virtual_host(settings(), embedded=False)["routes"])


def test_nothing_is_rewritten_on_the_stores_path_and_only_signed_urls_go_there() -> None:
    store = [route for route in virtual_host(settings(), embedded=True)["routes"] if route["name"] == "store"]

    assert store[0]["match"]["query_parameters"] == [{"name": "X-Amz-Signature", "present_match": True}]
    assert store[0]["route"].keys() == {"cluster", "timeout", "idle_timeout"}
    assert [route["direct_response"]["status"] for route in store[1:]] == [403, 403]


def test_what_envoy_says_by_itself_is_in_our_codes_with_our_details() -> None:
    mappers = local_reply_config()["mappers"]

    assert len(mappers) == 2 * len(REPLIES)
    for reply, mapper in zip(REPLIES, mappers[::2], strict=True):
        added = {entry["header"]["key"]: entry["header"]["value"] for entry in mapper["headers_to_add"]}
        assert added["grpc-status"] == str(code_number(code_of(reply.error)))
        details = base64.b64decode(added["grpc-status-details-bin"] + "==")
        failure = read_failure(grpc.StatusCode.UNKNOWN, "", details)
        assert (failure.reason, failure.retry_after_s) == (reply.error.reason, reply.error.retry_after_s)
        assert "%" not in failure.message


def test_a_model_server_on_another_machine_is_called_by_tls_under_its_name(tmp_path: Path) -> None:
    made = backend("gpu-3.example.org:8500", BackendSettings(tls_ca_file=tmp_path / "ca"))

    context = made["transport_socket"]["typed_config"]
    assert context["sni"] == "gpu-3.example.org"
    validation = context["common_tls_context"]["validation_context"]
    assert validation["trusted_ca"] == {"filename": str(tmp_path / "ca")}
    assert validation["match_typed_subject_alt_names"][0]["matcher"] == {"exact": "gpu-3.example.org"}
    assert "transport_socket" not in backend("unix:/m.sock", BackendSettings())


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"server": {"listen": "0.0.0.0:8470"}}, "there is no TLS"),
        ({"run_dir": "/run/" + "x" * 100}, "too long for the sockets"),
        ({"store": {"endpoint": "127.0.0.1:9000", "bucket": "modelyard"}}, "looks like http://host:port"),
        ({"store": {"endpoint": "http://h:9000", "bucket": "../x"}}, "bucket"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_settings_that_cannot_work_are_refused(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        settings(**more)


def test_the_admin_interface_is_a_socket_of_its_owner() -> None:
    address = bootstrap(settings(), embedded=False)["admin"]["address"]

    assert address == {"pipe": {"path": "/run/p/admin.sock", "mode": 0o600}}


def test_a_front_that_cannot_be_is_refused_and_auto_takes_the_other() -> None:
    with pytest.raises(CannotStart, match="use front = aio"):
        embedded_environment(settings(front="pyvoy", envoy_binary="/usr/bin/envoy"))
    assert embedded_environment(settings(envoy_binary="/usr/bin/envoy")) is None
    assert embedded_environment(settings(front="aio")) is None


def test_envoys_python_finds_what_this_one_finds() -> None:
    environment = embedded_environment(settings())

    if environment is None:
        pytest.skip("this interpreter has no shared library")
    assert ProxySettings.model_validate_json(environment[SETTINGS_VARIABLE]) == settings()
    assert Path(environment["LD_PRELOAD"]).exists()
