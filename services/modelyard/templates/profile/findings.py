"""What somebody should look at, each in a sentence."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.job.index import Index
from modelyard.templates.profile.copies import counting
from modelyard.templates.profile.features import Boxes, Classes, FeatureProfile, Measures
from modelyard.templates.profile.images import Images
from modelyard.templates.profile.sounds import Sounds
from modelyard.templates.profile.texts import short
from modelyard.templates.profile.videos import Videos

HEAVY = 0.01
"""A part of a split that is worth a sentence."""
MISSING = 0.05
SKEWED = 10
"""The largest class has so many times the examples of the smallest."""
NAMED = 8
MOST = 100
LONGEST = 600


def find(index: Index, statistics: Mapping[str, Any], profiles: Mapping[str, FeatureProfile]) -> list[str]:
    """The gravest first."""
    found = [
        *_unreadable(statistics),
        *_splits(index, statistics),
        *(sentence for feature in statistics["features"] for sentence in _classes(index, feature)),
        *_leakages(index, statistics),
        *_duplicates(index, statistics),
        *(sentence for feature in statistics["features"] for sentence in _values(index, feature)),
        *(sentence for name, profile in profiles.items() for sentence in _media(name, profile)),
    ]
    return [short(sentence, LONGEST) for sentence in found][:MOST]


def _unreadable(statistics: Mapping[str, Any]) -> Iterator[str]:
    count = statistics["undecodable"]["exampleCount"]
    if count:
        first = statistics["undecodable"]["examples"][0]
        yield f"{_many(count, 'example')} cannot be read: {first['origin']} {first['reason']}" + (
            " …" if count > 1 else ""
        )


def _splits(index: Index, statistics: Mapping[str, Any]) -> Iterator[str]:
    empty = [name for name, count in index.splits.items() if not count]
    if empty:
        yield (
            f"The split {_listed(empty)} has no examples."
            if len(empty) == 1
            else (f"The splits {_listed(empty)} have no examples.")
        )
    if not any(index.splits.get(name) for name in ("validation", "test")):
        yield "All examples are in one split: nothing is held out to judge a model by."


def _classes(index: Index, feature: Mapping[str, Any]) -> Iterator[str]:
    name = feature["name"]
    described = index.features[name]
    if described.kind != "category" or described.role != "target" or "splitValues" not in feature:
        return
    there = [each for each in feature["topValues"] if each["count"]]
    if not there:
        yield f"{name} has no example of any class."
        return
    if len(there) == 1:
        yield f"{name} has one class only, {there[0]['value']}: there is nothing to tell apart."
        return
    without = [each["value"] for each in feature["topValues"] if not each["count"]]
    nowhere = len(described.classes) - feature["distinctCount"]
    if without:
        yield f"{name} has classes without any example: {_listed(without, nowhere)}."
    elif nowhere > 0:
        yield f"{name} has {_many(nowhere, 'class', 'classes')} without any example."
    counted = len(feature["topValues"])
    among = f", of the {counted:,} most frequent classes" if counted < feature["distinctCount"] else ""
    for split in feature["splitValues"]:
        missing = [each["value"] for each in split["values"] if not each["count"] and each["value"] not in without]
        if missing and index.splits.get(split["split"]):
            yield f"The split {split['split']} has no example of {name} {_listed(missing)}{among}."
    most, least = there[0], there[-1]
    if most["count"] > SKEWED * least["count"]:
        counts = f"{most['count']:,} examples of {most['value']}, {least['count']:,} of {least['value']}"
        yield f"{name} is uneven: {counts}."


def _leakages(index: Index, statistics: Mapping[str, Any]) -> Iterator[str]:
    counts = {each["name"]: each["exampleCount"] for each in statistics["splits"]}
    for leak in statistics["leakages"]:
        part = leak["exampleCount"] / counts[leak["split"]]
        where = f" of {_version(leak['otherVersion'])}" if leak["otherVersion"] else ""
        consequence = "figures measured on it are too good" if part >= HEAVY else "few enough to matter little"
        if index.description.modality == "table" and part >= HEAVY:
            consequence = "the same examples, or rows with so few values that many are alike"
        if leak["otherVersion"] and leak["split"] == "train":
            consequence = f"do not judge models of this version by that {leak['otherSplit']} split"
        yield (
            f"{_many(leak['exampleCount'], 'example')} of {leak['split']} ({_percent(part)}) "
            f"{'are' if leak['exampleCount'] > 1 else 'is'} in {leak['otherSplit']}{where} too: {consequence}."
        )


def _duplicates(index: Index, statistics: Mapping[str, Any]) -> Iterator[str]:
    count = statistics["duplicates"]["exampleCount"]
    total = sum(index.splits.values())
    if count:
        counted = _listed(counting(index.description))
        yield (
            f"{_many(count, 'example')} ({_percent(count / total)}) {'are copies' if count > 1 else 'is a copy'} of "
            f"another one in the same split, with equal {counted}."
        )


def _values(index: Index, feature: Mapping[str, Any]) -> Iterator[str]:
    name = feature["name"]
    described = index.features[name]
    count, missing = feature.get("count", 0), feature.get("missingCount", 0)
    if described.role == "ignore":
        return
    if missing and not count:
        yield f"{name} is missing everywhere."
        return
    if missing and described.kind != "boxes" and missing >= MISSING * (count + missing):
        yield f"{name} is missing in {_percent(missing / (count + missing))} of the examples."
    target_classes = described.kind == "category" and described.role == "target"
    if count > 1 and feature.get("distinctCount") == 1 and not target_classes:
        yield f"{name} is the same in every example."
    alike = described.kind == "category" and described.role == "input" and count > 100
    if alike and feature.get("distinctCount", 0) >= 0.9 * count:
        different = feature["distinctCount"]
        yield f"{name} has {different:,} different values in {count:,} examples: more a name than a category."


def _media(name: str, profile: FeatureProfile) -> Iterator[str]:
    if isinstance(profile, Images | Sounds | Videos) and profile.misnamed.count:
        misnamed = profile.misnamed
        more = " …" if misnamed.count > len(misnamed.first) else "."
        yield (
            f"{_many(misnamed.count, 'file')} of {name} {'are' if misnamed.count > 1 else 'is'} not what the name's "
            f"ending says: {', '.join(misnamed.first)}{more}"
        )
    if isinstance(profile, Images):
        if profile.plain:
            yield f"{_many(profile.plain, 'image')} of {name} {'have' if profile.plain > 1 else 'has'} one colour only."
    elif isinstance(profile, Sounds):
        if profile.silent:
            yield f"{_many(profile.silent, 'sound')} of {name} {'are' if profile.silent > 1 else 'is'} silent."
        if len(profile.rates) > 1:
            rates = sorted({f"{rate:,} Hz" for rate, _ in profile.rates})
            if len(rates) > 1:
                yield f"{name} has sounds of different rates: {_listed(rates)}."
    elif isinstance(profile, Videos):
        if profile.still:
            yield f"{_many(profile.still, 'video')} of {name} {'stand' if profile.still > 1 else 'stands'} still."
    elif isinstance(profile, Boxes):
        if profile.flat:
            yield f"{_many(profile.flat, 'box', 'boxes')} of {name} {'have' if profile.flat > 1 else 'has'} no area."
    elif isinstance(profile, Classes):
        if profile.unknown:
            verb = "are" if profile.unknown > 1 else "is"
            yield f"{_many(profile.unknown, 'label')} of {name} {verb} of no known class."
    elif isinstance(profile, Measures) and profile.numbers.infinite:
        yield f"{name} has {_many(profile.numbers.infinite, 'infinite number')}."


def _many(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _listed(names: "list[str] | tuple[str, ...]", count: int = 0) -> str:
    """`count`: how many there are, where not all have come."""
    shown, more = names[:NAMED], max(len(names), count) - NAMED
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def _percent(part: float) -> str:
    return f"{part:.1%}".replace("%", " %") if part >= 0.001 else "< 0.1 %"


def _version(name: str) -> str:
    """`projects/p/datasets/d/versions/3` as d@3."""
    parts = name.split("/")
    return f"{parts[3]}@{parts[5]}" if len(parts) == 6 else name
