"""What worker and training process say to each other: one JSON object a line, both ways, over an inherited socket.

    child -> worker  hello prepared progress metric text image checkpoint exported evaluated profiled predicted stopped
                     failed
    worker -> child  stop checkpointed

`modelyard.job.wire` makes lines of them. Also `JobSpec`, the job.json that the child is started with. Nothing in here
imports TensorFlow.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

MAX_TEXT = 16_000


class FailureClass(StrEnum):
    """Why an attempt ended, as far as the child itself can tell; killed children are judged by the worker."""

    USER_CODE = "USER_CODE"
    INVALID_DATA = "INVALID_DATA"
    ACCELERATOR_OOM = "ACCELERATOR_OOM"
    HOST_OOM = "HOST_OOM"
    DIVERGED = "DIVERGED"
    EXPORT_INVALID = "EXPORT_INVALID"
    STORAGE = "STORAGE"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Hello:
    """TensorFlow is imported and the devices are bound."""

    kind: ClassVar[str] = "hello"
    tensorflow: str
    keras: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The first steps have run: data, shapes, labels and the network fit each other. 0 = not known; said once more when
    it becomes known."""

    kind: ClassVar[str] = "prepared"
    steps_per_epoch: int
    total_steps: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class Progress:
    """At most two a second; epoch counts from 1; metrics are running means of the epoch."""

    kind: ClassVar[str] = "progress"
    step: int
    total_steps: int
    epoch: int
    epochs: int
    examples_per_s: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A value worth a point in a curve: each metric once an epoch, and whatever the code reports."""

    kind: ClassVar[str] = "metric"
    step: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """Something that the code says about itself, by name; at most MAX_TEXT characters."""

    kind: ClassVar[str] = "text"
    step: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A PNG that the code made; `path` is relative to the output `run`."""

    kind: ClassVar[str] = "image"
    step: int
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The folder `path` is complete on disk; training from it is exactly training on."""

    kind: ClassVar[str] = "checkpoint"
    step: int
    path: str


@dataclass(frozen=True, slots=True)
class Exported:
    """The folder `path` holds a SavedModel that was loaded again and gave the same answers."""

    kind: ClassVar[str] = "exported"
    path: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an evaluation found; its report lies in the output `report`."""

    kind: ClassVar[str] = "evaluated"
    metrics: Mapping[str, float]
    split: str
    examples: int


@dataclass(frozen=True, slots=True)
class Profiled:
    """`path` is the file with a dataset's statistics, in the output `profile`."""

    kind: ClassVar[str] = "profiled"
    path: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """The folder `path` holds a model's answers as a dataset that describes itself."""

    kind: ClassVar[str] = "predicted"
    path: str
    examples: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The answer to stop; a checkpoint of this step was sent before, unless no step has run."""

    kind: ClassVar[str] = "stopped"
    step: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The last message of a child that ends with exit status 1."""

    kind: ClassVar[str] = "failed"
    failure_class: FailureClass
    message: str
    traceback: str = ""
    """The frames of the user's code only."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Save at the next batch, say stopped and exit with status 0."""

    kind: ClassVar[str] = "stop"


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The worker has published this checkpoint; the child may delete older folders."""

    kind: ClassVar[str] = "checkpointed"
    step: int


ChildMessage = (
    Hello
    | Prepared
    | Progress
    | Metric
    | Text
    | Image
    | Checkpoint
    | Exported
    | Evaluated
    | Profiled
    | Predicted
    | Stopped
    | Failed
)
WorkerMessage = Stop | Checkpointed


@dataclass(frozen=True, slots=True)
class JobSpec:
    """job.json. Paths are relative to its folder; what is left out has the default."""

    job: str
    """Resource name: projects/p/jobs/j."""
    attempt: int
    code: str
    """The package's folder: a shipped template's or a user's."""
    entry: str
    """`module:function`, or `module` for a script that does its work when it is run."""
    fd: int
    """The inherited socket; -1 where there is no worker."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    deterministic: bool | None = None
    """Only kernels that give the same bits every time; None = on CPUs, where that costs nothing."""
    devices: tuple[str, ...] = ("cpu",)
    """`cpu`, or the GPUs that this job was given: `gpu:0`, `gpu:3`."""
    cpu_threads: int = 0
    """0 = TensorFlow decides."""
    checkpoint_every_s: float = 30.0
    kind: str = "training"
    """As template.toml has it: training, evaluation, import, profile or prediction."""
    dataset: str = "inputs/dataset"
    """"" where the job has none."""
    input_model: str = "inputs/model"
    """The tree of the model version that an evaluation judges, or a prediction asks."""
    source: str = "inputs/source"
    """The files that an import makes a model of."""
    model_version: str = ""
    """Resource name of what `input_model` is a copy of."""
    dataset_version: str = ""
    """Resource name of what `dataset` is a copy of."""
    earlier_versions: tuple[str, ...] = ()
    """Resource names of earlier versions of the dataset; the profile of number 3 lies in `inputs/earlier/3`."""
    resume: str = ""
    """The folder of a checkpoint to go on from; "" = from the beginning."""
    resume_step: int = 0
    checkpoints: str = "checkpoints"
    model: str = "model"
    scratch: str = "scratch"
    outputs: str = "outputs"
    """Has a folder an output: `run`, `report`."""
    site_packages: tuple[str, ...] = ()
    """Folders with the code's requirements; they come behind its own folder in sys.path."""

    def to_json(self) -> str:
        """The text of job.json."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "JobSpec":
        """Raises ValueError for unknown or missing keys."""
        values = json.loads(text)
        values["devices"] = tuple(values.get("devices", ("cpu",)))
        for name in ("earlier_versions", "site_packages"):
            values[name] = tuple(values.get(name, ()))
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"job.json does not fit this version of modelyard: {error}") from error

    @classmethod
    def load(cls, path: Path) -> "JobSpec":
        """Raises OSError or ValueError."""
        return cls.from_json(path.read_text())
