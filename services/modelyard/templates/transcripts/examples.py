"""Which examples CTC can learn, and why not the others: these are named, and the rest goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.left_out import as_list
from modelyard.job.session import Context
from modelyard.templates.transcripts.alphabet import Alphabet
from modelyard.templates.transcripts.ctc import steps_needed


@dataclass(frozen=True, slots=True)
class Learnable:
    """Those of a split's examples that can be learnt."""

    inputs: NDArray[Any]
    """Of all examples of the split: what is mapped stays a file."""
    rows: NDArray[np.int64]
    """[n], into `inputs`."""
    labels: NDArray[np.int32]
    """[n, longest]."""

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, context: Context, batch_size: int, *, is_training: bool) -> Any:
        """As Keras takes them."""
        return context.data.ordered_rows(self.inputs, self.rows, self.labels, batch_size, is_training=is_training)


def texts_of(values: NDArray[np.object_]) -> list[str]:
    """As Unicode; bytes that are none show as �."""
    return [value.decode("utf-8", "replace").strip() for value in values]


def features(context: Context, kind: str) -> tuple[str, str]:
    """The input of this kind and the text that is learnt. Raises DatasetUnsuitable."""
    all_of = context.features.values()
    inputs = [feature.name for feature in all_of if feature.kind == kind and feature.role == "input"]
    texts = [feature.name for feature in all_of if feature.kind == "text" and feature.role == "target"]
    for what, found in ((f"input of kind {kind}", inputs), ("text as its target", texts)):
        if len(found) != 1:
            there = f": {', '.join(found)}" if found else ""
            raise DatasetUnsuitable(f"one {what} is needed, and the dataset has {len(found)}{there}")
    return inputs[0], texts[0]


def learnable(
    context: Context,
    split: str,
    inputs: NDArray[Any],
    texts: Sequence[str],
    alphabet: Alphabet,
    steps: int,
    *,
    wider: str,
    cut: NDArray[np.bool_] | None = None,
) -> Learnable:
    """The examples that can be learnt in so many steps. `wider` says what gives more of them; `cut` marks inputs that
    end before their transcript does. Raises DatasetUnsuitable where half of what is trained on or more can't: a model
    can be judged by what is left."""
    problems = {
        row: problem
        for row, text in enumerate(texts)
        if (problem := _problem(text, alphabet, steps, wider, cut is not None and bool(cut[row])))
    }
    if problems:
        _tell(context, split, problems, len(texts))
    rows = [row for row in range(len(texts)) if row not in problems]
    return Learnable(inputs, np.array(rows, np.int64), alphabet.numbers([texts[row] for row in rows]))


def _problem(text: str, alphabet: Alphabet, steps: int, wider: str, cut: bool) -> str:
    if cut:
        return "is longer than what is heard of it, so its transcript says more"
    if symbol := alphabet.lacks(text):
        return f"has the transcript {text[:40]!r} with {symbol!r}, which the alphabet lacks"
    if (needed := steps_needed(text)) > steps:
        return f"has the transcript {text[:40]!r}, which needs {needed} steps of time; the network has {steps}: {wider}"
    return ""


def _tell(context: Context, split: str, problems: dict[int, str], count: int) -> None:
    named = [f"{context.example_path(split, row)} {problem}" for row, problem in problems.items()]
    if split == "train" and 2 * len(problems) >= count:
        raise DatasetUnsuitable(
            f"{len(problems):,} of {count:,} examples of split {split!r} can't be learnt; {named[0]}",
            split=split,
            example=context.example_path(split, next(iter(problems))),
        )
    unjudged = "" if len(problems) < count else "; nothing is judged while training"
    head = f"{len(problems):,} of {count:,} examples of split {split} are left out{unjudged}:"
    context.report_text(f"not learnt of {split}", as_list(head, named, len(named)))
