"""The pairs of texts that are learnt from, and what is wrong with some."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.left_out import as_list
from modelyard.job.session import Context
from modelyard.templates.sequences.tokens import cut_all
from modelyard.templates.sequences.vocabulary import Keys, Vocabulary

Texts = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Names:
    """The features of a pair."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """Of one split: those that have something on both sides."""

    source: Texts
    target: Texts
    source_tokens: Sequence[Sequence[bytes]]
    target_tokens: Sequence[Sequence[bytes]]

    def __len__(self) -> int:
        return len(self.source)

    def some(self, rows: NDArray[np.int64]) -> "Pairs":
        """These, in order."""
        tokens = ([of[row] for row in rows.tolist()] for of in (self.source_tokens, self.target_tokens))
        return Pairs(self.source[rows], self.target[rows], *tokens)

    def unseen(self, train: "Pairs", most: int) -> "Pairs":
        """At most so many, evenly spread, of those whose source is none of `train`'s."""
        seen = set(train.source.tolist())
        rows = np.array([row for row, text in enumerate(self.source.tolist()) if text not in seen], np.int64)
        if len(rows) > most:
            rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
        return self.some(rows)


def names(context: Context, template: str, asked: str) -> Names:
    """The text that is read, the one asked for or the only one, and the only one that is written. Raises
    DatasetUnsuitable."""
    all_of = context.features.values()
    sources = [feature.name for feature in all_of if feature.kind == "text" and feature.role == "input"]
    targets = [feature.name for feature in all_of if feature.kind == "text" and feature.role == "target"]
    if len(targets) != 1:
        there = f": {', '.join(targets)}" if targets else ""
        raise DatasetUnsuitable(
            f"{template} learns to write one text, and the dataset has {len(targets)} as targets{there}; say which "
            "with modelyard datasets push … --target NAME"
        )
    if asked and asked not in sources:
        raise DatasetUnsuitable(
            f"the dataset has no text {asked!r}; it has {', '.join(sources)}", field="parameters.text"
        )
    if not asked and len(sources) != 1:
        raise DatasetUnsuitable(
            f"the dataset has {len(sources)} texts ({', '.join(sources)}); say which one to read: --set "
            f"text={sources[0] if sources else 'NAME'}",
            field="parameters.text",
        )
    return Names(asked or sources[0], targets[0])


def load(context: Context, split: str, names: Names) -> Pairs:
    """Pairs with an empty side are left out and named. Raises DatasetUnsuitable where none of `train` is left; of what
    is held out none may be."""
    given, wanted = context.arrays(split, columns=[names.source, names.target])
    source, target = cut_all(given), cut_all(wanted)
    whole = np.array([bool(one and other) for one, other in zip(source, target, strict=True)], bool)
    for name, of in ((names.source, source), (names.target, target)):
        if split == "train" and of and not any(of):
            raise DatasetUnsuitable(f"the text {name!r} is empty in all {len(of):,} rows of split {split!r}")
    if not whole.all():
        sides = {int(row): names.target if source[row] else names.source for row in np.flatnonzero(~whole)}
        lines = [f"{context.example_path(split, row)} has no token in {side!r}" for row, side in sides.items()]
        head = f"{len(lines):,} of the {len(whole):,} pairs of split {split} are left out:"
        context.report_text(f"not learnt of {split}", as_list(head, lines, len(lines)))
    if split == "train" and not whole.any():
        raise DatasetUnsuitable(f"no pair of split {split!r} has both a {names.source!r} and a {names.target!r}")
    return Pairs(np.asarray(given), np.asarray(wanted), source, target).some(np.flatnonzero(whole))


def numbered(
    pairs: Pairs, sources: Vocabulary, targets: Vocabulary, most_source: int, most_target: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `Network` learns from them."""
    keys = Keys()
    given = {
        "source": sources.numbers(pairs.source_tokens, most_source),
        "source_key": keys.numbers(pairs.source_tokens, most_source),
    }
    wanted = {
        "target": targets.numbers(pairs.target_tokens, most_target),
        "target_key": keys.numbers(pairs.target_tokens, most_target),
    }
    return given, wanted
