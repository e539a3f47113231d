"""A card for each feature: what it is, how much of it is missing, how its values are distributed."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from modelyard.job.columns import RANGE
from modelyard.job.index import Index
from modelyard.layouts import Feature
from modelyard.templates.evaluate.elements import percent, table
from modelyard.templates.profile.histograms import histogram, top, value

Found = Mapping[str, Any]

CARDS = 200
CLASSES = 60
_SHOWN_QUANTILES = ((0.05, "5 %"), (0.5, "median"), (0.95, "95 %"))
_WORDS = {"image": "pixels", "video": "pixels", "audio": "samples"}


def cards(title: str, described: Mapping[str, Feature], found: Sequence[Found]) -> str:
    """One section."""
    some = "".join(_card(described[each["name"]], each) for each in found[:CARDS])
    more = f"<p>{len(found) - CARDS:,} more are in profile.json.</p>" if len(found) > CARDS else ""
    return f"<section><h2>{title}</h2><div class=features>{some}</div>{more}</section>"


def balance(index: Index, found: Sequence[Found]) -> list[str]:
    """Of each target that is a category: its classes by split."""
    sections = []
    for each in found:
        feature = index.features[each["name"]]
        if feature.kind != "category" or feature.role != "target" or "splitValues" not in each:
            continue
        splits = {
            split["split"]: {one["value"]: one["count"] for one in split["values"]} for split in each["splitValues"]
        }
        totals = {split: _labels(index, split, feature.name) or 1 for split in splits}
        rows = "".join(
            f"<tr><th scope=row dir=auto>{escape(one['value'])}</th>"
            + "".join(_part(values.get(one["value"], 0), totals[split]) for split, values in splits.items())
            + "</tr>"
            for one in each["topValues"][:CLASSES]
        )
        head = (escape(feature.name), *map(escape, splits))
        note = _more(len(each["topValues"]), len(feature.classes))
        caption = f"Examples by class of {escape(feature.name)}, and their part of the split"
        sections.append(
            f"<section><h2>Classes: {escape(feature.name)}</h2>{table(caption, head, rows)}{note}</section>"
        )
    return sections


def _labels(index: Index, split: str, name: str) -> int:
    """Of all examples, in whatever classes; profile.json has the most frequent ones only."""
    column = index.split(split).column(name)
    if column.values.dtype == RANGE and column.feature.dtype != "string":
        return int(column.sizes.sum()) // np.dtype(np.int64).itemsize
    return column.values.size


def _more(counted: int, classes: int) -> str:
    """`counted` ones are in profile.json."""
    parts = [f"{counted - CLASSES:,} more classes are in profile.json"] if counted > CLASSES else []
    parts += [f"{classes - counted:,} that are rarer are in the dataset only"] if classes > counted else []
    return f"<p>{', '.join(parts)}.</p>" if parts else ""


def _part(count: int, total: int) -> str:
    return f'<td><span class=bar style="--part:{count / total:.3f}">{count:,} · {percent(count / total)}</span></td>'


def _card(feature: Feature, found: Found) -> str:
    kind = " ".join(filter(None, (feature.kind, feature.role if feature.role != "input" else "")))
    parts = [f"<h3>{escape(feature.name)}<span>{kind}</span></h3>", _facts(feature, found)]
    number = found.get("number")
    if number and number["minimum"] < number["maximum"]:
        word = _WORDS.get(feature.kind, "values")
        parts.append(f"<h4>{word}</h4>{histogram(number['histogram'], feature.name, time=feature.kind == 'time')}")
    for length in found.get("lengths", ()):
        if length["minimum"] < length["maximum"]:
            parts.append(f"<h4>{escape(length['unit'])}</h4>{histogram(length['histogram'], length['unit'])}")
    parts.append(_values(feature, found))
    return f"<div class=feature>{''.join(parts)}</div>"


def _facts(feature: Feature, found: Found) -> str:
    """All of it is markup: numbers, and words of this program."""
    count, missing = found.get("count", 0), found.get("missingCount", 0)
    facts = [("values", f"{count:,}")]
    if missing:
        facts.append(("missing", f"{missing:,} · {percent(missing / (count + missing))}"))
    if found.get("distinctCount"):
        about = "about " if found.get("distinctEstimated") else ""
        facts.append(("different", f"{about}{found['distinctCount']:,}"))
    facts += _number_facts(feature, found.get("number"))
    for length in found.get("lengths", ()):
        low, high = value(length["minimum"]), value(length["maximum"])
        facts.append((length["unit"], low if low == high else f"{low} to {high}, mean {value(length['mean'])}"))
    if len(found.get("shapes", ())) == 1 or feature.kind in ("image", "video"):
        shapes = [" × ".join(map(str, each["shape"])) for each in found.get("shapes", ())]
        some = ", ".join(shapes[:3]) + (f" and {len(shapes) - 3} more" if len(shapes) > 3 else "")
        facts.append(("shapes" if len(shapes) > 1 else "shape", some))
    if found.get("encodings"):
        facts.append(("files", ", ".join(f"{each['count']:,} {escape(each['value'])}" for each in found["encodings"])))
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{text}</dd>' for name, text in facts)}</dl>"


def _number_facts(feature: Feature, number: Found | None) -> list[tuple[str, str]]:
    if not number:
        return []
    time = feature.kind == "time"
    low, high = value(number["minimum"], time=time), value(number["maximum"], time=time)
    if low == high:
        return [("always", low)]
    word = _WORDS.get(feature.kind, "")
    facts = [(f"{word} from".strip(), f"{low} to {high}")]
    if not time:
        facts.append(("mean", f"{value(number['mean'])} ± {value(number['standardDeviation'])}"))
    quantiles = {each["fraction"]: each["value"] for each in number.get("quantiles", ())}
    shown = [f"{name} {value(quantiles[at], time=time)}" for at, name in _SHOWN_QUANTILES if at in quantiles]
    return [*facts, ("quantiles", " · ".join(shown))] if shown else facts


def _values(feature: Feature, found: Found) -> str:
    values = found.get("topValues", ())
    if not values:
        return ""
    if feature.kind == "text":
        rows = " · ".join(f"<bdi>{escape(each['value'])}</bdi> {each['count']:,}" for each in values[:24])
        return f"<h4>most frequent words</h4><p class=about>{rows}</p>"
    return top(values, found.get("count", 0))
