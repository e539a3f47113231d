"""Who may call what: every RPC with every role, in the job's project, in another one and in the installation."""

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory

from modelyard.scheduler.policy import RULES
from tests.support.dataset_catalog import PROJECT
from tests.support.scheduling import Scheduler

JOB = f"{PROJECT}/jobs/j"
PEOPLE = {"viewer", "predictor", "editor", "admin"}
MACHINES = {"worker", "host", "service", "attempt"}
READ = {"viewer", "editor", "admin"}
WRITE = {"editor", "admin"}
IN_PROJECT = {
    "CreateJob": WRITE,
    "GetJob": READ,
    "ListJobs": READ,
    "CancelJob": WRITE,
    "DeleteJob": WRITE,
    "WatchJob": READ,
    "StreamLogs": READ,
    "StreamMetrics": READ,
    "ListAttempts": READ,
}
ANYWHERE = {"GetTemplate": READ, "ListTemplates": READ, "GetWorker": READ, "ListWorkers": READ}
INSTALLATION = {
    "CordonWorker": {"admin"},
    "UncordonWorker": {"admin"},
    "DrainWorker": {"admin"},
    # An installation's admin passes the gate; but only a token with a worker's name can speak for a worker.
    "Sync": {"worker", "admin"},
    "Report": {"worker", "admin"},
    "CompleteAttempt": {"worker", "admin"},
}
NAMES = {
    **dict.fromkeys(("GetWorker", "CordonWorker", "UncordonWorker", "DrainWorker"), "workers/w"),
    "GetTemplate": "templates/evaluate",
}
FIELDS = {"parent": PROJECT, "name": JOB, "worker": "workers/w", "attempt": f"{JOB}/attempts/1"}


def allowed(method: str, role: str, project: str) -> bool:
    if method in ANYWHERE:
        return role in ANYWHERE[method]
    if method in IN_PROJECT:
        return role in IN_PROJECT[method] and project in ("p", "*")
    return role in INSTALLATION[method] and project == "*"


def test_every_rpc_is_in_the_matrix() -> None:
    assert {rule.rsplit("/", 1)[1] for rule in RULES} == {*IN_PROJECT, *ANYWHERE, *INSTALLATION}


@pytest.mark.parametrize("path", sorted(RULES))
async def test_each_role_may_do_its_part_and_no_more(scheduler: Scheduler, path: str) -> None:
    service, method = path[1:].split("/")
    described = descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]
    request = message_factory.GetMessageClass(described.input_type)()
    for field in FIELDS:
        if field in described.input_type.fields_by_name:
            value = JOB if (field, method) == ("parent", "ListAttempts") else FIELDS[field]
            setattr(request, field, NAMES.get(method, value) if field == "name" else value)
    for role in sorted(PEOPLE | MACHINES):
        for project in ("p", "q", "*"):
            issuers = scheduler.served.issuers
            async with scheduler.served.channel(issuers.token(role, project, "workers/w")) as channel:
                code = await _code(channel, path, request, described.server_streaming)
            refused = code is grpc.StatusCode.PERMISSION_DENIED
            assert refused != allowed(method, role, project), f"{method} as {role} in {project}: {code}"
    async with scheduler.served.channel("") as channel:
        code = await _code(channel, path, request, described.server_streaming)
    assert code is grpc.StatusCode.UNAUTHENTICATED


async def _code(channel: grpc.aio.Channel, path: str, request: Any, streams: bool) -> grpc.StatusCode:
    serialize = type(request).SerializeToString
    if streams:
        call: Any = channel.unary_stream(path, request_serializer=serialize)(request)
        try:
            async for _ in call:
                break
        except grpc.aio.AioRpcError as error:
            return error.code()
        call.cancel()
        return grpc.StatusCode.OK
    try:
        await channel.unary_unary(path, request_serializer=serialize)(request)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
