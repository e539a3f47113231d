"""Which split an example belongs to, as far as readers can tell: by words in the paths of files, or in a column."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.layouts.description import Description
from modelyard.layouts.names import SPLIT_ALIASES
from modelyard.sdk.croissant.resources import Resource

SPLITS = "splits"
AS_SPLIT = {"dataType": ["sc:Text", "cr:Split"], "references": {"field": {"@id": f"{SPLITS}/name"}}}
_TERM = "http://mlcommons.org/croissant/"
_TERMS = {
    "train": "TrainingSplit",
    "validation": "ValidationSplit",
    "test": "TestSplit",
}

# Readers differ in whether a pattern may match from within a path, and in how they are told that case does not matter.
_FOLDER = "^(?:.*?/)??({})[^/]*/"
_IN_NAME = "^(?:.*/)?(?:[^/]*?[-_. ])??({})(?![A-Za-z])[^/]*$"
_ANYWHERE = "^(?:.*?[-_. /])??({})(?![A-Za-z])"
_PATTERNS = {"folder": (_FOLDER,), "file": (_IN_NAME, _ANYWHERE)}
"""By the split rule; the first that finds the split of every file is taken."""
_ALL_WORDS = "|".join(sorted(SPLIT_ALIASES, key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class Told:
    """What tells readers the splits apart. Nothing does where a hash decides, which no other program could follow."""

    words: tuple[str, ...] = ()
    """The splits as the paths or the column call them: `Train`, `dev`."""
    regex: str = ""
    """Finds one of the words in the path of each file."""
    column: str = ""
    """Holds the words."""


def told(spec: dataset_pb2.InputSpec, description: Description, paths: Sequence[str]) -> Told:
    """`paths` are those of the files that are the examples, or hold them."""
    rule = spec.split_rule
    if rule.by == "split_column":
        words = tuple(
            word for each in spec.features if rule.column == (each.column or each.name) for word in each.classes
        )
        return Told(words, column=rule.column) if words else Told()
    for pattern in _PATTERNS.get(rule.by, ()):
        found = _words(pattern, paths)
        if len(found) == len(paths) and _are_right(found, description):
            spelled = tuple(sorted(set(found.values())))
            return Told(spelled, pattern.format("|".join(spelled)))
    return Told()


def _words(pattern: str, paths: Sequence[str]) -> dict[str, str]:
    """Path -> the word in it, of the paths that have one."""
    known = re.compile(pattern.format(_ALL_WORDS), re.IGNORECASE)
    return {path: match[1] for path in paths if (match := known.match(path))}


def _are_right(words: Mapping[str, str], description: Description) -> bool:
    """Whether each word means the split that its file belongs to."""
    said = {path: SPLIT_ALIASES[word.lower()] for path, word in words.items()}
    if description.layout == "coco":
        # Only the files of boxes say which image is of which split; there may be images that they don't name.
        counts = Counter(said.values())
        return all(counts[split.name] >= split.examples for split in description.splits)
    if description.layout == "class_folders":
        return all(SPLIT_ALIASES.get(path.partition("/")[0]) == split for path, split in said.items())
    files = {path: split.name for split in description.splits for path in split.files} or description.files
    return all(files.get(path) == split for path, split in said.items())


def record_set(spec: dataset_pb2.InputSpec, told: Told) -> dict[str, Any]:
    """What the splits are called, and what that means."""
    counts = {split.name: split.example_count for split in spec.splits}
    meant = {word: SPLIT_ALIASES.get(word.lower(), "") for word in told.words} or {name: name for name in counts}
    return {
        "@type": "cr:RecordSet",
        "@id": SPLITS,
        "name": SPLITS,
        "dataType": "cr:Split",
        "key": {"@id": f"{SPLITS}/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"{SPLITS}/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": f"{SPLITS}/url", "name": "url", "dataType": ["sc:URL", "cr:Split"]},
            {
                "@type": "cr:Field",
                "@id": f"{SPLITS}/examples",
                "name": "examples",
                "description": "Of all that have this url; several names may mean one split.",
                "dataType": "sc:Integer",
            },
        ],
        "data": [
            {
                f"{SPLITS}/name": word,
                f"{SPLITS}/url": _TERM + _TERMS.get(split, "Split"),
                f"{SPLITS}/examples": counts.get(split, 0),
            }
            for word, split in meant.items()
        ],
    }


def field(source: Resource, spec: dataset_pb2.InputSpec, told: Told, records: str) -> list[dict[str, Any]]:
    """Where the paths of the files say the split; [] where they don't."""
    if not told.regex or not source.several:
        return []
    name = "split_" if any(feature.name == "split" for feature in spec.features) else "split"
    where = {**source.source(file_property="fullpath"), "transform": {"regex": told.regex}}
    return [{"@type": "cr:Field", "@id": f"{records}/{name}", "name": name, "source": where, **AS_SPLIT}]
