"""A model version as a person reads it."""

from datetime import timedelta

from modelyard.api.catalog.v1 import model_pb2
from modelyard.cli.modelfacts import MOST_REQUIREMENTS, requirements_text, signature_text, version_facts


def tensor(name: str, dtype: str, *shape: int, unknown_rank: bool = False) -> model_pb2.TensorSpec:
    return model_pb2.TensorSpec(name=name, dtype=dtype, shape=shape, unknown_rank=unknown_rank)


def test_a_signature_says_what_goes_in_and_what_comes_out() -> None:
    signature = model_pb2.Signature(
        name="serving_default",
        inputs=[tensor("image", "uint8", -1, 28, 28, 1), tensor("scale", "float32")],
        outputs=[tensor("probabilities", "float32", -1, 10), tensor("rest", "string", unknown_rank=True)],
    )
    assert signature_text(signature) == (
        "image uint8 any × 28 × 28 × 1, scale float32 → probabilities float32 any × 10, rest string of any shape"
    )


def test_a_version_shows_gates_memory_latency_requirements_and_evaluations() -> None:
    info = model_pb2.ModelInfo(
        foreign=True,
        resident_bytes=50_000_000,
        gates=[model_pb2.Gate(kind="ops", state=model_pb2.Gate.STATE_PASSED, detail="12 operations, all allowed")],
        requirements=[model_pb2.Requirement(name="einops", version="0.8", license="MIT")],
    )
    info.latency.FromTimedelta(timedelta(milliseconds=3.25))
    version = model_pb2.ModelVersion(name="projects/p/models/m/versions/2", info=info)
    evaluation = model_pb2.Evaluation(
        dataset_version="projects/p/datasets/d/versions/1",
        split="test",
        example_count=10_000,
        metrics={"accuracy": 0.5},
    )
    facts = dict(version_facts(version, [evaluation]))
    assert facts["gate ops"] == "passed: 12 operations, all allowed"
    assert facts["memory"] == "50.0 MB in a model server"
    assert facts["latency"] == "3.2 ms for one example"
    assert facts["requirements"] == "einops 0.8 (MIT)"
    assert facts["on d@1 test"] == "accuracy 0.5 (10,000 examples)"
    assert "strong sandbox" in facts["made by"]


def test_what_was_not_measured_is_not_shown() -> None:
    facts = dict(version_facts(model_pb2.ModelVersion(name="projects/p/models/m/versions/2"), []))
    assert (facts["memory"], facts["latency"], facts["requirements"], facts["made by"]) == ("", "", "", "")


def test_a_long_list_of_requirements_is_cut_and_says_so() -> None:
    many = [model_pb2.Requirement(name=f"p{number}", version="1") for number in range(MOST_REQUIREMENTS + 3)]
    assert requirements_text(many).endswith(f"p{MOST_REQUIREMENTS - 1} 1 and 3 more")
