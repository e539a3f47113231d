"""Model versions, what is known of them, and their evaluations, as messages and back."""

from collections.abc import Iterable
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from modelyard.api.catalog.v1 import model_pb2
from modelyard.catalog.domain.artifacts import Version
from modelyard.catalog.domain.evaluations import Evaluation, Measured
from modelyard.catalog.domain.model_info import Gate, InputMeaning, ModelInfo, Requirement, Signature, TensorSpec
from modelyard.catalog.servicers.messages import timestamp, version_fields
from modelyard.foundation.errors import InvalidArgument


def model_version_message(version: Version) -> model_pb2.ModelVersion:
    info = version.info or ModelInfo()
    state = model_pb2.ModelVersion.STATE_REJECTED if info.rejected else model_pb2.ModelVersion.STATE_READY
    return model_pb2.ModelVersion(**version_fields(version), state=state, info=_model_info_message(info))


def _model_info_message(info: ModelInfo) -> model_pb2.ModelInfo:
    states = {True: model_pb2.Gate.STATE_PASSED, False: model_pb2.Gate.STATE_FAILED}
    message = model_pb2.ModelInfo(
        metrics=info.metrics,
        gates=[model_pb2.Gate(kind=gate.kind, state=states[gate.passed], detail=gate.detail) for gate in info.gates],
        row_wise=info.row_wise,
        frameworks=info.frameworks,
        foreign=info.foreign,
        signatures=[
            model_pb2.Signature(
                name=each.name, inputs=_tensor_messages(each.inputs), outputs=_tensor_messages(each.outputs)
            )
            for each in info.signatures
        ],
        resident_bytes=info.resident_bytes,
        requirements=[
            model_pb2.Requirement(name=each.name, version=each.version, license=each.license)
            for each in info.requirements
        ],
        task=info.task,
        classes=info.classes,
        inputs={
            name: model_pb2.InputMeaning(
                kind=each.kind, sample_rate=each.sample_rate, seconds=each.seconds, categories=each.categories
            )
            for name, each in info.inputs.items()
        },
    )
    if info.latency is not None:
        message.latency.FromTimedelta(info.latency)
    return message


def _tensor_messages(tensors: Iterable[TensorSpec]) -> list[model_pb2.TensorSpec]:
    return [
        model_pb2.TensorSpec(name=each.name, dtype=each.dtype, shape=each.shape or (), unknown_rank=each.shape is None)
        for each in tensors
    ]


def model_info_of(message: model_pb2.ModelInfo, at: str = "model_info") -> ModelInfo:
    """A gate without a state has not been passed."""
    return ModelInfo(
        metrics=dict(message.metrics),
        gates=tuple(Gate(gate.kind, gate.state == model_pb2.Gate.STATE_PASSED, gate.detail) for gate in message.gates),
        row_wise=message.row_wise,
        frameworks=dict(message.frameworks),
        foreign=message.foreign,
        signatures=tuple(
            Signature(
                each.name,
                _tensors_of(each.inputs, f"{at}.signatures[{index}].inputs"),
                _tensors_of(each.outputs, f"{at}.signatures[{index}].outputs"),
            )
            for index, each in enumerate(message.signatures)
        ),
        resident_bytes=message.resident_bytes,
        latency=_timedelta(message.latency, f"{at}.latency") if message.HasField("latency") else None,
        requirements=tuple(Requirement(each.name, each.version, each.license) for each in message.requirements),
        task=message.task,
        classes=tuple(message.classes),
        inputs={
            name: InputMeaning(each.kind, each.sample_rate, each.seconds, tuple(each.categories))
            for name, each in message.inputs.items()
        },
    )


def _tensors_of(messages: Iterable[model_pb2.TensorSpec], at: str) -> tuple[TensorSpec, ...]:
    found = []
    for index, message in enumerate(messages):
        if message.unknown_rank and message.shape:
            raise InvalidArgument(f"{at}[{index}] has unknown_rank and a shape", field=f"{at}[{index}].shape")
        shape = None if message.unknown_rank else tuple(message.shape)
        found.append(TensorSpec(message.name, message.dtype, shape))
    return tuple(found)


def _timedelta(message: Duration, at: str) -> timedelta:
    try:
        return message.ToTimedelta()
    except (OverflowError, ValueError):
        raise InvalidArgument(f"{at} is no length of time", field=at) from None


def measured_of(message: model_pb2.Evaluation) -> Measured:
    return Measured(message.split, message.example_count, dict(message.metrics), message.report)


def evaluation_message(evaluation: Evaluation) -> model_pb2.Evaluation:
    measured = evaluation.measured
    return model_pb2.Evaluation(
        name=evaluation.name,
        dataset_version=evaluation.dataset,
        dataset_digest=evaluation.dataset_digest,
        split=measured.split,
        example_count=measured.example_count,
        metrics=measured.metrics,
        report=measured.report,
        creator=evaluation.creator,
        create_time=timestamp(evaluation.create_time),
    )
