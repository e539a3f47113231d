import asyncio
import os
import signal

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from tests.contract.modelhost.served import alive, golden, predict, socket_of
from tests.contract.modelhost.stack import Installation, Served
from tests.support.eventually import eventually

FETCHING, LOADING, SERVING, STOPPING, FAILED = (
    Served.STATE_FETCHING,
    Served.STATE_LOADING,
    Served.STATE_SERVING,
    Served.STATE_STOPPING,
    Served.STATE_FAILED,
)


class TestHost:
    @pytest.fixture(autouse=True)
    def there(self, installation: Installation) -> None:
        self.i = installation

    async def serve(self, *flags: str, number: int = 1, **files: bytes) -> Served:
        self.i.publish(number, None, **files)
        self.i.inference.orders = [self.i.order(number)]
        if self.i.host is None:
            await self.i.start(*flags)
        return await self.i.inference.becomes(SERVING, number)

    async def test_a_version_is_fetched_verified_and_served(self) -> None:
        served = await self.serve(golden_npz=golden())
        assert served.endpoint.startswith(f"unix:{self.i.folder}/run/")
        assert (served.host, served.message, served.restart_count) == ("hosts/a", "", 0)
        assert served.memory_bytes >= 0
        response = await predict(served.endpoint)
        assert list(response.outputs["probabilities"].float_val) == [0.5, 0.5]
        told = self.i.inference.last
        assert (told.host, told.model_server) == ("hosts/a", "tensorflow_model_server 0.0.0-tiny")
        assert told.instance_id

    async def test_a_model_server_gets_no_environment_and_its_own_folder(self) -> None:
        os.environ["MODELYARD_TOKEN"] = "secret"
        try:
            served = await self.serve()
        finally:
            del os.environ["MODELYARD_TOKEN"]
        started = self.i.started()
        assert set(started["environment"]) <= {
            "HOME",
            "TMPDIR",
            "PATH",
            "PYTHONPATH",
            "PWD",
            "TF_CPP_MIN_LOG_LEVEL",
            "_",
            "SHLVL",
            "LC_CTYPE",
        }
        assert started["environment"]["HOME"].startswith(str(self.i.folder / "work" / "served"))
        assert started["flags"]["port"] == "0"
        assert started["flags"]["model_name"] == "digits"
        assert started["flags"]["file_system_poll_wait_seconds"] == "0"
        assert "enable_batching" not in started["flags"]
        assert started["files"] == ["behaviour.json", "saved_model.pb"]
        assert socket_of(served).parent.stat().st_mode & 0o777 == 0o700

    async def test_batching_is_only_on_where_the_gate_allowed_it(self) -> None:
        self.i.publish()
        self.i.inference.orders = [self.i.order(batching=True)]
        await self.i.start()
        served = await self.i.inference.becomes(SERVING)
        assert served.batching
        assert self.i.started()["flags"]["enable_batching"] == "true"

    async def test_two_versions_run_beside_each_other_and_one_stops(self) -> None:
        first = await self.serve()
        self.i.publish(2, {"answer": 0.25})
        self.i.inference.orders = [self.i.order(1), self.i.order(2)]
        second = await self.i.inference.becomes(SERVING, 2)
        assert (await predict(first.endpoint)).outputs["probabilities"].float_val[0] == 0.5
        assert (await predict(second.endpoint)).outputs["probabilities"].float_val[0] == 0.25
        pid = self.i.started(1)["pid"]
        self.i.inference.orders = [self.i.order(1, stopping=True), self.i.order(2)]
        await self.i.inference.forgets(1)
        assert not alive(pid)
        assert not socket_of(first).exists()
        await predict(second.endpoint)

    async def test_calls_in_flight_end_before_a_model_server_does(self) -> None:
        self.i.publish(1, {"slow_s": 1.5})
        self.i.inference.orders = [self.i.order()]
        await self.i.start()
        served = await self.i.inference.becomes(SERVING)
        call = asyncio.create_task(predict(served.endpoint))
        await asyncio.sleep(0.5)
        self.i.inference.orders = []
        await self.i.inference.becomes(STOPPING)
        assert (await call).outputs
        await self.i.inference.forgets()

    async def test_a_model_server_that_dies_is_started_again(self) -> None:
        await self.serve()
        pid = self.i.started()["pid"]
        os.kill(pid, signal.SIGKILL)

        def again() -> bool:
            seen = self.i.inference.seen()
            return seen.state == SERVING and seen.restart_count == 1

        await eventually(again, timeout_s=20)
        assert self.i.started()["pid"] != pid
        await predict(self.i.inference.seen().endpoint)

    async def test_a_model_that_does_not_load_fails_with_its_own_words(self) -> None:
        self.i.publish(1, {"exit": 3, "say": '{"event": "cannot start", "error": "no SavedModel in here"}'})
        self.i.inference.orders = [self.i.order()]
        await self.i.start()
        failed = await self.i.inference.becomes(FAILED, timeout_s=40)
        assert failed.message == "the model server ended with status 3: no SavedModel in here"
        assert failed.restart_count == 2

    async def test_a_model_whose_answers_changed_is_not_served(self) -> None:
        self.i.publish(1, {"answer": 0.9}, golden_npz=golden(0.5))
        self.i.inference.orders = [self.i.order()]
        await self.i.start()
        failed = await self.i.inference.becomes(FAILED, timeout_s=30)
        assert "probabilities is not what it was when the version was made" in failed.message

    async def test_a_server_without_grpc_health_is_asked_for_its_status(self) -> None:
        self.i.publish(1, {"health": False})
        self.i.publish(2, {"health": False, "load_error": "op Foo is unknown"})
        self.i.inference.orders = [self.i.order(1), self.i.order(2)]
        await self.i.start()
        await self.i.inference.becomes(SERVING, 1)
        failed = await self.i.inference.becomes(FAILED, 2)
        assert failed.message == "the model does not load: op Foo is unknown"

    async def test_a_model_that_never_gets_ready_fails(self) -> None:
        self.i.publish(1, {"load_error": "x"})
        self.i.inference.orders = [self.i.order()]
        await self.i.start("--start_timeout_s", "0.7", "--stop_grace_s", "1")
        failed = await self.i.inference.becomes(FAILED, timeout_s=30)
        assert "was not ready after" in failed.message

    async def test_bytes_that_are_not_what_was_deployed_are_refused(self) -> None:
        self.i.publish()
        pack = next(path for path in self.i.store.objects if not path.endswith("manifest"))
        self.i.store.objects[pack] = b"x" * len(self.i.store.objects[pack])
        self.i.publish(2)
        self.i.inference.orders = [self.i.order(1), self.i.order(2, digest="sha256:" + "0" * 64)]
        await self.i.start()
        damaged = await self.i.inference.becomes(FAILED, 1)
        assert "its hash differs" in damaged.message
        other = await self.i.inference.becomes(FAILED, 2)
        assert "not sha256:0000" in other.message

    async def test_what_does_not_fit_fails_with_a_sentence(self) -> None:
        self.i.publish(1, weights=os.urandom(2 << 20))
        self.i.inference.orders = [self.i.order()]
        await self.i.start("--cache_max_bytes", str(1 << 20))
        failed = await self.i.inference.becomes(FAILED)
        assert "do not fit" in failed.message

    async def test_a_host_starts_what_it_has_while_the_catalog_and_its_store_are_down(self) -> None:
        await self.serve()
        assert (await self.i.stop()).ok
        self.i.store.down, self.i.store.reads = True, {}
        requested = len(self.i.store.requested)
        await self.i.start()
        await self.i.inference.becomes(SERVING)
        assert len(self.i.store.requested) == requested

    async def test_a_version_is_fetched_as_soon_as_the_store_is_back(self) -> None:
        self.i.publish()
        self.i.inference.orders = [self.i.order()]
        self.i.store.down = True
        await self.i.start()

        def waits() -> bool:
            return "trying again" in self.i.inference.seen().message

        await eventually(waits, timeout_s=40)
        assert self.i.inference.seen().state == FETCHING
        self.i.store.down = False
        await self.i.inference.becomes(SERVING, timeout_s=40)

    async def test_sigterm_says_goodbye_and_leaves_nothing(self) -> None:
        await self.serve()
        pid = self.i.started()["pid"]
        ended = await self.i.stop()
        assert ended.ok
        assert self.i.inference.last.draining
        assert not alive(pid)

    async def test_a_host_that_was_replaced_ends(self) -> None:
        await self.serve()
        self.i.inference.refuse = grpc.StatusCode.ABORTED
        pid = self.i.started()["pid"]
        self.i.inference.orders = []
        assert self.i.host is not None
        ended = await self.i.host.wait()
        assert ended.code == 1
        assert not alive(pid)

    async def test_model_servers_run_on_while_the_installation_is_away(self) -> None:
        served = await self.serve()
        assert self.i.server is not None
        await self.i.server.stop(0)
        await eventually(lambda: any("cannot be reached" in line for line in self.i.lines))
        await predict(served.endpoint)

    async def test_what_others_made_runs_in_namespaces_of_its_own(self) -> None:
        self.i.publish(golden_npz=golden())
        self.i.inference.orders = [self.i.order(foreign=True)]
        host = await self.i.start()
        served = await self.i.inference.becomes(SERVING)
        response = await predict(served.endpoint)
        assert len(response.outputs["probabilities"].float_val) == 2
        assert served.memory_bytes > 0
        seen = self.i.started()
        assert seen["pid"] < 10, "it numbers its processes by itself"
        assert set(seen["environment"]) <= {"HOME", "TMPDIR", "PATH", "TF_CPP_MIN_LOG_LEVEL", "LC_CTYPE", "PWD"}
        self.i.inference.orders = []
        await eventually(lambda: not socket_of(served).exists())
        assert host.running

    async def test_what_others_made_is_not_served_where_it_cannot_be_kept_apart(self) -> None:
        self.i.publish()
        self.i.inference.orders = [self.i.order(foreign=True)]
        old = self.i.folder / "bin" / "bwrap"
        old.parent.mkdir()
        old.write_text("#!/bin/sh\necho bubblewrap 0.3.0\n")
        old.chmod(0o755)
        await self.i.start(environment={"PATH": f"{old.parent}:/usr/bin:/bin"})
        failed = await self.i.inference.becomes(FAILED)
        assert "0.8 is needed: install bubblewrap" in failed.message
        assert not list(self.i.folder.glob("work/served/*/home/started.json"))

    async def test_its_health_is_serving_once_it_has_joined(self) -> None:
        self.i.inference.refuse = grpc.StatusCode.UNAVAILABLE
        address = f"unix:{self.i.folder}/health.sock"
        await self.i.start("--listen.listen", address)
        async with connect(ChannelSettings(target=address)) as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            async def status() -> int:
                return int((await stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=20)).status)

            async def is_(wanted: int) -> bool:
                return await status() == wanted

            await eventually(lambda: is_(health_pb2.HealthCheckResponse.NOT_SERVING))
            self.i.inference.refuse = None
            await eventually(lambda: is_(health_pb2.HealthCheckResponse.SERVING))


async def test_a_second_host_on_the_same_folder_says_so(installation: Installation) -> None:
    first = await installation.start()
    await eventually(lambda: installation.inference.calls > 0)
    second = await installation.start()
    assert (await second.wait()).code == 1
    assert any("is in use by another process" in line for line in installation.lines)
    installation.host = first


async def test_a_token_that_is_not_a_hosts_is_refused_before_anything_is_tried(installation: Installation) -> None:
    installation.token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiAidG9rZW5zL3gifQ.x"
    host = await installation.start()
    assert (await host.wait()).code == 1
    assert any("is not a host's" in line for line in installation.lines)
    assert installation.inference.calls == 0
