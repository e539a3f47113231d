"""Asks a model about every example of a split and reports how it does."""

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.templates.evaluate import document, page, task
from modelyard.templates.evaluate.classification import Classification
from modelyard.templates.evaluate.document import About
from modelyard.templates.evaluate.matching import match
from modelyard.templates.evaluate.mistakes import Mistakes
from modelyard.templates.evaluate.model import Model
from modelyard.templates.evaluate.regression import Regression
from modelyard.templates.evaluate.task import Reading


def main() -> None:
    """One pass over the split, batch by batch; outputs/report gets evaluation.json and report.html."""
    params = context.params
    split = params.split if params.split != "held-out" else context.held_out or "train"
    examples = context.splits.get(split, 0)
    if not examples:
        raise DatasetUnsuitable(
            f"split {split!r} has no examples; the dataset has "
            + ", ".join(f"{name} ({count})" for name, count in context.splits.items()),
            field="split",
        )
    model = Model(context.model, params.output)
    side = model.takes.side
    model.takes.check(context.image_shape(side))
    batches = context.dataset(split, batch_size=params.batch_size, image_size=side, shuffle=False).as_numpy_iterator()
    judge = _Judge(model)
    began = time.monotonic()
    for images, labels in batches:
        judge.add(images, labels)
        context.progress(judge.done, examples)
    about = About(
        split,
        judge.done,
        judge.reading.value,
        model.output,
        time.monotonic() - began,
        context.model_version,
        context.dataset_version,
        datetime.now(UTC).isoformat(timespec="seconds"),
        model.drawn_with if judge.draws else (),
    )
    found = judge.document(about)
    folder = context.output("report")
    document.write(folder / "evaluation.json", found)
    (folder / "report.html").write_text(page.render(found), encoding="utf-8")
    print(f"{split}: " + ", ".join(f"{name} {value:.4g}" for name, value in found["metrics"].items()))
    context.evaluated(found["metrics"], split, judge.done)


class _Judge:
    """What is counted follows from the first answers."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.done = 0
        self.reading = Reading.PROBABILITIES
        self.draws = False
        """Whether it has answered the first batch differently when it was asked again."""
        self._classification: Classification | None = None
        self._regression: Regression | None = None
        self._mistakes = Mistakes(context.params.mistakes)
        self._values: NDArray[np.float64] = np.zeros(0)

    def add(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        answers = self.model.ask(images, context.params.scale)
        if not self.done:
            self._begin(answers)
            if self.model.drawn_with:
                self.draws = not np.array_equal(answers, self.model.ask(images, context.params.scale), equal_nan=True)
        if self._regression is not None:
            self._regression.add(self._values[labels], task.finite(answers, self.done)[:, 0])
        elif self._classification is not None:
            judged = self._classification.add(labels, task.probabilities(self.reading, answers, self.done))
            self._mistakes.add(self.done, images, labels, judged)
        self.done += len(labels)

    def _begin(self, answers: NDArray[np.float64]) -> None:
        params = context.params
        self.reading = task.choose(params.task, params.outputs, answers, context.classes)
        if self.reading is Reading.NUMBER:
            self._values = task.numbers(context.classes)
            self._regression = Regression()
            return
        width = task.probabilities(self.reading, answers, 0).shape[1]
        self._classification = Classification(match(context.classes, self.model.classes, width), params.bins)

    def document(self, about: About) -> dict[str, Any]:
        """evaluation.json's content."""
        if self._regression is not None:
            return document.of_regression(about, self._regression)
        assert self._classification is not None
        return document.of_classification(
            about,
            self._classification,
            self._mistakes.worst,
            lambda example: context.example_path(about.split, example),
        )
