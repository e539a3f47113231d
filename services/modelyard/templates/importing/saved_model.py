"""A SavedModel, of TensorFlow 1 or 2, as a model version's tree: its own files, and what it answers to examples."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from modelyard.job import devices, warmup
from modelyard.job.errors import ExportInvalid
from modelyard.job.export import DESCRIPTION_FILE, FORMAT, GOLDEN_FILE, storable
from modelyard.job.session import Context
from modelyard.savedmodel import drawing
from modelyard.savedmodel.names import loadable
from modelyard.templates.importing import examples
from modelyard.templates.importing.asking import Asked, Model, Unanswered, ask
from modelyard.templates.importing.inputs import Arrays, Spec
from modelyard.templates.importing.sources import GRAPH_FILE

TAG = "serve"
CLASSES_FILE = "assets/classes.txt"
MAX_GOLDEN_BYTES = 16 << 20
_FAILURES = (ValueError, TypeError, KeyError, AttributeError, AssertionError, RuntimeError, OSError, tf.errors.OpError)


@dataclass(slots=True)
class Answers:
    """What the model said, and why it did not."""

    asked: dict[str, Asked] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    """Signature -> why its answers are not kept."""
    trouble: str = ""
    """Why none are."""


def bring_in(source: Path, context: Context) -> None:
    """Make the job's output of it.

    What is wrong with the model is for the gates to judge, which name the node; why there are no answers goes with it.
    Raises ExportInvalid for what is no model that can be asked.
    """
    target = Path("model").absolute()
    shutil.rmtree(target, ignore_errors=True)
    _copy(source, target)
    saved = read(target)
    graph = served(saved)
    if drawing.unseeded(graph):
        devices.allow_unseeded()
    earlier = examples.kept(target)
    for name in (DESCRIPTION_FILE, GOLDEN_FILE):
        (target / name).unlink(missing_ok=True)
    chosen = examples.choose(context, signatures(graph), earlier)
    answers = answer(target, saved, chosen, context)
    golden: Arrays = {}
    for name, asked in answers.asked.items():
        golden |= {f"{name}/inputs/{key}": storable(value) for key, value in asked.inputs.items()}
        golden |= {f"{name}/outputs/{key}": storable(value) for key, value in asked.outputs.items()}
    if golden:
        with (target / GOLDEN_FILE).open("wb") as out:
            np.savez(out, allow_pickle=False, **golden)
        if not (target / warmup.WARMUP_FILE).is_file():
            warmup.write(target, {name: asked.first for name, asked in answers.asked.items()})
    _describe(target, graph, answers, chosen, earlier)
    for name, why in answers.unanswered.items():
        print(f"signature {name!r}: {why}")
    for name, asked in answers.asked.items():
        for output, why in asked.left_out.items():
            print(f"signature {name!r}: output {output!r} is not compared: {why}")
    context.export_folder(target)


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_symlink():
            raise ExportInvalid(f"{path.relative_to(source)} is a link; push the file that it points to")
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def read(folder: Path) -> Any:
    """The SavedModel message. Raises ExportInvalid."""
    try:
        return saved_model_pb2.SavedModel.FromString((folder / GRAPH_FILE).read_bytes())
    except Exception as error:
        raise ExportInvalid(f"{GRAPH_FILE} is no SavedModel: it can't be decoded; export the model again") from error


def served(saved: Any) -> Any:
    """The MetaGraphDef that is served. Raises ExportInvalid."""
    for graph in saved.meta_graphs:
        if list(graph.meta_info_def.tags) == [TAG]:
            return graph
    have = ", ".join("{" + ",".join(graph.meta_info_def.tags) + "}" for graph in saved.meta_graphs) or "none"
    raise ExportInvalid(f"{GRAPH_FILE} has no graph with the tag {TAG!r}; it has {have}; save it for serving")


def signatures(graph: Any) -> dict[str, tuple[dict[str, Spec], dict[str, Spec]]]:
    """Name -> inputs, outputs. Raises ExportInvalid where there are none."""
    found = {
        name: (_specs(each.inputs), _specs(each.outputs))
        for name, each in graph.signature_def.items()
        if not name.startswith("__")
    }
    if not found:
        raise ExportInvalid(
            "the SavedModel has no signature, so nobody can ask it; save it with "
            "tf.saved_model.save(model, folder, signatures={'serving_default': a tf.function with an input_signature})"
        )
    return found


def _specs(tensors: Mapping[str, Any]) -> dict[str, Spec]:
    return {
        name: Spec(
            tf.variant if info.WhichOneof("encoding") != "name" else tf.as_dtype(info.dtype),
            None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim),
            _composite(info),
        )
        for name, info in tensors.items()
    }


def _composite(info: Any) -> str:
    match info.WhichOneof("encoding"):
        case "composite_tensor":
            return str(info.composite_tensor.type_spec.type_spec_class_name).removesuffix("Spec")
        case "coo_sparse":
            return "SparseTensor"
    return ""


def answer(folder: Path, saved: Any, chosen: "examples.Chosen", context: Context) -> Answers:
    """Load the model and ask it by every signature."""
    answers, graph = Answers(), served(saved)
    try:
        with loadable(folder, saved, graph) as place:
            model = Model(tf.saved_model.load(str(place.folder), tags=[TAG]), place, drawing.drawn_with(graph))
    except _FAILURES as error:
        answers.trouble = f"it can't be loaded: {_first_line(error)}"
        return answers
    left = MAX_GOLDEN_BYTES
    for name, (inputs, outputs) in signatures(graph).items():
        try:
            asked = ask(model, name, inputs, outputs, chosen.of(name), int(context.params.examples), context.seed, left)
        except Unanswered as why:
            answers.unanswered[name] = str(why)
        else:
            answers.asked[name] = asked
            left -= asked.size
    if not answers.asked:
        answers.trouble = "; ".join(f"signature {name!r}: {why}" for name, why in answers.unanswered.items())
    return answers


def _describe(folder: Path, graph: Any, answers: Answers, chosen: "examples.Chosen", earlier: "examples.Kept") -> None:
    classes = earlier.classes or _classes(folder)
    described = {
        "format": FORMAT,
        "task": earlier.task,
        **({"classes": classes} if classes else {}),
        **earlier.about,
        "metrics": {},
        "signatures": {
            name: {"inputs": _forms(inputs), "outputs": _forms(outputs)}
            for name, (inputs, outputs) in signatures(graph).items()
        },
        **({"golden": GOLDEN_FILE} if answers.asked else {}),
        "examples": chosen.origin,
        **({"synthetic_examples": True} if chosen.synthetic else {}),
        **({"unanswered": answers.unanswered} if answers.unanswered else {}),
        **_left_out(answers),
        **({"trouble": answers.trouble} if answers.trouble else {}),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "made_with_tensorflow": graph.meta_info_def.tensorflow_version,
    }
    (folder / DESCRIPTION_FILE).write_text(json.dumps(described, indent=1, ensure_ascii=False))


def _left_out(answers: Answers) -> dict[str, Any]:
    """Signature -> output -> why no answer of it is kept."""
    found = {name: dict(asked.left_out) for name, asked in answers.asked.items() if asked.left_out}
    return {"not_compared": found} if found else {}


def _forms(specs: Mapping[str, Spec]) -> dict[str, Any]:
    return {
        name: {"dtype": spec.what, "shape": None if spec.shape is None else list(spec.shape)}
        for name, spec in specs.items()
    }


def _classes(folder: Path) -> list[str]:
    try:
        return (folder / CLASSES_FILE).read_text().splitlines()[:10_000]
    except (OSError, UnicodeDecodeError):
        return []


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:500]
