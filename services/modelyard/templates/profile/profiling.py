"""Goes through a prepared dataset once and counts what is in it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.job.index import PROBLEMS_FILE, Examples, Index
from modelyard.layouts import Feature
from modelyard.templates.profile import findings
from modelyard.templates.profile.copies import Contents, compare, counting, sorted_contents
from modelyard.templates.profile.features import Boxes, Classes, FeatureProfile, Measures, Texts, Values
from modelyard.templates.profile.frequencies import mixed
from modelyard.templates.profile.images import Images
from modelyard.templates.profile.portions import portions
from modelyard.templates.profile.room import Room, room_of
from modelyard.templates.profile.samples import FeatureSamples, Samples, choose
from modelyard.templates.profile.sounds import Sounds
from modelyard.templates.profile.unreadable import LISTED, Unreadable
from modelyard.templates.profile.videos import Videos

Progress = Callable[[int, int], None]
"""Examples that are done, of how many."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What was found."""

    statistics: Mapping[str, Any]
    """The JSON of modelyard.api.catalog.v1.Statistics."""
    samples: Samples


def profile(
    index: Index,
    contents: Path,
    dataset_version: str = "",
    earlier: Mapping[str, Path] | None = None,
    progress: Progress = lambda done, total: None,
) -> Profile:
    """One pass over all splits; what does not decode is listed, the rest goes on. `contents` becomes a folder with what
    a later version's profile compares with; `earlier` has such folders of earlier versions, by their names."""
    unreadable = Unreadable()
    samples = choose(index)
    each = room_of(len(index.features))
    profiles = {name: _profile_of(feature, unreadable, samples, each) for name, feature in index.features.items()}
    counted = counting(index.description)
    written = Contents(contents)
    total, done = sum(index.splits.values()), 0
    for split in sorted(index.splits, key=lambda name: name != "train"):
        for portion in portions(index.split(split)):
            content = np.zeros(len(portion), np.uint64)
            for name, feature in profiles.items():
                found = feature.add(portion, name)
                if name in counted:
                    content = mixed(content, found)
            written.add(split, content)
            done += len(portion)
            progress(done, total)
    written.close()
    before = {version: sorted_contents(folder, contents) for version, folder in (earlier or {}).items()}
    duplicates, leakages = compare(written.sorted, before)
    items = _items(index.items, samples) if index.items is not None else {}
    _take_problems(index, unreadable)
    statistics: dict[str, Any] = {
        "datasetVersion": dataset_version,
        "splits": [
            {"name": name, "exampleCount": count, "undecodableCount": unreadable.by_split[name]}
            for name, count in index.splits.items()
        ],
        "features": [_found(index.features[name], each) for name, each in profiles.items()],
        "itemFeatures": [_found(feature, each) for feature, each in items.values()],
        "duplicates": duplicates.found(index),
        "leakages": [leak.found(index) for leak in leakages],
        "undecodable": unreadable.found(),
    }
    statistics["findings"] = findings.find(index, statistics, profiles)
    return Profile(statistics, samples)


def _profile_of(feature: Feature, unreadable: Unreadable, samples: Samples, room: Room) -> FeatureProfile:
    mine = FeatureSamples(samples, feature.name)
    if feature.kind == "image":
        return Images(feature, unreadable, mine)
    if feature.kind == "audio":
        return Sounds(unreadable, mine)
    if feature.kind == "video":
        return Videos(unreadable, mine)
    if feature.kind == "boxes":
        return Boxes()
    if feature.kind == "text":
        return Texts(unreadable, room)
    if feature.dtype == "string":
        return Values(room)
    return Classes(feature) if feature.classes else Measures(feature, room)


def _items(items: Examples, samples: Samples) -> dict[str, tuple[Feature, FeatureProfile]]:
    """The same of the table of items; what of it is unreadable the index has said already."""
    each = room_of(len(items.features))
    found = {
        name: (feature, _profile_of(feature, Unreadable(), samples, each)) for name, feature in items.features.items()
    }
    for portion in portions(items):
        for name, (_, feature) in found.items():
            feature.add(portion, name)
    return found


def _found(feature: Feature, found: FeatureProfile) -> dict[str, Any]:
    about = {key: value for key, value in found.found().items() if value is not None}
    if about.get("distinctEstimated"):
        # An estimate may be more than there can be.
        about["distinctCount"] = min(about["distinctCount"], about["count"])
    return {"name": feature.name, "kind": f"KIND_{feature.kind.upper()}", **about}


def _take_problems(index: Index, unreadable: Unreadable) -> None:
    """What could not even be indexed."""
    listed = 0
    with (index.folder / PROBLEMS_FILE).open(encoding="utf-8") as lines:
        for line in lines:
            if listed == LISTED:
                break
            problem = json.loads(line)
            row = problem["row"]
            unreadable.add_file(f"{problem['path']}:{row}" if row else problem["path"], problem["reason"])
            listed += 1
    unreadable.add_more(max(0, index.problems - listed))
