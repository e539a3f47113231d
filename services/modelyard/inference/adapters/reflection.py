"""Reflection for the whole installation: every service of modelyard's API, and TensorFlow Serving's.

TensorFlow's own descriptors come only with TensorFlow. Ours in `modelyard.api.serving.v1` are the same on the wire, so
they are given TensorFlow's names here, in a pool of their own: grpcurl can call
`tensorflow.serving.PredictionService/Predict` without a single .proto file.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf import wrappers_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer

import modelyard.api
from modelyard.api.serving.v1 import metadata_pb2, model_pb2, predict_pb2, status_pb2, tensor_pb2
from modelyard.foundation.rpc.server import HEALTH, REFLECTION_V1, REFLECTION_V1ALPHA, Handlers, Server

_OURS = "modelyard.api.serving.v1"
_LOCAL = frozenset({"modelyard.api.trainer"})
"""Packages whose services no client of the installation can reach."""

_RENAMED = {
    "DataType": "tensorflow.DataType",
    "Tensor": "tensorflow.TensorProto",
    "TensorShape": "tensorflow.TensorShapeProto",
    "ResourceHandle": "tensorflow.ResourceHandleProto",
    "VariantTensorData": "tensorflow.VariantTensorDataProto",
    "TensorInfo": "tensorflow.TensorInfo",
    "SignatureDef": "tensorflow.SignatureDef",
    "SignatureDefMap": "tensorflow.serving.SignatureDefMap",
    "ModelSpec": "tensorflow.serving.ModelSpec",
    "PredictRequest": "tensorflow.serving.PredictRequest",
    "PredictResponse": "tensorflow.serving.PredictResponse",
    "GetModelMetadataRequest": "tensorflow.serving.GetModelMetadataRequest",
    "GetModelMetadataResponse": "tensorflow.serving.GetModelMetadataResponse",
    "Status": "tensorflow.serving.StatusProto",
    "ModelVersionStatus": "tensorflow.serving.ModelVersionStatus",
    "GetModelStatusRequest": "tensorflow.serving.GetModelStatusRequest",
    "GetModelStatusResponse": "tensorflow.serving.GetModelStatusResponse",
    "Int64Value": "google.protobuf.Int64Value",
}
_SERVICES = {
    "PredictionService": ("Predict", "GetModelMetadata"),
    "ModelService": ("GetModelStatus",),
}


def add_reflection(server: Server) -> None:
    """v1alpha and v1, which is v1alpha under another name: the same messages and numbers."""
    pool, services = describe()
    servicer = ReflectionServicer(services, pool)
    server.add(reflection_pb2_grpc.add_ServerReflectionServicer_to_server, servicer)
    server.add(_as_v1, servicer)


def describe() -> tuple[DescriptorPool, list[str]]:
    """A pool of everything that can be called through the installation's address, and the services in it."""
    pool = DescriptorPool()
    known: set[str] = set()
    services = [HEALTH, REFLECTION_V1ALPHA]
    for file in (*_api_files(), health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR):
        _add(pool, file, known)
        if file.package.startswith("modelyard."):
            services += [service.full_name for service in file.services_by_name.values()]
    for renamed in tensorflow_files():
        pool.Add(renamed)
        services += [f"{renamed.package}.{service.name}" for service in renamed.service]
    return pool, sorted(services)


def tensorflow_files() -> list[FileDescriptorProto]:
    """The messages and services of TensorFlow Serving that the proxy takes, under TensorFlow's names."""
    tensors = FileDescriptorProto(name="tensorflow/tensors.proto", package="tensorflow", syntax="proto3")
    serving = FileDescriptorProto(name="tensorflow/serving.proto", package="tensorflow.serving", syntax="proto3")
    serving.dependency.extend([tensors.name, "google/protobuf/any.proto", "google/protobuf/wrappers.proto"])
    files = {file.package: file for file in (tensors, serving)}
    for module in (tensor_pb2, model_pb2, metadata_pb2, predict_pb2, status_pb2):
        source = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(source)
        for enum in source.enum_type:
            package, _, enum.name = _RENAMED[enum.name].rpartition(".")
            files[package].enum_type.append(enum)
        for message in source.message_type:
            package, _, name = _RENAMED[message.name].rpartition(".")
            if package in files:
                _rename_fields(message)
                message.name = name
                files[package].message_type.append(message)
    for service, methods in _SERVICES.items():
        described = serving.service.add(name=service)
        for method in methods:
            described.method.add(
                name=method,
                input_type=f".tensorflow.serving.{method}Request",
                output_type=f".tensorflow.serving.{method}Response",
            )
    return [tensors, serving]


def _rename_fields(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type_name.startswith(f".{_OURS}."):
            first, *nested = field.type_name.removeprefix(f".{_OURS}.").split(".")
            field.type_name = ".".join(["", _RENAMED[first], *nested])
    for nested_type in message.nested_type:
        _rename_fields(nested_type)


def _api_files() -> Iterator[FileDescriptor]:
    for module in pkgutil.walk_packages(modelyard.api.__path__, "modelyard.api."):
        hidden = module.name.startswith(_OURS) or any(module.name.startswith(package) for package in _LOCAL)
        if module.name.endswith("_pb2") and not hidden:
            yield importlib.import_module(module.name).DESCRIPTOR


def _add(pool: DescriptorPool, file: FileDescriptor, known: set[str]) -> None:
    if file.name in known:
        return
    known.add(file.name)
    for dependency in file.dependencies:
        _add(pool, dependency, known)
    copied = FileDescriptorProto()
    file.CopyToProto(copied)
    pool.Add(copied)


def _as_v1(servicer: object, registry: Any) -> None:
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, _V1(registry.add_registered_method_handlers))


class _V1:
    """Stands in for a server and passes the handlers on under v1's name."""

    def __init__(self, add: Callable[[str, Handlers], None]) -> None:
        self._add = add

    def add_registered_method_handlers(self, service: str, handlers: Handlers) -> None:
        self._add(REFLECTION_V1, handlers)

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The same handlers once more, for servers that do not know the other call."""
