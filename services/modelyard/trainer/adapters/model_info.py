"""What the catalog stores of a model version."""

from collections.abc import Mapping, Sequence

from modelyard.api.catalog.v1 import model_pb2
from modelyard.trainer.gates import Checked, GateResult, Signature
from modelyard.trainer.work import Distribution

_MAX_LICENSE = 500


def model_info(
    metrics: Mapping[str, float],
    checked: Checked,
    frameworks: Mapping[str, str],
    installed: Sequence[Distribution],
    *,
    foreign: bool,
) -> model_pb2.ModelInfo:
    """The API's message."""
    info = model_pb2.ModelInfo(
        metrics=metrics,
        gates=gates(checked.gates),
        row_wise=checked.row_wise,
        frameworks=frameworks,
        foreign=foreign,
        signatures=[_signature(one) for one in checked.signatures],
        resident_bytes=checked.resident_bytes,
        requirements=[
            model_pb2.Requirement(name=one.name, version=one.version, license=one.license[:_MAX_LICENSE])
            for one in installed
        ],
        task=checked.described.task,
        classes=checked.described.classes,
        inputs={
            name: model_pb2.InputMeaning(
                kind=one.kind, sample_rate=one.sample_rate, seconds=one.seconds, categories=one.categories
            )
            for name, one in checked.described.inputs.items()
        },
    )
    if checked.latency_s > 0:
        info.latency.FromMicroseconds(round(checked.latency_s * 1e6))
    return info


def gates(results: Sequence[GateResult]) -> list[model_pb2.Gate]:
    """The API's messages."""
    states = {True: model_pb2.Gate.STATE_PASSED, False: model_pb2.Gate.STATE_FAILED}
    return [model_pb2.Gate(kind=one.kind, state=states[one.passed], detail=one.detail) for one in results]


def _signature(one: Signature) -> model_pb2.Signature:
    message = model_pb2.Signature(name=one.name)
    for sides, specs in ((message.inputs, one.inputs), (message.outputs, one.outputs)):
        for spec in specs:
            sides.add(name=spec.name, dtype=spec.dtype, shape=spec.shape, unknown_rank=spec.unknown_rank)
    return message
