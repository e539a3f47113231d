"""What a job's process has said, kept for the end of the attempt and shown in its progress."""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from modelyard.job.messages import (
    Checkpoint,
    ChildMessage,
    Evaluated,
    Exported,
    Hello,
    Image,
    Metric,
    Predicted,
    Prepared,
    Profiled,
    Text,
)
from modelyard.job.messages import Failed as ChildFailed
from modelyard.job.messages import Progress as ChildProgress
from modelyard.job.messages import Stopped as ChildStopped
from modelyard.layouts.shown import is_shown
from modelyard.templates.specs import Kind
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.publication import MAKES, Made
from modelyard.trainer.reporter import MAX_TEXT_CHARACTERS, Reporter

MAX_METRICS, MAX_NAME = 200, 120
MAX_TEXTS, MAX_IMAGES, MAX_PATH = 50, 50, 300
MAX_MESSAGE, MAX_TRACEBACK = 4_000, 16_000

STAGES = {Kind.PROFILE: "profiling", Kind.PREDICTION: "predicting"}
"""What a job does once it is prepared, where that is not training."""

OnCheckpoint = Callable[[int, str], None]


class Heard:
    """Takes one message after the other. The process runs anybody's code: sizes and numbers are bounded here."""

    def __init__(self, reporter: Reporter, on_checkpoint: OnCheckpoint, kind: Kind = Kind.TRAINING) -> None:
        self._reporter = reporter
        self._kind = kind
        self._on_checkpoint = on_checkpoint
        self._left_out: set[str] = set()
        self.made: Made | None = None
        """What a job of its kind is to make, once it says that it has."""
        self.failed: AttemptFailed | None = None
        self.stopped = False

    def take(self, message: ChildMessage) -> None:
        """Show or keep it."""
        progress = self._reporter.progress
        match message:
            case Hello():
                devices = ", ".join(message.devices)
                self._line(f"TensorFlow {message.tensorflow}, Keras {message.keras}: {devices}")
            case Prepared():
                progress.total_steps = message.total_steps
                progress.stage = STAGES.get(self._kind, "training")
                self._reporter.running = True
                self._reporter.changed(urgent=True)
            case ChildProgress():
                progress.step, progress.total_steps = message.step, message.total_steps
                progress.epoch, progress.epochs = message.epoch, message.epochs
                progress.examples_per_second = message.examples_per_s
                for name, value in message.metrics.items():
                    if self._fits("metrics", progress.metrics, name, MAX_METRICS):
                        progress.metrics[name] = value
                self._reporter.changed()
            case Metric():
                if self._fits("metrics", progress.metrics, message.name, MAX_METRICS):
                    self._reporter.point(message.step, message.name, message.value)
                    progress.metrics[message.name] = message.value
                    self._reporter.changed()
            case Text():
                self._text(message)
            case Image():
                self._image(message)
            case Checkpoint():
                self._on_checkpoint(message.step, message.path)
            case Exported() | Evaluated() | Profiled() | Predicted():
                if isinstance(message, MAKES[self._kind]):
                    self.made = message
            case ChildFailed():
                self.failed = AttemptFailed(
                    FailureClass(message.failure_class),
                    readable(message.message, MAX_MESSAGE) or "the code failed and did not say why",
                    readable(message.traceback, MAX_TRACEBACK),
                )
            case ChildStopped():
                self.stopped = True

    def _text(self, message: Text) -> None:
        texts = self._reporter.progress.texts
        if self._fits("texts", texts, message.name, MAX_TEXTS):
            self._reporter.text(message.name, readable(message.text, MAX_TEXT_CHARACTERS))

    def _image(self, message: Image) -> None:
        images = self._reporter.progress.images
        path = PurePosixPath(readable(message.path, MAX_PATH))
        inside = not path.is_absolute() and ".." not in path.parts
        if inside and self._fits("images", images, message.name, MAX_IMAGES):
            images.pop(message.name, None)
            images[message.name] = str(path)
            self._reporter.changed()

    def _fits(self, what: str, known: Mapping[str, object], name: str, limit: int) -> bool:
        """Whether it is one of few enough; every report carries all of them."""
        plain = name == readable(name, MAX_NAME) and name != ""
        if plain and (name in known or len(known) < limit):
            return True
        if what not in self._left_out:
            self._left_out.add(what)
            self._line(
                f"{name[:MAX_NAME]!r} is left out, as all that come: a job may report {limit} {what} with names of at "
                f"most {MAX_NAME} characters"
            )
        return False

    def _line(self, text: str) -> None:
        self._reporter.line(readable(text, MAX_MESSAGE))


def readable(text: str, most: int) -> str:
    """Text that can be sent and shown: no half characters, no control characters but line ends and tabs, not too
    long."""
    text = text[:most].encode("utf-8", "replace").decode()
    return "".join(each for each in text if is_shown(each) or each in "\n\t")
