"""A model's answers as lines of JSON, an object an example, and as the dataset that these files are.

{"split":"test","origin":"test/7/00012.png","label":"7","probability":0.998,"probabilities":[…],"error":null}

split, origin    where the example comes from: a path of the dataset, `path:line` for a row
…                each output by its name; a list where an example may have several values
label            the likeliest class, where the model names its classes and does not answer it by itself
probability      of that class, where there are `probabilities`
error            why the model was not asked about this example; the answers are null then

Floats have as few digits as tell them from their neighbours of the same type; what is no finite number is null.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import ModelUnsuitable
from modelyard.layouts import Description, Feature, Split, SplitRule, Table
from modelyard.layouts.names import feature_names

LABEL, PROBABILITY, PROBABILITIES = "label", "probability", "probabilities"
_OURS = ("split", "origin", "error")
_NULL = "null"


@dataclass(frozen=True, slots=True)
class Column:
    """One thing that is said of every example."""

    name: str
    kind: str
    """As layouts have it: category, number, text, id."""
    cells: Callable[[Mapping[str, NDArray[Any]]], Sequence[str]]
    """Its values in JSON, of a batch's outputs."""


class Answers:
    """What the lines look like; decided by the signature and the outputs of the first batch, and the same for all."""

    def __init__(
        self,
        first: Mapping[str, NDArray[Any]],
        declared: Mapping[str, tuple[int, ...] | None],
        count: int,
        classes: Sequence[str],
        *,
        user: str = "",
    ) -> None:
        """`declared` are the outputs' shapes in the signature; `count` examples were asked; `user` is the input that a
        line is about, where lines are users.

        Raises ModelUnsuitable for outputs that are no answers, one an example.
        """
        # Beside boxes scores are theirs, and not the classes'.
        wide = [name for name, values in first.items() if _is_scores(values, classes) and "boxes" not in first]
        columns = []
        if wide and LABEL not in first:
            columns.append(Column(LABEL, "category", _best(wide[0], classes)))
        if PROBABILITIES in wide and PROBABILITY not in first:
            columns.append(Column(PROBABILITY, "number", _largest(PROBABILITIES)))
        outputs = sorted(first, key=lambda name: (name != LABEL, name != PROBABILITY))
        taken = [*_OURS, *([user] if user else []), *(each.name for each in columns)]
        names = feature_names([*taken, *outputs])[len(taken) :]
        for output, name in zip(outputs, names, strict=True):
            columns.append(_column(output, name, first[output], declared.get(output), count))
        self._first = {output: values.shape[1:] for output, values in first.items()}
        self._user = user
        self._columns = sorted(columns, key=lambda each: (each.name != LABEL, each.name != PROBABILITY))

    def lines(
        self,
        split: str,
        origins: Sequence[str],
        outputs: Sequence[Mapping[str, NDArray[Any]]],
        problems: Mapping[int, str],
        users: Sequence[bytes] = (),
    ) -> str:
        """A batch's: `outputs` are of the examples without a problem, in order: of all together, or one by one."""
        for some in outputs:
            self._check(some, (len(origins) - len(problems)) // len(outputs))
        head = f'{{"split":"{split}","origin":'
        found = [(f',"{each.name}":', chain.from_iterable(map(each.cells, outputs))) for each in self._columns]
        nothing = "".join(f"{key}{_NULL}" for key, _ in found)
        lines = []
        for place, origin in enumerate(origins):
            who = f',"{self._user}":{_text(users[place])}' if self._user else ""
            if place in problems:
                said, error = nothing, _quoted(problems[place])
            else:
                said, error = "".join([key + next(cells) for key, cells in found]), _NULL
            lines.append(f'{head}{_quoted(origin)}{who}{said},"error":{error}}}\n')
        return "".join(lines)

    def description(
        self, files: Mapping[str, str], examples: Mapping[str, int], made: Mapping[str, Any]
    ) -> Description:
        """Of the dataset: file -> split, split -> examples, and what made it."""
        ours = [Feature("split", "category", "string", (), "ignore"), Feature("origin", "id", "string", (), "ignore")]
        if self._user:
            ours.append(Feature(self._user, "id", "string"))
        ours += [
            Feature(each.name, each.kind, "float32" if each.kind == "number" else "string") for each in self._columns
        ]
        return Description(
            modality="table",
            layout="table",
            features=(*ours, Feature("error", "text", "string", (), "ignore")),
            splits=tuple(Split(name, count) for name, count in examples.items() if count),
            split_rule=SplitRule("file"),
            files=dict(files),
            table=Table("jsonl"),
            generated=dict(made),
        )

    def _check(self, outputs: Mapping[str, NDArray[Any]], count: int) -> None:
        for name, shape in self._first.items():
            values = outputs[name]
            if not values.ndim or len(values) != count or len(values.shape) != len(shape) + 1:
                raise _no_answers(name, values, count)


def _no_answers(output: str, values: NDArray[Any], count: int) -> ModelUnsuitable:
    return ModelUnsuitable(
        f"the model's output {output!r} is {list(values.shape)} for {count} examples; it must be one answer an example"
    )


def _is_scores(values: NDArray[Any], classes: Sequence[str]) -> bool:
    return len(classes) > 1 and values.ndim == 2 and values.shape[1] == len(classes) and values.dtype.kind == "f"


def _best(output: str, classes: Sequence[str]) -> Callable[[Mapping[str, NDArray[Any]]], Sequence[str]]:
    names = [_quoted(name) for name in classes]
    return lambda outputs: [names[number] for number in outputs[output].argmax(1).tolist()]


def _largest(output: str) -> Callable[[Mapping[str, NDArray[Any]]], Sequence[str]]:
    return lambda outputs: _numbers(outputs[output].max(1))


def _column(output: str, name: str, values: NDArray[Any], declared: tuple[int, ...] | None, count: int) -> Column:
    """A list of one is its value only where the model says that there is never more than one."""
    if not values.ndim or len(values) != count:
        raise _no_answers(output, values, count)
    cell = _cells_of(output, values)
    if values.ndim == 1 or (values.ndim == 2 and (declared or ())[1:] == (1,)):
        text = "category" if name == LABEL else "text"
        kind = {"f": "number", "i": "number", "u": "number", "b": "category"}.get(values.dtype.kind, text)
        return Column(name, kind, lambda outputs: cell(outputs[output].reshape(len(outputs[output]))))
    if values.ndim == 2:
        return Column(name, "text", lambda outputs: _lists(outputs[output], cell))
    return Column(name, "text", lambda outputs: _nested(outputs[output], cell))


def _cells_of(output: str, values: NDArray[Any]) -> Callable[[NDArray[Any]], list[str]]:
    """What makes a vector of such values a list of JSON texts."""
    match values.dtype.kind:
        case "O" | "S" | "U":
            return lambda flat: [_text(value) for value in flat.tolist()]
        case "b":
            return lambda flat: ["true" if value else "false" for value in flat.tolist()]
        case "i" | "u" | "f":
            return _numbers
    if "float" in values.dtype.name:
        return lambda flat: _numbers(flat.astype(np.float32))
    raise ModelUnsuitable(f"the model's output {output!r} is {values.dtype.name}, which a table can't hold")


def _numbers(flat: NDArray[Any]) -> list[str]:
    texts: list[str] = flat.astype("U32").tolist()
    if flat.dtype.kind == "f" and not (good := np.isfinite(flat)).all():
        texts = [text if fine else _NULL for text, fine in zip(texts, good.tolist(), strict=True)]
    return texts


def _lists(values: NDArray[Any], cells: Callable[[NDArray[Any]], list[str]]) -> list[str]:
    if not values.size:
        return [json.dumps(each) for each in values.tolist()]
    flat, width = cells(values.ravel()), values.shape[1]
    return [f"[{','.join(flat[start : start + width])}]" for start in range(0, len(values) * width, width)]


def _nested(values: NDArray[Any], cells: Callable[[NDArray[Any]], list[str]]) -> list[str]:
    """Of more dimensions, such as boxes: [[x, y, x, y], …]."""
    if values.ndim == 2 or not values.size:
        return _lists(values, cells)
    inner = _nested(values.reshape(-1, *values.shape[2:]), cells)
    width = values.shape[1]
    return [f"[{','.join(inner[start : start + width])}]" for start in range(0, len(values) * width, width)]


def _text(value: Any) -> str:
    return _quoted(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
