"""ModelInfo as the JSON that SQL keeps; rows of earlier versions lack the later keys."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from modelyard.catalog.domain.model_info import Gate, InputMeaning, ModelInfo, Requirement, Signature, TensorSpec

_MICROSECOND = timedelta(microseconds=1)


def info_to_json(info: ModelInfo | None) -> dict[str, Any] | None:
    if info is None:
        return None
    return {
        "metrics": dict(info.metrics),
        "gates": [[gate.kind, gate.passed, gate.detail] for gate in info.gates],
        "row_wise": info.row_wise,
        "frameworks": dict(info.frameworks),
        "foreign": info.foreign,
        "signatures": [[each.name, _tensors(each.inputs), _tensors(each.outputs)] for each in info.signatures],
        "resident_bytes": info.resident_bytes,
        "latency_us": None if info.latency is None else info.latency // _MICROSECOND,
        "requirements": [[each.name, each.version, each.license] for each in info.requirements],
        "task": info.task,
        "classes": list(info.classes),
        "inputs": {
            name: [each.kind, each.sample_rate, each.seconds, list(each.categories)]
            for name, each in info.inputs.items()
        },
    }


def info_of(value: Mapping[str, Any] | None) -> ModelInfo | None:
    if value is None:
        return None
    latency = value.get("latency_us")
    return ModelInfo(
        metrics=value["metrics"],
        gates=tuple(Gate(kind, passed, detail) for kind, passed, detail in value["gates"]),
        row_wise=value["row_wise"],
        frameworks=value["frameworks"],
        foreign=value.get("foreign", False),
        signatures=tuple(
            Signature(name, _tensors_of(inputs), _tensors_of(outputs))
            for name, inputs, outputs in value.get("signatures", ())
        ),
        resident_bytes=value.get("resident_bytes", 0),
        latency=None if latency is None else latency * _MICROSECOND,
        requirements=tuple(Requirement(*each) for each in value.get("requirements", ())),
        task=value.get("task", ""),
        classes=tuple(value.get("classes", ())),
        inputs={
            name: InputMeaning(kind, rate, seconds, tuple(categories))
            for name, (kind, rate, seconds, categories) in value.get("inputs", {}).items()
        },
    )


def _tensors(tensors: tuple[TensorSpec, ...]) -> list[list[Any]]:
    return [[each.name, each.dtype, None if each.shape is None else list(each.shape)] for each in tensors]


def _tensors_of(rows: list[list[Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, dtype, None if shape is None else tuple(shape)) for name, dtype, shape in rows)
