"""A model version as a person reads it."""

from collections.abc import Sequence

from modelyard.api.catalog.v1 import model_pb2
from modelyard.cli.output import age, bytes_text, metrics_text, state_text
from modelyard.sdk.names import short

State = model_pb2.ModelVersion.State
MOST_REQUIREMENTS = 12


def version_facts(
    version: model_pb2.ModelVersion, evaluations: Sequence[model_pb2.Evaluation]
) -> list[tuple[str, str]]:
    """What it can be asked, what it passed, what it needs, how it did."""
    info = version.info
    return [
        ("name", short(version.name)),
        ("state", state_text(State.Name(version.state))),
        ("digest", version.digest),
        ("files", f"{version.file_count}, {bytes_text(version.size_bytes)}"),
        *[(f"signature {each.name}", signature_text(each)) for each in info.signatures],
        ("metrics", metrics_text(info.metrics.items())),
        *[(f"gate {gate.kind}", gate_text(gate)) for gate in info.gates],
        ("memory", f"{bytes_text(info.resident_bytes)} in a model server" if info.resident_bytes else ""),
        ("latency", latency_text(info)),
        ("made with", " ".join(f"{key} {value}" for key, value in sorted(info.frameworks.items()))),
        ("made by", "code or files of one's own: it is loaded in the strong sandbox" if info.foreign else ""),
        ("requirements", requirements_text(info.requirements)),
        *[(f"on {short(each.dataset_version)} {each.split}", evaluation_text(each)) for each in evaluations],
        ("created", f"{age(version.create_time)} by {version.creator}"),
    ]


def signature_text(signature: model_pb2.Signature) -> str:
    """`image uint8 any × 28 × 28 × 1 → probabilities float32 any × 10`."""
    sides = (", ".join(map(_tensor_text, side)) for side in (signature.inputs, signature.outputs))
    return " → ".join(sides)


def gate_text(gate: model_pb2.Gate) -> str:
    """`passed: all 12 operations are allowed`."""
    state = state_text(model_pb2.Gate.State.Name(gate.state))
    return f"{state}: {gate.detail}" if gate.detail else state


def latency_text(info: model_pb2.ModelInfo) -> str:
    """Of one request of one example."""
    seconds = info.latency.ToTimedelta().total_seconds()
    return f"{seconds * 1000:.1f} ms for one example" if seconds else ""


def evaluation_text(evaluation: model_pb2.Evaluation) -> str:
    """`accuracy 0.991  log_loss 0.03 (10,000 examples)`."""
    return f"{metrics_text(evaluation.metrics.items())} ({evaluation.example_count:,} examples)"


def requirements_text(requirements: Sequence[model_pb2.Requirement]) -> str:
    """What was installed, with licences."""
    said = [
        f"{each.name} {each.version}" + (f" ({each.license})" if each.license else "")
        for each in requirements[:MOST_REQUIREMENTS]
    ]
    more = len(requirements) - len(said)
    return ", ".join(said) + (f" and {more} more" if more else "")


def _tensor_text(tensor: model_pb2.TensorSpec) -> str:
    if tensor.unknown_rank:
        return f"{tensor.name} {tensor.dtype} of any shape"
    sizes = ["any" if size < 0 else str(size) for size in tensor.shape]
    return " ".join(filter(None, (tensor.name, tensor.dtype, " × ".join(sizes))))
