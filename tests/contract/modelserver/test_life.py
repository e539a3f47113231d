"""Start, versions that come and go, drain, and every way not to start: on both fronts."""

import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from modelyard.api.serving.v1 import model_pb2, predict_pb2, status_pb2, tensor_pb2
from tests.contract.modelserver.conftest import Start, image, make_version, tensor
from tests.contract.modelserver.fake_server import SLOW
from tests.support.model_server import FRONTS, Running

STATE = status_pb2.ModelVersionStatus


def eventually(condition: Callable[[], bool], within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def states(server: Running, name: str = "digits") -> dict[int, int]:
    return {status.version: status.state for status in server.status(name).model_version_status}


def answering(server: Running, **spec: Any) -> float:
    return float(server.predict(image(1, **spec)).outputs["sums"].float_val[0])


def slow(seconds: float) -> predict_pb2.PredictRequest:
    return predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name="digits", signature_name="slow"),
        inputs={"seconds": tensor(tensor_pb2.DT_FLOAT, (1,), float_val=[seconds])},
    )


def test_a_new_version_takes_over_and_the_old_one_goes(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1, bias=1.0)
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", "--enable_batching", front=front)
    assert answering(server) == 5
    make_version(tmp_path / "new", 2, bias=2.0).rename(tmp_path / "2")
    eventually(lambda: answering(server) == 6)
    eventually(lambda: states(server) == {2: STATE.AVAILABLE, 1: STATE.END})
    with pytest.raises(grpc.RpcError) as caught:
        answering(server, version=model_pb2.Int64Value(value=1))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    shutil.rmtree(tmp_path / "2")
    shutil.rmtree(tmp_path / "1")
    time.sleep(1.5)
    assert answering(server) == 6, "a base path that runs empty changes nothing"


def test_a_new_version_that_cannot_be_served_leaves_the_old_one(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1, bias=1.0)
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", front=front)
    make_version(tmp_path / "new", 2, refuse="its weights are gone").rename(tmp_path / "2")
    eventually(lambda: states(server).get(2) == STATE.END)
    assert server.status("digits", 2).model_version_status[0].status.error_message == "its weights are gone"
    assert answering(server) == 5


def test_policies_and_labels_come_from_the_configuration_file(started: Start, front: str, tmp_path: Path) -> None:
    for version in (1, 2, 3):
        make_version(tmp_path / "a", version, bias=float(version))
        make_version(tmp_path / "b", version, bias=float(version * 10))
    config = tmp_path / "models.config"
    config.write_text(f"""
        model_config_list {{
          config {{ name: "a" base_path: "{tmp_path}/a" model_platform: "tensorflow"
                    model_version_policy {{ specific {{ versions: 1 versions: 3 }} }}
                    version_labels {{ key: "stable" value: 1 }} }}
          config {{ name: "b" base_path: "{tmp_path}/b" model_version_policy {{ all {{}} }} }}
        }}""")
    server = started(f"--model_config_file={config}", front=front)
    assert states(server, "a") == {3: STATE.AVAILABLE, 1: STATE.AVAILABLE}
    assert states(server, "b") == {3: STATE.AVAILABLE, 2: STATE.AVAILABLE, 1: STATE.AVAILABLE}
    assert answering(server, name="a") == 7
    assert answering(server, name="a", version_label="stable") == 5
    assert answering(server, name="b", version=model_pb2.Int64Value(value=2)) == 24


def test_a_configuration_file_that_changes_is_followed(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path / "a", 1, bias=1.0)
    make_version(tmp_path / "b", 1, bias=2.0)
    config = tmp_path / "models.config"

    def write(text: str) -> None:
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").rename(config)

    write(f'model_config_list {{ config {{ name: "a" base_path: "{tmp_path}/a" }} }}')
    flags = (f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1")
    server = started(*flags, front=front)
    write("nonsense")
    time.sleep(1.5)
    assert answering(server, name="a") == 5
    write(f'model_config_list {{ config {{ name: "b" base_path: "{tmp_path}/b" }} }}')
    eventually(lambda: _code(server, image(1, name="b")) is grpc.StatusCode.OK)
    assert _code(server, image(1, name="a")) is grpc.StatusCode.NOT_FOUND


def test_a_load_that_fails_is_tried_again(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1, broken=2)
    flags = (f"--model_base_path={tmp_path}", "--model_name=digits", "--load_retry_interval_micros=1000")
    assert answering(started(*flags, front=front)) == 4


def test_sigterm_answers_what_is_in_flight_and_exits_with_0(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1)
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", front=front)
    watch: grpc.UnaryStreamMultiCallable[bytes, health_pb2.HealthCheckResponse] = server.channel.unary_stream(
        "/grpc.health.v1.Health/Watch", None, health_pb2.HealthCheckResponse.FromString
    )
    seen = watch(b"", timeout=20)
    assert next(seen).status == health_pb2.HealthCheckResponse.SERVING
    answers: list[float] = []
    caller = threading.Thread(target=lambda: answers.extend(server.predict(slow(3.0)).outputs["slept"].float_val))
    caller.start()
    eventually(lambda: SLOW in server.log.read_text())
    server.process.send_signal(signal.SIGTERM)
    assert [answer.status for answer in seen] == [health_pb2.HealthCheckResponse.NOT_SERVING]
    caller.join()
    assert answers == [3.0]
    assert server.process.wait(10) == 0
    assert "raceback" not in server.log.read_text()


def test_while_draining_new_calls_are_sent_elsewhere(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1)
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", front=front)
    caller = threading.Thread(target=lambda: server.predict(slow(3.0)))
    caller.start()
    eventually(lambda: SLOW in server.log.read_text())
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: _code(server) is grpc.StatusCode.UNAVAILABLE, 5)
    caller.join()
    assert server.process.wait(10) == 0


def _code(server: Running, request: predict_pb2.PredictRequest | None = None) -> grpc.StatusCode:
    try:
        server.predict(request or image(1), timeout=10)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


def test_the_drain_has_an_end(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1)
    flags = (f"--model_base_path={tmp_path}", "--model_name=digits", "--drain_seconds=1")
    server = started(*flags, front=front)
    caller = threading.Thread(target=lambda: _code(server, slow(3.0)))
    caller.start()
    eventually(lambda: SLOW in server.log.read_text())
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(10)
    assert time.monotonic() - began < 4
    caller.join()


def test_nothing_survives_a_killed_parent(started: Start, tmp_path: Path) -> None:
    make_version(tmp_path, 1)
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", front="pyvoy")
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert children
    server.process.kill()
    server.process.wait()
    eventually(lambda: not any(_alive(int(child)) for child in children), 5)


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_sockets_are_its_owners_only_and_there_is_no_other(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1)
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", front=front)
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600
    pids = [server.process.pid]
    pids += map(int, Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text().split())
    assert _listening_ports(pids) == {server.rest_port}


def _listening_ports(pids: list[int]) -> set[int]:
    inodes = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


def test_health_says_not_serving_and_predict_unavailable_until_loaded(
    started: Start, front: str, tmp_path: Path
) -> None:
    make_version(tmp_path, 1, until=f"{tmp_path}/go")
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", front=front, ready=False)
    assert server.health() == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(grpc.RpcError) as caught:
        server.predict(image(1))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "being loaded" in (caught.value.details() or "")
    eventually(lambda: states(server) == {1: STATE.LOADING})
    (tmp_path / "go").touch()
    server.wait_ready()
    assert states(server) == {1: STATE.AVAILABLE}


def test_an_unknown_health_service_is_not_found(started: Start, front: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1)
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", front=front)
    with pytest.raises(grpc.RpcError) as caught:
        server.call("/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest(service="x").SerializeToString())
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def run(*flags: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.modelserver.fake_server", *flags],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stderr + done.stdout


@pytest.mark.parametrize("front_", FRONTS)
def test_what_cannot_be_served_is_said_in_a_sentence(front_: str, tmp_path: Path) -> None:
    listen = (f"--grpc_socket_path={tmp_path}/s.sock", "--port=0", "--model_name=digits", f"--front={front_}")
    code, log = run(*listen, f"--model_base_path={tmp_path}/nowhere")
    assert (code, "nowhere does not exist" in log) == (3, True), log
    code, log = run(*listen, f"--model_base_path={tmp_path}")
    assert (code, "no versions under base path" in log) == (3, True), log
    (tmp_path / "7").mkdir()
    code, log = run(*listen, f"--model_base_path={tmp_path}")
    assert (code, "version 7 cannot be served" in log, "it has no model.json" in log) == (3, True, True), log
    assert "raceback" not in log
    make_version(tmp_path / "more", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, log = run(f"--port={port}", f"--front={front_}", f"--model_base_path={tmp_path}/more")
    assert (code, f"127.0.0.1:{port}: Address already in use" in log) == (4, True), log


@pytest.mark.parametrize("front_", FRONTS)
def test_a_socket_in_use_is_refused_and_a_dead_one_replaced(started: Start, front_: str, tmp_path: Path) -> None:
    make_version(tmp_path, 1)
    server = started(f"--model_base_path={tmp_path}", "--model_name=digits", front=front_)
    flags = (f"--model_base_path={tmp_path}", f"--grpc_socket_path={server.socket}", "--port=0", f"--front={front_}")
    code, log = run(*flags)
    assert (code, "another server answers there" in log) == (4, True), log
    server.process.kill()
    server.process.wait()
    assert server.socket.exists()
    replaced = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.modelserver.fake_server", *flags, "--model_name=digits"],
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: _code(server) is grpc.StatusCode.OK, 40)
    finally:
        replaced.terminate()
        assert replaced.wait(10) == 0


def test_flags_that_make_no_sense_end_with_2() -> None:
    for flags, text in (
        (["--prot=1"], "unknown flag --prot; did you mean --port?"),
        ([], "give either --model_base_path (one model) or --model_config_file (several)"),
        (["--model_config_file=/nowhere"], "--model_config_file /nowhere: No such file"),
    ):
        code, log = run(*flags)
        assert (code, text in log) == (2, True), log
