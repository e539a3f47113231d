"""Asks a model about every example of a dataset, and makes a dataset of its answers."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.index import Examples
from modelyard.layouts import DESCRIPTION_FILE, Description, to_bytes
from modelyard.layouts.parsing import MAX_FILES
from modelyard.templates.fitting import RECOMMEND, choose, fit
from modelyard.templates.needs import DataSeen, FeatureSeen
from modelyard.templates.predict.answers import Answers
from modelyard.templates.predict.asked import Asked, Part
from modelyard.templates.predict.feeding import Batch, Feed, Rows
from modelyard.templates.predict.unanswered import Unanswered
from modelyard.templates.saved import InputRefused, Saved

MOST_REFUSED = 10
"""Batches without an answer after which a model is taken for one that has none."""


def main() -> None:
    """Part by part, each a file that is complete or not there; outputs/prediction becomes the dataset version."""
    index, params = context.data.index, context.params
    model = Saved(context.model)
    signatures = model.signatures
    data = seen(index.description, context.dataset_version)
    signature = choose(signatures, data, params.signature)
    fitted = fit(signatures[signature], data, kinds=model.kinds)
    user = ""
    if signature == RECOMMEND and data.modality == "interactions" and len(fitted) == 1:
        ((user, feature),) = fitted.items()
    asked = Asked(index, params.split, feature if user else "")
    feed = Feed(signatures[signature], index.features, fitted, about=model.description, scale=params.scale, k=params.k)
    if index.problems:
        print(f"{index.problems:,} rows or files of the dataset are no examples; `modelyard datasets show` names them")
    _Prediction(model, signature, feed, asked, user).run()


def seen(description: Description, version: str) -> DataSeen:
    """The dataset as the rule that fits it to a model sees it."""
    _, _, _, name, _, number = version.split("/") if version else ("", "", "", "the dataset", "", "")
    return DataSeen(
        f"{name}@{number}" if number else name,
        description.modality,
        description.layout,
        tuple(split.name for split in description.splits),
        tuple(FeatureSeen(one.name, one.kind, one.role, one.shape, one.encoding) for one in description.features),
    )


class _Prediction:
    """Goes on behind the parts that an earlier attempt has kept, with the same examples in the same batches as if there
    had been no end: their answers are the same to the last bit."""

    def __init__(self, model: Saved, signature: str, feed: Feed, asked: Asked, user: str) -> None:
        self._model = model
        self._signature = signature
        self._feed = feed
        self._asked = asked
        self._user = user
        self._folder = context.output("prediction")
        self._parts = context.parts(self._folder)
        self._done = 0
        """Of the parts that are complete."""
        self._unanswered = Unanswered()

    def run(self) -> None:
        """Raises DatasetUnsuitable and ModelUnsuitable."""
        size = context.params.part_rows
        if sum(-(-count // size) for count in self._asked.counts.values()) > MAX_FILES:
            raise DatasetUnsuitable(
                f"{self._asked.total:,} rows, {size:,} a file, are over {MAX_FILES:,} files; make part_rows larger",
                field="part_rows",
            )
        answers, files = self._decided(), {}
        for examples, part in self._asked.parts(size):
            self._done += len(part.rows)
            files[part.file] = part.split
            if self._done <= self._parts.done:
                self._unanswered.add_file(self._folder / part.file)
            else:
                self._write(examples, part, answers)
                self._parts.keep(self._done)
        made = {"by": "modelyard predict", "model": context.model_version, "dataset": context.dataset_version}
        description = answers.description(files, self._asked.counts, made)
        (self._folder / DESCRIPTION_FILE).write_bytes(to_bytes(description))
        self._unanswered.say(context, self._asked.total)
        context.predicted(self._folder, self._asked.total)

    def _decided(self) -> Answers:
        """What the answers look like, by the first examples that have one: also where an earlier attempt was that far.

        Raises ModelUnsuitable where none has.
        """
        refused, problem = 0, ""
        for examples, batch in self._first_ones():
            outputs, problems = self._ask(batch)
            if outputs:
                count = (len(batch.rows) - len(problems)) // len(outputs)
                declared = self._model.outputs[self._signature]
                return Answers(outputs[0], declared, count, self._model.classes, user=self._user)
            refused += len(batch.problems) < len(batch.rows)
            problem = problem or f"{examples.origin(int(batch.rows[0]))}: {problems[0]}"
            if refused == MOST_REFUSED:
                break
        raise ModelUnsuitable(f"no example has an answer; the first one, {problem}")

    def _first_ones(self) -> Iterator[tuple[Examples, Batch]]:
        """As many as somebody wants to look at."""
        size = context.params.batch_size
        for examples, part in self._asked.parts(size):
            for span in self._feed.spans(examples, part.rows, size):
                yield examples, self._feed.batch(examples, span)

    def _write(self, examples: Examples, part: Part, answers: Answers) -> None:
        """The part's file, complete or not there."""
        partial = self._folder.with_name(".part")
        origins = examples.origins(int(part.rows[0]))
        at, before = int(part.rows[0]), self._done - len(part.rows)
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            for batch in self._batches(examples, part.rows):
                outputs, problems = self._ask(batch)
                named = []
                for row in batch.rows.tolist():
                    named.append(next(islice(origins, row - at, None)))
                    at = row + 1
                users = batch.inputs[self._user].tolist() if self._user else ()
                file.write(answers.lines(part.split, named, outputs, problems, users))
                for place in sorted(problems):
                    self._unanswered.add(named[place], problems[place])
                before += len(named)
                if self._parts.stopping:
                    self._parts.keep(self._done - len(part.rows))
                context.progress(before, self._asked.total)
        partial.rename(self._folder / part.file)

    def _batches(self, examples: Examples, rows: Rows) -> Iterator[Batch]:
        """The next one is read and decoded while the model is asked about one."""
        spans = self._feed.spans(examples, rows, context.params.batch_size)
        with ThreadPoolExecutor(1, "feed") as pool:
            waiting = pool.submit(self._feed.batch, examples, next(spans))
            for span in spans:
                batch, waiting = waiting.result(), pool.submit(self._feed.batch, examples, span)
                yield batch
            yield waiting.result()

    def _ask(self, batch: Batch) -> tuple[list[Mapping[str, NDArray[Any]]], Mapping[int, str]]:
        """The answers, and what is wrong with the examples that have none, by their places. Where the model fails on a
        batch, it is asked about each example by itself: its answers, which may be of different sizes, are then apart
        too."""
        places = [place for place in range(len(batch.rows)) if place not in batch.problems]
        if not places:
            return [], batch.problems
        try:
            return [self._model.ask(self._signature, batch.inputs)], batch.problems
        except InputRefused:
            found: list[Mapping[str, NDArray[Any]]] = []
            problems = dict(batch.problems)
            for number, place in enumerate(places):
                one = {
                    name: values[number : number + 1] if values.ndim else values
                    for name, values in batch.inputs.items()
                }
                try:
                    found.append(self._model.ask(self._signature, one))
                except InputRefused as error:
                    problems[place] = error.message
            return found, problems
