"""Layout lines: files of plain text, one example a line; empty lines are none."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from modelyard.layouts.chunks import Chunk, Column, Problems, in_portions
from modelyard.layouts.description import SPLITS, Description, Feature, Split, SplitRule
from modelyard.layouts.errors import DataUnreadable, DescriptionWrong, FileBroken, LayoutUnknown
from modelyard.layouts.files import Files
from modelyard.layouts.names import split_of_name
from modelyard.layouts.options import Findings
from modelyard.layouts.splitting import HELD_OUT, hash_split
from modelyard.layouts.text_files import Line, lines


def describe(files: Files, paths: Sequence[str], findings: Findings) -> Description:
    """Raises LayoutUnknown and DataUnreadable."""
    by_file = splits_of_files(paths)
    rule = SplitRule("file") if any(by_file.values()) else SplitRule("hash", held_out=HELD_OUT)
    counts: Counter[str] = Counter()
    full = set()
    for split, path, _ in _examples(files, by_file, rule, findings.problems):
        counts[split] += 1
        full.add(path)
    empty = next((path for path in by_file if path not in full), None)
    if empty is not None:
        raise FileBroken(empty, "is empty", reason="EMPTY")
    if not counts["train"]:
        raise LayoutUnknown(
            f"no line belongs to the split 'train': {', '.join(paths[:5])}", reason="NO_TRAINING_EXAMPLES"
        )
    return Description(
        modality="text",
        layout="lines",
        features=(Feature("text", "text", "string"),),
        splits=tuple(Split(name, counts[name]) for name in SPLITS if counts[name]),
        split_rule=rule,
        files=by_file,
    )


def splits_of_files(paths: Sequence[str]) -> dict[str, str]:
    """The split that each file's name speaks of; "" for all where they don't, or speak of one only.

    Raises LayoutUnknown where only some do.
    """
    found = {path: split_of_name(path) for path in sorted(paths)}
    splits = set(found.values())
    if splits == {"train"} or splits == {""}:
        return dict.fromkeys(found, "")
    silent = [path for path, split in found.items() if not split]
    if silent:
        speaking = next(path for path, split in found.items() if split)
        raise LayoutUnknown(
            f"{speaking} names its split, {silent[0]} does not; name all files train…, validation… or test…, or none",
            reason="SPLIT_UNKNOWN",
        )
    return found


def read(description: Description, files: Files, problems: Problems) -> Iterator[Chunk]:
    """Raises DataUnreadable."""
    feature = next((feature for feature in description.features if feature.kind == "text"), None)
    if feature is None:
        raise DescriptionWrong("features", "must have a text, for layout lines")
    found = (
        (split, (path, line))
        for split, path, line in _examples(files, description.files, description.split_rule, problems)
    )
    for split, rows in in_portions(found, lambda row: len(row[1].text)):
        column: Column = [line.place for _, line in rows]
        if None in column:
            column = [line.text for _, line in rows]
        yield Chunk(split, [f"{path}:{line.number}" for path, line in rows], {feature.name: column})


def _examples(
    files: Files, by_file: Mapping[str, str], rule: SplitRule, problems: Problems
) -> Iterator[tuple[str, str, Line]]:
    for path, split in by_file.items():
        if path not in files:
            raise DataUnreadable(path, "is named by the description, but the tree does not have it")
        for line in lines(path, files[path], problems):
            if line.text.strip():
                yield split or hash_split(line.text, rule.held_out), path, line
