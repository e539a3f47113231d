"""Layout parallel: two files whose lines belong together, `train.en` and `train.it`; lines that are empty in both are
no examples.

Where a hash decides, it is that of the source, so that one text never is in two splits.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from modelyard.layouts.chunks import Chunk, Column, Problems, in_portions
from modelyard.layouts.description import SPLITS, Description, Feature, Split, SplitRule
from modelyard.layouts.errors import DataUnreadable, DescriptionWrong, FileBroken, LayoutUnknown
from modelyard.layouts.files import Files
from modelyard.layouts.lines import splits_of_files
from modelyard.layouts.options import Findings, Options
from modelyard.layouts.splitting import HELD_OUT, hash_split
from modelyard.layouts.text_files import Line, lines

_ENDING = re.compile(r"[a-z]{2,3}([-_][a-z]{2,4})?|src|tgt|source|target", re.IGNORECASE)
_SOURCES = ("src", "source")
_KNOWN = frozenset(
    {
        "csv",
        "tsv",
        "txt",
        "png",
        "jpg",
        "gif",
        "bmp",
        "wav",
        "ogg",
        "oga",
        "mp4",
        "mov",
        "mkv",
        "m4v",
        "pq",
        "tab",
        "json",
        "md",
        "gz",
        "zip",
        "tar",
        "xml",
        "py",
        "sh",
        "pdf",
        "log",
        "cfg",
        "ini",
        "rst",
    }
)


def pairs(files: Files) -> dict[str, dict[str, str]]:
    """Stem -> ending -> path, of the files that have exactly one partner, where all have the same two endings.

    Empty where there is no such thing.
    """
    stems: dict[str, dict[str, str]] = {}
    for path in sorted(files):
        stem, dot, ending = path.rpartition(".")
        if dot and stem and _ENDING.fullmatch(ending) and ending.lower() not in _KNOWN:
            stems.setdefault(stem, {})[ending] = path
    endings = {tuple(sorted(found)) for found in stems.values()}
    return stems if len(endings) == 1 and len(next(iter(endings))) == 2 else {}


def describe(files: Files, options: Options, findings: Findings) -> Description:
    """Raises LayoutUnknown and DataUnreadable."""
    stems = pairs(files)
    if not stems:
        raise LayoutUnknown("there are no two files with one name and two endings, such as train.en and train.it")
    source, target = _direction(next(iter(stems.values())), options)
    by_stem = splits_of_files([f"{stem}.{source}" for stem in stems])
    rule = SplitRule("file") if any(by_stem.values()) else SplitRule("hash", held_out=HELD_OUT)
    by_file = dict(by_stem) | {f"{path.rpartition('.')[0]}.{target}": split for path, split in by_stem.items()}
    empty = next((path for path in by_file if not files[path].size), None)
    if empty is not None:
        raise FileBroken(empty, "is empty", reason="EMPTY")
    counts: Counter[str] = Counter()
    features = (
        Feature("source", "text", "string", column=source),
        Feature("target", "text", "string", role="target", column=target),
    )
    for split, _, _ in _examples(files, by_file, rule, features, findings.problems):
        counts[split] += 1
    _check_usable(counts.total(), findings.problems)
    if not counts["train"]:
        raise LayoutUnknown("no pair of lines belongs to the split 'train'", reason="NO_TRAINING_EXAMPLES")
    findings.notes.append(f"{source} is the source and {target} the target; --target {source} turns them round")
    return Description(
        modality="text",
        layout="parallel",
        features=features,
        splits=tuple(Split(name, counts[name]) for name in SPLITS if counts[name]),
        split_rule=rule,
        files=by_file,
    )


def _check_usable(usable: int, problems: Problems) -> None:
    """Some pairs that can't be used are left out; where it is half of them, the files don't belong together."""
    if not problems.count or problems.count < usable:
        return
    first = problems.kept[0]
    raise DataUnreadable(
        f"{first.path}:{first.row}",
        f"{first.reason} ({problems.count:,} of {problems.count + usable:,} pairs can't be used)",
        reason="ROWS_UNUSABLE",
    )


def _direction(endings: Mapping[str, str], options: Options) -> tuple[str, str]:
    first, second = sorted(endings, key=lambda ending: (ending.lower() not in _SOURCES, ending))
    if options.target and options.target not in endings:
        raise LayoutUnknown(
            f"no file ends in .{options.target}; the files end in .{first} and .{second}", reason="NO_SUCH_COLUMN"
        )
    return (second, first) if options.target == first else (first, second)


def read(description: Description, files: Files, problems: Problems) -> Iterator[Chunk]:
    """Raises DataUnreadable."""
    texts = [feature for feature in description.features if feature.kind == "text"]
    if len(texts) != 2 or texts[0].header == texts[1].header:
        raise DescriptionWrong("features", "must have two texts, for layout parallel")
    source, target = texts
    found = (
        (split, (path, pair))
        for split, path, pair in _examples(files, description.files, description.split_rule, (source, target), problems)
    )
    for split, rows in in_portions(found, lambda row: len(row[1][0].text) + len(row[1][1].text)):
        columns: dict[str, Column] = {}
        for number, feature in enumerate(texts):
            places = [pair[number].place for _, pair in rows]
            columns[feature.name] = [pair[number].text for _, pair in rows] if None in places else places
        yield Chunk(split, [f"{path}:{pair[0].number}" for path, pair in rows], columns)


def _examples(
    files: Files,
    by_file: Mapping[str, str],
    rule: SplitRule,
    features: Sequence[Feature],
    problems: Problems,
) -> Iterator[tuple[str, str, tuple[Line, Line]]]:
    source, target = (feature.header for feature in features)
    for path, split in by_file.items():
        stem, _, ending = path.rpartition(".")
        if ending != source:
            continue
        partner = f"{stem}.{target}"
        for each in (path, partner):
            if each not in files:
                raise DataUnreadable(each, "is named by the description, but the tree does not have it")
        for pair in _pairs_of_lines(files, path, partner, problems):
            yield split or hash_split(pair[0].text, rule.held_out), path, pair


def _pairs_of_lines(files: Files, path: str, partner: str, problems: Problems) -> Iterator[tuple[Line, Line]]:
    number = 0
    both = zip_longest(lines(path, files[path], problems), lines(partner, files[partner], problems))
    for number, (one, other) in enumerate(both, 1):
        if one is None or other is None:
            longer, shorter = (partner, path) if one is None else (path, partner)
            raise DataUnreadable(
                longer,
                f"has more lines than the {number - 1:,} of {shorter}; each has to have one",
                reason="COUNTS_DIFFER",
            )
        if one.is_left_out or other.is_left_out:
            continue
        empty = [not one.text.strip(), not other.text.strip()]
        if all(empty):
            continue
        if any(empty):
            problems.add(partner if empty[1] else path, number, "is empty, and its partner is not")
            continue
        yield one, other
