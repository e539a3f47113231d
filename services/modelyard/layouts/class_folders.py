"""Layout class_folders: a folder a class, `cat/1.png`, or `train/cat/1.png` beside `test/cat/2.png`.

Files at the root, and folders that begin with a dot, are no examples.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from modelyard.layouts import media, names
from modelyard.layouts.chunks import Chunk, Column, Problems, in_portions
from modelyard.layouts.description import SPLITS, Description, Feature, Split, SplitRule
from modelyard.layouts.errors import DataUnreadable, DescriptionWrong, LayoutUnknown
from modelyard.layouts.files import Files, Range
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.options import Findings
from modelyard.layouts.splitting import HELD_OUT, hash_split

KINDS = {"image": "an image", "audio": "a sound", "video": "a video", "text": "a text"}
_REASONS = {"image": "IMAGE", "audio": "AUDIO", "video": "VIDEO", "text": "TEXT"}


def in_folders(paths: Iterable[str]) -> list[str]:
    """Sorted; notes at the top, and what is hidden there, are no examples."""
    return sorted(path for path in paths if "/" in path and not path.startswith("."))


def describe(files: Files, kind: str, findings: Findings) -> Description:
    """Raises LayoutUnknown (a sentence that says what was seen) and DataUnreadable."""
    paths = in_folders(files)
    mine = [path for path in paths if media.is_kind(kind, path)]
    others = [path for path in paths if not media.is_kind(kind, path)]
    _check_most(kind, mine, others)
    by_folder = _splits_are_folders(mine, kind)
    rule = SplitRule("folder") if by_folder else SplitRule("hash", held_out=HELD_OUT)
    counts: Counter[str] = Counter()
    encodings: Counter[str] = Counter()
    classes: set[str] = set()
    shape: tuple[int | None, ...] | None = None
    for path in mine:
        try:
            encoding, found = media.look(kind, files[path])
        except UnusableError as problem:
            findings.problems.add(path, 0, str(problem))
            continue
        split, label = _place(rule, path)
        counts[split] += 1
        classes.add(label)
        encodings[encoding] += 1
        shape = found if shape is None else media.merged(shape, found)
    _check_usable(kind, mine, findings.problems)
    for path in others:
        findings.problems.add(path, 0, _other(kind))
    if len(classes) < 2:
        raise LayoutUnknown(
            f"there is one class only, {min(classes)!r}; a folder for each class is needed, at least two",
            reason="ONE_CLASS",
        )
    if not counts["train"]:
        raise LayoutUnknown(
            f"no {KINDS[kind].split()[1]} belongs to the split 'train'; add some to it", reason="NO_TRAINING_EXAMPLES"
        )
    dtype = "uint8" if kind == "image" else "string"
    return Description(
        modality=kind,
        layout="class_folders",
        features=(
            Feature(kind, kind, dtype, shape or (), encoding=encodings.most_common(1)[0][0]),
            Feature("label", "category", "int64", role="target", classes=tuple(sorted(classes))),
        ),
        splits=tuple(Split(name, counts[name]) for name in SPLITS if counts[name]),
        split_rule=rule,
    )


def _check_most(kind: str, mine: Sequence[str], others: Sequence[str]) -> None:
    """A note or a list among the images is left out; where they are not even most, something else is wrong."""
    if mine and len(others) >= len(mine):
        more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
        raise LayoutUnknown(
            f"{others[0]!r}{more} beside {len(mine):,} others {_other(kind)}. "
            "Move it to the top of the folder, or remove it",
            reason=f"NOT_A{'N' if kind[0] in 'ai' else ''}_{_REASONS[kind]}",
        )


def _other(kind: str) -> str:
    word = KINDS[kind].split()[1]
    return f"is no {word}; {word}s are {', '.join(media.SUFFIXES[kind])}"


def _splits_are_folders(paths: Sequence[str], kind: str) -> bool:
    """True for train/class/image.png, False for class/image.png; anything else is said."""
    depths = Counter(path.count("/") for path in paths)
    tops = {path.split("/")[0] for path in paths}
    example = f"class/{kind}{next(iter(media.SUFFIXES[kind]))}"
    # Beside a folder that is none of a split, such as docs/, those of splits have not got the names that readers know.
    named = all(top.lower() in names.SPLIT_ALIASES for top in tops)
    if set(depths) == {2} and named:
        return True
    if set(depths) == {1} and named:
        raise LayoutUnknown(f"{paths[0]!r} is in a split but in no class; expected train/{example}")
    if set(depths) == {1}:
        return False
    odd = next((path for path in paths if path.count("/") != 1), paths[0])
    found = " and ".join(f"{depth} folders deep ({count:,})" for depth, count in sorted(depths.items()))
    raise LayoutUnknown(
        f"{KINDS[kind].split()[1]}s lie {found}, such as {odd!r}; expected all as {example}, or all as train/{example} "
        f"and test/{example}"
    )


def _check_usable(kind: str, mine: Sequence[str], problems: Problems) -> None:
    """Some files that can't be used are left out; where it is half of them, something else is wrong."""
    if 2 * problems.count < len(mine):
        return
    first = problems.kept[0]
    more = f" (nor can {problems.count - 1:,} more of {len(mine):,})" if problems.count > 1 else ""
    raise DataUnreadable(
        first.path,
        f"is not {KINDS[kind]} that can be read: it {first.reason}{more}; remove it or save it again",
        reason=f"{_REASONS[kind]}_UNREADABLE",
    )


def _place(rule: SplitRule, path: str) -> tuple[str, str]:
    """Split and class."""
    first, *rest = path.split("/")
    if rule.by == "hash":
        return hash_split(path, rule.held_out), first
    split = names.SPLIT_ALIASES.get(first.lower())
    if split is None or len(rest) < 2:
        raise DataUnreadable(
            path, "is not under train/, validation/ or test/ and a class, as the split rule 'folder' says"
        )
    return split, rest[0]


@dataclass(frozen=True, slots=True)
class _Example:
    path: str
    label: int
    text: bytes | None


def read(description: Description, files: Files, problems: Problems) -> Iterator[Chunk]:
    """Raises DataUnreadable for a folder that is no class, or an image of another size than is claimed."""
    content = next((feature for feature in description.features if feature.kind in KINDS), None)
    label = next((feature for feature in description.targets if feature.kind == "category"), None)
    if content is None or label is None:
        raise DescriptionWrong("features", "must have the files' own and a label, for layout class_folders")
    found = _examples(description, files, content, label, problems)
    for split, examples in in_portions(found, lambda example: len(example.text or b"")):
        yield _chunk(split, examples, content, label, files)


def _examples(
    description: Description, files: Files, content: Feature, label: Feature, problems: Problems
) -> Iterator[tuple[str, _Example]]:
    labels = {name: number for number, name in enumerate(label.classes)}
    claimed = description.examples
    for path in in_folders(files):
        if not media.is_kind(content.kind, path):
            problems.add(path, 0, _other(content.kind))
            continue
        split, name = _place(description.split_rule, path)
        text, shape = None, None
        try:
            if content.kind == "text":
                text = media.read_text(files[path])
            else:
                _, shape = media.look(content.kind, files[path])
        except UnusableError as problem:
            problems.add(path, 0, str(problem))
            continue
        if name not in labels:
            raise DataUnreadable(
                path, f"is in folder {name!r}, which is no class; the description claims {_named(labels)}"
            )
        if split not in claimed:
            raise DataUnreadable(path, f"is of split {split!r}, which the description does not claim")
        if shape is not None:
            check_shape(path, shape, content)
        yield split, _Example(path, labels[name], text)


def check_shape(path: str, shape: tuple[int | None, ...], content: Feature) -> None:
    """Raises DataUnreadable for an image that is not of the size that the description claims for all."""
    for name, found, claimed in zip(("high", "wide"), shape, content.shape, strict=False):
        if claimed is not None and found != claimed:
            raise DataUnreadable(path, f"is {found} pixels {name}; the description claims {claimed}")


def _chunk(split: str, examples: Sequence[_Example], content: Feature, label: Feature, files: Files) -> Chunk:
    import numpy as np

    column: Column
    if content.kind == "text":
        places = [media.text_place(each.path, files[each.path], each.text or b"") for each in examples]
        column = (
            [each.text or b"" for each in examples]
            if None in places
            else [place for place in places if place is not None]
        )
    else:
        column = [Range(each.path, 0, files[each.path].size) for each in examples]
    labels = np.array([each.label for each in examples], np.int64)
    return Chunk(split, [each.path for each in examples], {content.name: column, label.name: labels})


def _named(labels: Mapping[str, int]) -> str:
    found = list(labels)
    return ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
