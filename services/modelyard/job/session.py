"""`context`: what a job's code sees. Shipped templates and users' packages are written against this alone."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from modelyard.job import export, images
from modelyard.job.batches import Position
from modelyard.job.board import Board
from modelyard.job.channel import Channel
from modelyard.job.data import Data
from modelyard.job.devices import choose_strategy
from modelyard.job.exporting import Exporting
from modelyard.job.fed import Fed, Prepare
from modelyard.job.fetched import numbers
from modelyard.job.fits import FitCallback
from modelyard.job.left_out import LeftOut
from modelyard.job.loop import Loop
from modelyard.job.messages import Evaluated, Exported, JobSpec, Predicted
from modelyard.job.parameters import Parameters, untyped
from modelyard.job.parts import Parts
from modelyard.job.reports import Reports
from modelyard.job.result import Result
from modelyard.job.training import Training, Watch
from modelyard.job.values import Form
from modelyard.layouts import Feature

TEMPLATE_FILE = "template.toml"


class Context:
    """One job, seen from inside. Every method may raise `Stopped` when the worker wants the job to end."""

    def __init__(self, spec: JobSpec, folder: Path, channel: Channel) -> None:
        """`folder` is the work folder that the spec's paths are relative to."""
        self._spec = spec
        self._folder = folder
        self._position = Position()
        typed = (folder / spec.code / TEMPLATE_FILE).exists()
        self.params = Parameters(spec.parameters if typed else untyped(spec.parameters))
        self.seed = spec.seed
        resumed = spec.resume_step if spec.resume else None
        self._board = Board(self._path(spec.outputs) / "run", attempt=spec.attempt, resumed=resumed)
        checkpoints, resume = self._path(spec.checkpoints), self._path(spec.resume) if spec.resume else None
        every_s = float(self.params.get("checkpoint_every_s") or spec.checkpoint_every_s)
        self.training = Training(channel, self._position, checkpoints, resume, every_s, self._board)
        self._reports = Reports(self.training, self._board)
        self._result = Result(self.training, self._board)
        dataset, left_out = self._path(spec.dataset) if spec.dataset else None, LeftOut(self._reports.text)
        self.data = Data(dataset, self._path(spec.scratch), self._position, spec.seed, left_out)
        self.fed = Fed(self.data, self._position, spec.seed)
        self._loop, self._watch = Loop(self.training), Watch(self.training)

    def _path(self, path: str) -> Path:
        return self._folder / path

    # What the job has.

    @cached_property
    def strategy(self) -> Any:
        """A tf.distribute.Strategy over the devices that this job was given; build the model in its scope."""
        return choose_strategy(self._spec.devices)

    @property
    def features(self) -> dict[str, Feature]:
        """What each example has: name -> kind, dtype, shape, role, classes."""
        return self.data.index.features

    @property
    def modality(self) -> str:
        """What the dataset is about: image, text, audio, video, table or interactions."""
        return self.data.index.description.modality

    @property
    def classes(self) -> tuple[str, ...]:
        """The names behind the labels; () where there is not one category to learn."""
        return self.data.index.classes

    @property
    def splits(self) -> dict[str, int]:
        """Examples by split."""
        return dict(self.data.index.splits)

    @property
    def held_out(self) -> str | None:
        """The split to judge the model on: validation, else test; None where the dataset has neither."""
        return self.data.index.held_out

    @property
    def has_dataset(self) -> bool:
        """Whether the job was started with a dataset; imports may have none."""
        return self.data.exists

    @property
    def model(self) -> Path:
        """In an evaluation or a prediction: the folder of the model version, a SavedModel with its description."""
        return self._path(self._spec.input_model)

    @property
    def model_version(self) -> str:
        """In an evaluation or a prediction: the model version's resource name; "" where the job was not told."""
        return self._spec.model_version

    @property
    def dataset_version(self) -> str:
        """The dataset version's resource name; "" where the job was not told."""
        return self._spec.dataset_version

    @property
    def source(self) -> Path:
        """In an import: the folder with the files that were pushed."""
        return self._path(self._spec.source)

    def output(self, name: str) -> Path:
        """A folder beside the model that is kept with the job: `report`, `run`."""
        folder = self._path(self._spec.outputs) / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def image_shape(self, image_size: int = 0) -> images.Shape:
        """Height, width and channels as `dataset` gives them; `image_size` asks for square images of that size."""
        return self.data.image_shape(image_size)

    def example_path(self, split: str, number: int) -> str:
        """Where the example comes from, in stored order: a path in the dataset, `path:line` for a row."""
        return self.data.index.split(split).origin(number)

    # Its data.

    def dataset(
        self,
        split: str,
        *,
        batch_size: int | None = None,
        shuffle: bool | None = None,
        image_size: int = 0,
        sample_rate: int = 0,
        seconds: float = 0.0,
        frames: int = 0,
        columns: Sequence[str] | None = None,
    ) -> Any:
        """A tf.data.Dataset of (inputs, target), batched if `batch_size` is given. One input, or one target, is the
        tensor itself, several are a dict by feature name; a dataset without a target gives inputs alone. `columns`
        names the features instead of their roles.

        image       uint8 [height, width, channels]; `image_size` asks for squares of that size
        text        string, UTF-8; so are categories and ids that are inputs
        number      float32 or int64; a missing one is NaN
        label       int64, an index into `classes`
        audio       float32 [samples] in -1 … 1, one channel, at `sample_rate`, cut and padded to `seconds`
        video       uint8 [frames, height, width, 3], `frames` of them evenly spaced
        boxes       float32 [most, 4], x and y of two corners in pixels, filled up with -1

        "train" is shuffled, in an order that is a function of the job's seed and the epoch; other splits are in stored
        order. Each iteration is one epoch: do not add `.repeat()` or `.shuffle()`. An example whose file cannot be
        decoded is left out, and said with its path: `splits`, `arrays` and `example_path` go by the rest from then on.
        Raises DatasetUnsuitable for what is not there, ExamplesUnreadable where half of the split is left out or more.
        """
        self.training.stop_here()
        form = Form(image_size, sample_rate, seconds, frames)
        return self.data.dataset(split, batch_size, split == "train" if shuffle is None else shuffle, form, columns)

    def arrays(
        self,
        split: str,
        *,
        image_size: int = 0,
        sample_rate: int = 0,
        seconds: float = 0.0,
        frames: int = 0,
        columns: Sequence[str] | None = None,
    ) -> Any:
        """The same as NumPy arrays in stored order, read-only, where they fit in memory; texts are bytes objects."""
        self.training.stop_here()
        return self.data.arrays(split, Form(image_size, sample_rate, seconds, frames), columns)

    def items(self) -> dict[str, NDArray[Any]]:
        """Of interactions: the table of items, an array a feature, one row an item."""
        self.training.stop_here()
        return self.data.items()

    # Training.

    def callbacks(self) -> list[Any]:
        """Progress, metrics, checkpoints, the stop and going on after a crash. `fit` adds them by itself in a job."""
        return [FitCallback(self.training)]

    def resume(self, *items: Any) -> int:
        """Before a loop of your own: names what belongs to a checkpoint (models, optimizers, metrics, variables,
        tf.random.Generators), and restores it if an earlier attempt left one. Answers how many steps are done."""
        return self._loop.resume(items)

    def epochs(self, count: int) -> Iterator[int]:
        """For loops of your own: the epochs that are still to do, with the data's order following them. The first one
        begins behind the batches that an earlier attempt did. An epoch's end is a checkpoint, unless there was one
        shortly before."""
        return self._loop.epochs(count)

    def checkpoint(self, **values: Any) -> None:
        """After each step of a loop of your own: counts it, shows `values` (tensors are fetched only when they are
        shown), saves when it is time to, and ends the job here when the worker asks for it."""
        self._loop.step(values)

    def parts(self, folder: Path) -> Parts:
        """For work without training that is done part by part, such as a prediction: `folder` is where the parts' files
        go, and has those that an earlier attempt has kept."""
        return Parts(self.training, folder)

    def progress(self, done: int, total: int) -> None:
        """For work without training, such as an evaluation: `done` of `total` examples."""
        self.training.stop_here()
        self.training.count(done, total, self._watch)

    # What it says.

    def report(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Points in the job's curves at the current step: `report(loss=0.1)`, or `report({"any name": 0.1})`; what is
        text goes where `report_text` puts it.

        `fit` reports Keras's own metrics by itself. Raises ContextMisused for what is neither.
        """
        self._reports.values({**(values or {}), **more})

    def report_text(self, name: str, text: str) -> None:
        """A text, as Markdown; the newest of each name is shown with the job, all of them in TensorBoard."""
        self._reports.text(str(name), str(text))

    def report_image(self, name: str, image: Any) -> None:
        """A picture: uint8 or float in 0..1, [height, width] or [height, width, 1, 3 or 4]; a batch becomes tiles."""
        self._reports.image(str(name), image)

    # What comes of it.

    def export(
        self,
        model: Any,
        *,
        signature: Any = None,
        prepare: Prepare | None = None,
        examples: Any = None,
        image_size: int = 0,
        task: str | None = None,
        classes: Sequence[str] | None = None,
        inputs: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> Path:
        """Make the model the job's output: a SavedModel with the answers to a few real examples.

        A model that was trained on the dataset's pictures and answers a number for each class is served as an image
        classifier: `serving_default` takes pictures as they are stored, `encoded` takes PNG or JPEG bytes; whatever
        scale the code brought the pictures to is part of the served graph. Where export cannot see how the model's
        input was made of them, say it: `prepare=lambda images: tf.cast(images, tf.float32) / 255`. Every other model is
        served with its own inputs and outputs. `signature` says otherwise: input name -> tf.TensorSpec, a tf.function
        with an input_signature, or signature name -> tf.function.

        Examples for the answers that are kept come from the held-out split, for inputs that are named like the
        dataset's features; `examples` gives others, or those that are lacking: {"k": 10}. `inputs` says what each input
        is, input name -> image, text, number, category, audio, video, user, …, where that is not the feature's kind.
        `task` is the likes of text-classification; `classes` are the dataset's unless others are given. With a task
        that ends in -classification a model's only answer is called `probabilities` and a `label` comes with it; with
        one that ends in -regression it is called `value`.

        Raises ExportInvalid.
        """
        exporting = Exporting(self.data, self.fed, self.seed)
        served = exporting.served(model, signature, prepare, examples, image_size, task or "", classes)
        target = self._path(self._spec.model)
        values = dict(self.training.metrics if metrics is None else metrics)
        export.export(model, target, exporting.described(served, task, classes, inputs), values)
        self.export_folder(target, values)
        return target

    def export_folder(self, folder: Path, metrics: Mapping[str, float] | None = None) -> None:
        """Make a finished model tree the job's output, one that `export.finish` has completed."""
        self._result.is_there(Exported(str(folder), dict(metrics or {})))

    def evaluated(self, metrics: Mapping[str, float], split: str, examples: int) -> None:
        """In an evaluation: what was found. The report lies in `output("report")`."""
        self._result.is_there(Evaluated(numbers(metrics), split, examples))

    def predicted(self, folder: Path, examples: int) -> None:
        """In a prediction: `folder` holds the answers, a dataset that describes itself."""
        self._result.is_there(Predicted(str(folder), examples))

    @property
    def finished(self) -> bool:
        """Whether there is what the job is for."""
        return self._result.finished

    def keep_reports(self) -> None:
        """What was reported is in the output `run`, whatever comes next."""
        self._board.flush()

    def require_result(self) -> None:
        """Raises ExportInvalid when the code has ended without it."""
        self._result.require(self._spec, self._path(self._spec.code))
