import asyncio
import contextlib
import sqlite3

import grpc
import pytest

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.inference.v1 import (
    deployment_pb2,
    deployment_service_pb2_grpc,
    host_sync_service_pb2,
)
from modelyard.api.inference.v1 import deployment_service_pb2 as pb
from tests.contract.inference.asked import refused, update
from tests.contract.inference.stack import NAME, PARENT, Installation, TalkingHost, create
from tests.support.eventually import eventually
from tests.support.fake_catalog import FakeCatalog

V1, V2, V3 = (f"{PARENT}/models/m/versions/{number}" for number in (1, 2, 3))
State = deployment_pb2.Deployment
Code = grpc.StatusCode


class TestDeployments:
    @pytest.fixture(autouse=True)
    def clients(
        self,
        installation: Installation,
        deployments: "deployment_service_pb2_grpc.DeploymentServiceAsyncStub",
        host: TalkingHost,
        catalog: FakeCatalog,
    ) -> None:
        self.installation, self.stub, self.host, self.catalog = installation, deployments, host, catalog

    async def get(self) -> deployment_pb2.Deployment:
        return await self.stub.GetDeployment(pb.GetDeploymentRequest(name=NAME))

    async def becomes(self, state: int, version: str = "", *, hosts: bool = True) -> deployment_pb2.Deployment:
        async def there() -> deployment_pb2.Deployment | None:
            if hosts:
                await self.host.sync()
            found = await self.get()
            return found if found.state == state and found.serving_version == version else None

        found = await eventually(there, interval_s=0.05, timeout_s=15)
        assert found is not None
        return found

    async def test_a_deployment_is_created_and_comes_up(self) -> None:
        created = await self.stub.CreateDeployment(create(V1))
        assert (created.name, created.state, created.serving_name) == (NAME, State.STATE_PENDING, "digits")
        assert (created.model_version, created.creator) == (V1, "tokens/test")
        assert len(created.uid) == 32
        assert created.etag
        served = await self.becomes(State.STATE_SERVING, V1)
        assert served.message == ""
        assert served.create_time == created.create_time

    async def test_an_alias_is_stored_as_the_version_it_means(self) -> None:
        created = await self.stub.CreateDeployment(create(f"{PARENT}/models/m/versions/latest"))
        assert created.model_version == V3

    async def test_the_catalog_holds_the_version_until_the_deployment_is_gone(self) -> None:
        await self.stub.CreateDeployment(create(V1))
        await eventually(lambda: self.catalog.inputs(NAME) == [V1])
        await self.becomes(State.STATE_SERVING, V1)
        await self.stub.UpdateDeployment(update(V2))
        await eventually(lambda: self.catalog.inputs(NAME) == [V2, V1])
        await self.becomes(State.STATE_SERVING, V2)
        await eventually(lambda: self.catalog.inputs(NAME) == [V2])
        await self.stub.DeleteDeployment(pb.DeleteDeploymentRequest(name=NAME))

        async def let_go() -> bool:
            await self.host.sync()
            return self.catalog.inputs(NAME) == []

        await eventually(let_go, interval_s=0.05)
        execution = self.catalog.execution(NAME)
        assert execution is not None
        assert (execution.attempt, execution.state) == (2, 2)

    async def test_a_deleted_name_can_be_used_again(self) -> None:
        await self.stub.CreateDeployment(create(V1))
        await self.becomes(State.STATE_SERVING, V1)
        await self.stub.DeleteDeployment(pb.DeleteDeploymentRequest(name=NAME))
        assert (await self.get()).state == State.STATE_DELETING
        code, reason, _ = await refused(self.stub.CreateDeployment(create(V2)))
        assert (code, reason) == (Code.UNAVAILABLE, "DEPLOYMENT_DELETING")

        async def gone() -> bool:
            await self.host.sync()
            listed = await self.stub.ListDeployments(pb.ListDeploymentsRequest(parent=PARENT))
            return not listed.deployments

        await eventually(gone, interval_s=0.05)
        await self.stub.CreateDeployment(create(V2))
        await self.becomes(State.STATE_SERVING, V2)
        assert self.catalog.inputs(NAME) == [V2]

    async def test_a_version_that_is_not_ready_is_refused(self) -> None:
        rejected = self.catalog.add(7, "REJECTED")
        assert await refused(self.stub.CreateDeployment(create(rejected))) == (
            Code.FAILED_PRECONDITION,
            "MODEL_VERSION_NOT_READY",
            "deployment.model_version",
        )
        assert self.catalog.executions == {}
        gate = model_pb2.Gate(kind="ops", state=model_pb2.Gate.STATE_FAILED, detail="ReadFile is not allowed")
        self.catalog.versions[rejected].info.gates.append(gate)
        await self.stub.CreateDeployment(create(V1))
        with pytest.raises(grpc.aio.AioRpcError, match=r"rejected \(ops: ReadFile is not allowed\)"):
            await self.stub.UpdateDeployment(update(rejected))

    async def test_what_others_made_is_said_to_the_host_that_serves_it(self) -> None:
        theirs = self.catalog.add(8, foreign=True)
        await self.stub.CreateDeployment(create(theirs))
        await self.becomes(State.STATE_SERVING, theirs)
        assert [order.foreign for order in self.host.orders] == [True]
        await self.stub.UpdateDeployment(update(V1))
        await self.becomes(State.STATE_SERVING, V1)
        assert {order.model_version: order.foreign for order in self.host.orders}[V1] is False

    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            (
                create(f"{PARENT}/models/m/versions/9"),
                (Code.NOT_FOUND, "MODEL_VERSION_NOT_FOUND", "deployment.model_version"),
            ),
            (
                create("projects/other/models/m/versions/1"),
                (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", "deployment.model_version"),
            ),
            (create("m@1"), (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", "deployment.model_version")),
            (create(""), (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", "deployment.model_version")),
            (create(V1, "No"), (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", "deployment_id")),
            (create(V1, ""), (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", "deployment_id")),
            (create(V1, request_id="no spaces"), (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", "request_id")),
        ],
    )
    async def test_what_is_wrong_is_named_and_nothing_is_made(
        self, request_: pb.CreateDeploymentRequest, expected: tuple[Code, str, str]
    ) -> None:
        assert await refused(self.stub.CreateDeployment(request_)) == expected
        assert not (await self.stub.ListDeployments(pb.ListDeploymentsRequest(parent=PARENT))).deployments

    async def test_a_second_deployment_of_a_name_is_refused(self) -> None:
        await self.stub.CreateDeployment(create(V1))
        assert await refused(self.stub.CreateDeployment(create(V2))) == (
            Code.ALREADY_EXISTS,
            "DEPLOYMENT_EXISTS",
            "deployment_id",
        )
        assert await refused(self.stub.CreateDeployment(create(V2, validate_only=True))) == (
            Code.ALREADY_EXISTS,
            "DEPLOYMENT_EXISTS",
            "deployment_id",
        )

    async def test_a_retry_with_the_same_request_id_gets_the_first_answer(self) -> None:
        first = await self.stub.CreateDeployment(create(V1, request_id="r-1"))
        again = await self.stub.CreateDeployment(create(V1, request_id="r-1"))
        assert again == first
        code, reason, field = await refused(self.stub.CreateDeployment(create(V2, request_id="r-1")))
        assert (code, reason, field) == (Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED", "request_id")

    async def test_who_changed_what_is_written_down(self) -> None:
        await self.stub.CreateDeployment(create(V1))
        await self.stub.UpdateDeployment(update("", "display_name", display_name="Digits"))
        await self.stub.DeleteDeployment(pb.DeleteDeploymentRequest(name=NAME))
        await refused(self.stub.CreateDeployment(create(V1, "No")))
        url = self.installation.settings.sql.url.get_secret_value()
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            rows = database.execute("SELECT action, resource, subject FROM audit ORDER BY id").fetchall()
        assert rows == [(f"{verb}Deployment", NAME, "tokens/test") for verb in ("Create", "Update", "Delete")]

    async def test_validate_only_makes_nothing(self) -> None:
        answer = await self.stub.CreateDeployment(create(V1, validate_only=True))
        assert answer.model_version == V1
        assert not (await self.stub.ListDeployments(pb.ListDeploymentsRequest(parent=PARENT))).deployments

    async def test_an_update_with_an_old_etag_is_refused(self) -> None:
        first = await self.stub.CreateDeployment(create(V1))
        changed = await self.stub.UpdateDeployment(update("", "display_name", display_name="Digits", etag=first.etag))
        assert (changed.display_name, changed.model_version) == ("Digits", V1)
        assert changed.etag != first.etag
        assert await refused(self.stub.UpdateDeployment(update("", "labels", etag=first.etag))) == (
            Code.ABORTED,
            "DEPLOYMENT_CHANGED",
            "deployment.etag",
        )
        assert (await refused(self.stub.DeleteDeployment(pb.DeleteDeploymentRequest(name=NAME, etag=first.etag))))[
            0
        ] is Code.ABORTED

    @pytest.mark.parametrize("paths", [["state"], ["model_version", "name"]])
    async def test_only_some_fields_can_be_changed(self, paths: list[str]) -> None:
        await self.stub.CreateDeployment(create(V1))
        assert await refused(self.stub.UpdateDeployment(update(V2, *paths))) == (
            Code.INVALID_ARGUMENT,
            "INVALID_ARGUMENT",
            "update_mask",
        )
        assert (await self.get()).model_version == V1

    async def test_lists_are_paged_in_the_order_of_names(self) -> None:
        for name in ("c", "a", "b"):
            await self.stub.CreateDeployment(create(V1, name))
        first = await self.stub.ListDeployments(pb.ListDeploymentsRequest(parent=PARENT, page_size=2))
        rest = await self.stub.ListDeployments(
            pb.ListDeploymentsRequest(parent=PARENT, page_size=2, page_token=first.next_page_token)
        )
        names = [each.name.rpartition("/")[2] for each in (*first.deployments, *rest.deployments)]
        assert (names, rest.next_page_token) == (["a", "b", "c"], "")
        assert (await refused(self.stub.ListDeployments(pb.ListDeploymentsRequest(parent=PARENT, page_token="x")))) == (
            Code.INVALID_ARGUMENT,
            "INVALID_ARGUMENT",
            "page_token",
        )

    async def test_a_watch_shows_every_step_and_ends_with_the_deployment(self) -> None:
        await self.stub.CreateDeployment(create(V1))
        seen: list[deployment_pb2.Deployment] = []

        async def watch() -> None:
            async for deployment in self.stub.WatchDeployment(pb.WatchDeploymentRequest(name=NAME)):
                seen.append(deployment)

        watching = asyncio.create_task(watch())
        await self.becomes(State.STATE_SERVING, V1)
        await eventually(lambda: seen and seen[-1].state == State.STATE_SERVING)
        await self.stub.DeleteDeployment(pb.DeleteDeploymentRequest(name=NAME))

        async def ended() -> bool:
            await self.host.sync()
            return watching.done()

        await eventually(ended, interval_s=0.05)
        await watching
        assert seen[0].state == State.STATE_PENDING
        assert seen[-1].state == State.STATE_DELETING

    async def test_the_serving_config_says_what_runs_where(self) -> None:
        await self.stub.CreateDeployment(create(V1))
        await self.becomes(State.STATE_SERVING, V1)
        config = await self.stub.GetServingConfig(pb.GetServingConfigRequest(name=NAME))
        (served,) = config.served_versions
        assert (served.model_version, served.host, served.endpoint) == (V1, "hosts/a", "unix:/run/1.sock")
        assert (served.batching, served.memory_bytes) == (True, 1 << 20)

    async def test_a_version_that_fails_says_why_while_the_old_one_answers(self) -> None:
        await self.stub.CreateDeployment(create(V1))
        await self.becomes(State.STATE_SERVING, V1)
        await self.stub.UpdateDeployment(update(V2))
        await eventually(self._told_two)
        working, failing = sorted(self.host.orders, key=lambda order: order.model_version)
        served = [self.host.says(working)]
        self.host.state = pb.ServedVersion.STATE_FAILED
        served.append(self.host.says(failing))
        await self.host.stub.Sync(host_sync_service_pb2.SyncRequest(host="hosts/a", instance_id="one", served=served))
        found = await self.becomes(State.STATE_FAILED, V1, hosts=False)
        assert found.message == "version 1 answers; version 2: no memory"

    async def _told_two(self) -> bool:
        await self.host.sync()
        return len(self.host.orders) == 2

    @pytest.mark.parametrize("method", ["GetDeployment", "DeleteDeployment", "GetServingConfig"])
    async def test_what_does_not_exist_is_not_found(self, method: str) -> None:
        request = getattr(pb, f"{method}Request")(name=NAME)
        code, reason, _ = await refused(getattr(self.stub, method)(request))
        assert (code, reason) == (Code.NOT_FOUND, "DEPLOYMENT_NOT_FOUND")

    @pytest.mark.parametrize(
        ("role", "project", "code"),
        [
            ("", "default", Code.UNAUTHENTICATED),
            ("viewer", "default", Code.PERMISSION_DENIED),
            ("editor", "other", Code.PERMISSION_DENIED),
            ("host", "*", Code.PERMISSION_DENIED),
        ],
    )
    async def test_who_may_not_deploy(self, role: str, project: str, code: Code) -> None:
        async with self.installation.channel(role, project) as channel:
            stub = deployment_service_pb2_grpc.DeploymentServiceStub(channel)
            assert (await refused(stub.CreateDeployment(create(V1))))[0] is code
