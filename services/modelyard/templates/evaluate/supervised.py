"""A model that answers a class or a number for each example, of whatever modality, is compared with the truth."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.left_out import NAMED
from modelyard.job.session import Context
from modelyard.templates.evaluate import controls, document, floors, task
from modelyard.templates.evaluate.asking import Asked, Asking
from modelyard.templates.evaluate.classification import Classification
from modelyard.templates.evaluate.document import About
from modelyard.templates.evaluate.exhibits import exhibit
from modelyard.templates.evaluate.matching import Matching, match
from modelyard.templates.evaluate.mistakes import Mistakes
from modelyard.templates.evaluate.regression import Regression
from modelyard.templates.evaluate.task import Reading
from modelyard.templates.needs import DataSeen
from modelyard.templates.saved import Saved

Answers = NDArray[np.float64]


def evaluate(context: Context, model: Saved, split: str, data: DataSeen, about: About) -> dict[str, Any]:
    """One pass over the split, batch by batch, then the controls; evaluation.json's content. Raises ModelUnsuitable,
    DatasetUnsuitable and DatasetNotForModel."""
    params, index = context.params, context.data.index
    asking = Asking(model, index, split, data, output=params.output, scale=params.scale)
    judge: Classes | Numbers | None = None
    draws = False
    judged = 0
    for asked in asking.batches(params.batch_size):
        if len(asked.rows):
            answers = asking.ask(asked.inputs)
            if judge is None:
                judge = _judge(context, asking, asked, answers)
                if model.drawn_with:
                    draws = not np.array_equal(answers, asking.ask(asked.inputs), equal_nan=True)
            judge.add(asked, answers)
        judged += len(asked.rows)
        context.progress(judged + asking.left_out.total(), len(asking.examples))
    if asking.unreadable:
        context.data.left_out.add(asking.examples, asking.unreadable)
    if judge is None:
        reasons = ", ".join(f"{count:,} {why}" for why, count in asking.left_out.items())
        raise DatasetUnsuitable(f"no example of split {split!r} can be judged: {reasons}", field="split")
    about = about.told(
        examples=judge.examples,
        read_as=judge.reading.value,
        output=asking.output,
        random=model.drawn_with if draws else (),
    )
    return judge.document(about) | {
        "inputs": {name: feature.kind for name, feature in asking.features.items()},
        "left_out": dict(asking.left_out),
        "unreadable": [
            {"path": asking.examples.origin(row), "reason": reason}
            for row, reason in sorted(asking.unreadable.items())[:NAMED]
        ],
        "problems": index.problems,
        **_controls(context, asking, judge),
    }


def _judge(context: Context, asking: Asking, asked: Asked, answers: Answers) -> "Classes | Numbers":
    params = context.params
    if asking.target.kind == "number":
        if params.task == "classification" or answers.shape[1] != 1:
            raise ModelUnsuitable(
                f"the target {asking.target.name!r} is a number; the model gives {answers.shape[1]} values an example",
                field="task",
            )
        return Numbers(context, asking)
    classes = asking.target.classes
    reading = task.choose(params.task, params.outputs, answers, classes)
    if reading is Reading.NUMBER:
        return Numbers(context, asking, task.numbers(classes))
    width = task.probabilities(reading, answers, asked.rows).shape[1]
    return Classes(context, asking, reading, match(classes, asking.model.classes or None, width))


def _controls(context: Context, asking: Asking, judge: "Classes | Numbers") -> dict[str, Any]:
    sample, size = controls.sample(asking), context.params.batch_size
    if not len(sample.rows):
        return {}
    shuffled = controls.shuffles(asking, sample, judge.figure, judge.metric, size)
    metric = "auc" if "auc" in judge.figure(sample, asking.ask_all(sample.inputs, size)) else judge.metric
    swapped = controls.importance(asking, sample, judge.figure, metric, size)
    return {"controls": shuffled} | ({"importance": swapped} if swapped else {})


def _training(context: Context, asking: Asking) -> tuple[NDArray[Any], str]:
    """The known targets of training, else of what is judged, and the split's name."""
    index = context.data.index
    examples = index.split("train") if index.splits.get("train") else asking.examples
    values = np.asarray(examples.column(asking.target.name).values).reshape(-1)
    known = np.isfinite(values) if asking.target.kind == "number" else values >= 0
    return values[known], examples.name


class Classes:
    """Counts classes."""

    metric = "accuracy"

    def __init__(self, context: Context, asking: Asking, reading: Reading, matching: Matching) -> None:
        self.reading = reading
        self._context = context
        self._asking = asking
        self._matching = matching
        self._found = Classification(matching, self._context.params.bins)
        pictures = any(feature.kind in ("image", "audio", "video") for feature in asking.features.values())
        # Texts and rows are read class by class; the worst pictures and sounds are looked at side by side.
        self._mistakes = Mistakes(self._context.params.mistakes, 1 if pictures else len(asking.target.classes))

    @property
    def examples(self) -> int:
        return self._found.examples

    def add(self, asked: Asked, answers: Answers) -> None:
        """A batch."""
        probabilities = task.probabilities(self.reading, answers, asked.rows)
        self._mistakes.add(asked.rows, asked.truth, self._found.add(asked.truth, probabilities))

    def figure(self, asked: Asked, answers: Answers) -> Mapping[str, float]:
        """Metrics of these examples alone."""
        found = Classification(self._matching, self._context.params.bins)
        found.add(asked.truth, task.probabilities(self.reading, answers, asked.rows))
        return found.metrics()

    def document(self, about: About) -> dict[str, Any]:
        """evaluation.json's content, without the controls."""
        training, source = _training(self._context, self._asking)
        names = self._asking.target.classes
        judged = np.array([each.support for each in self._found.classes()[: len(names)]], np.int64)
        made = document.of_classification(
            about, self._found, self._mistakes.worst, lambda row: _shown(self._asking, row)
        )
        reached = floors.of_classes(np.bincount(training, minlength=len(names)), judged, names, source)
        made["floors"] = {name: floor for name, floor in reached.items() if name in made["metrics"]}
        return made


class Numbers:
    """Measures distances."""

    metric = "rmse"
    reading = Reading.NUMBER

    def __init__(self, context: Context, asking: Asking, values: NDArray[np.float64] | None = None) -> None:
        """`values`: the numbers that classes stand for, where the target is a category."""
        self._context = context
        self._asking = asking
        self._values = values
        self._found = Regression()
        self._rows: list[NDArray[np.int64]] = []

    @property
    def examples(self) -> int:
        return self._found.examples

    def _true(self, truth: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(truth if self._values is None else self._values[truth], np.float64)

    def add(self, asked: Asked, answers: Answers) -> None:
        """A batch."""
        self._found.add(self._true(asked.truth), task.finite(answers, asked.rows)[:, 0])
        self._rows.append(asked.rows)

    def figure(self, asked: Asked, answers: Answers) -> Mapping[str, float]:
        """Metrics of these examples alone."""
        found = Regression()
        found.add(self._true(asked.truth), task.finite(answers, asked.rows)[:, 0])
        return found.metrics()

    def document(self, about: About) -> dict[str, Any]:
        """evaluation.json's content, without the controls."""
        training, source = _training(self._context, self._asking)
        rows = np.concatenate(self._rows)
        made = document.of_regression(
            about, self._found, rows, self._context.params.mistakes, lambda row: _shown(self._asking, row)
        )
        made["floors"] = floors.of_numbers(self._true(training), self._found.true, source)
        made["target"] = self._asking.target.name
        return made


def _shown(asking: Asking, row: int) -> dict[str, Any]:
    features = {feature.name: feature for feature in asking.features.values()}
    return exhibit(asking.examples, features.values(), row)
