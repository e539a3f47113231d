"""What this service does for the whole installation: reflection and health."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from modelyard.api.serving.v1 import predict_pb2
from tests.contract.inference.stack import Installation
from tests.support.eventually import eventually
from tests.support.fake_catalog import running_fake_catalog

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Reflection:
    def __init__(self, channel: grpc.aio.Channel, version: str) -> None:
        self._call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

    async def ask(self, **request: str) -> reflection_pb2.ServerReflectionResponse:
        async def requests() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            yield reflection_pb2.ServerReflectionRequest(**request)

        async for answer in self._call(requests()):
            return answer
        raise AssertionError("no answer")


def pool_of(answer: reflection_pb2.ServerReflectionResponse) -> descriptor_pool.DescriptorPool:
    """What a client makes of an answer: each file after those it imports."""
    pool = descriptor_pool.DescriptorPool()
    found = map(descriptor_pb2.FileDescriptorProto.FromString, answer.file_descriptor_response.file_descriptor_proto)
    files = {file.name: file for file in found}

    def add(name: str) -> None:
        file = files.pop(name, None)
        if file is not None:
            for dependency in file.dependency:
                add(dependency)
            pool.Add(file)

    for name in list(files):
        add(name)
    return pool


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
async def test_every_service_is_listed_without_a_token(installation: Installation, version: str) -> None:
    async with installation.channel(role="") as channel:
        answer = await Reflection(channel, version).ask(list_services="")
    names = {service.name for service in answer.list_services_response.service}
    assert names >= {
        "modelyard.api.catalog.v1.DatasetService",
        "modelyard.api.scheduler.v1.JobService",
        "modelyard.api.inference.v1.DeploymentService",
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
    }
    assert not any(name.startswith("modelyard.api.trainer") for name in names)


async def test_every_service_that_is_listed_is_described(installation: Installation) -> None:
    async with installation.channel(role="") as channel:
        reflection = Reflection(channel, "v1")
        listed = await reflection.ask(list_services="")
        for service in listed.list_services_response.service:
            answer = await reflection.ask(file_containing_symbol=service.name)
            pool = pool_of(answer)
            assert pool.FindServiceByName(service.name).methods


async def test_a_client_that_knows_only_reflection_can_write_a_predict_request(installation: Installation) -> None:
    async with installation.channel(role="") as channel:
        answer = await Reflection(channel, "v1alpha").ask(file_containing_symbol="tensorflow.serving.PredictionService")
    pool = pool_of(answer)
    method = pool.FindServiceByName("tensorflow.serving.PredictionService").methods_by_name["Predict"]
    request = message_factory.GetMessageClass(method.input_type)()
    json_format.ParseDict(
        {
            "modelSpec": {"name": "digits", "version": 3, "signatureName": "encoded"},
            "inputs": {
                "image_bytes": {"dtype": "DT_STRING", "tensorShape": {"dim": [{"size": 1}]}, "stringVal": ["AAE="]}
            },
        },
        request,
    )
    ours = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    assert (ours.model_spec.name, ours.model_spec.version.value) == ("digits", 3)
    assert ours.inputs["image_bytes"].string_val[0] == b"\x00\x01"
    assert ours.inputs["image_bytes"].tensor_shape.dim[0].size == 1


async def test_health_is_that_of_the_whole_installation(installation: Installation, tmp_path: Path) -> None:
    async with installation.channel(role="") as channel:
        health = health_pb2_grpc.HealthStub(channel)

        async def status(service: str) -> int:
            return int((await health.Check(health_pb2.HealthCheckRequest(service=service))).status)

        scheduler = "modelyard.api.scheduler.v1.JobService"
        assert await status("") == NOT_SERVING
        assert await status(scheduler) == NOT_SERVING
        assert await status("modelyard.api.catalog.v1.ModelService") == SERVING
        assert await status("modelyard.api.inference.v1.DeploymentService") == SERVING
        async with running_fake_catalog(tmp_path, "scheduler"):

            async def well() -> bool:
                return {await status(""), await status(scheduler)} == {SERVING}

            await eventually(well, timeout_s=20)
