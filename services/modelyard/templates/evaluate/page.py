"""report.html: one page that needs nothing else, no script and no request, made from evaluation.json's content.

Class names, texts and paths come from whoever made model and dataset: all text goes through `escape`, and the page's
own policy lets a browser load nothing and run nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from modelyard.templates.evaluate import (
    class_sections,
    control_sections,
    detection_sections,
    forecast_sections,
    generation_sections,
    mistake_sections,
    number_sections,
    recommended,
    retrieval_sections,
    side_by_side,
    transcript_sections,
)
from modelyard.templates.evaluate.elements import document, listed, percent
from modelyard.templates.evaluate.metrics import HIDDEN, LABELS, between, label, with_what, written
from modelyard.templates.evaluate.style import STYLE

Found = Mapping[str, Any]
_CLASS_NOTES = {
    "classification": {
        "unknown_to_model": "The model does not know {}: all examples of these count as mistakes, without log loss.",
        "unknown_to_dataset": "The dataset does not have {}, which the model may answer, always wrongly.",
        "without_examples": "This split has no examples of {}; means over classes leave these out.",
    },
    "detection": {
        "unknown_to_model": "The model does not know {}: all objects of these count as missed.",
        "unknown_to_dataset": "The dataset does not have {}, which the model may find; means over classes leave these "
        "out.",
    },
}
"""What is said of classes that only one side has, by the kind of report."""

_SECTIONS = {
    "classification": class_sections.sections,
    "regression": number_sections.sections,
    "recommendation": recommended.sections,
    "detection": detection_sections.sections,
    "retrieval": retrieval_sections.sections,
    "writing": side_by_side.sections,
    "transcription": transcript_sections.sections,
    "forecasting": forecast_sections.sections,
    "text-generation": generation_sections.sections,
}
"""What only reports of one kind have."""


def render(found: Found) -> str:
    """`found`: evaluation.json's content."""
    parts = [
        _head(found),
        _tiles(found),
        _notes(found),
        *_SECTIONS[found["kind"]](found),
        *control_sections.sections(found),
        *mistake_sections.sections(found),
    ]
    body = "\n".join(filter(None, parts))
    return document(f"{_heading(found)}, {escape(found['split'])}", STYLE, body)


def _head(found: Found) -> str:
    metrics = found["metrics"]
    what = f"{found['examples']:,} examples of the split <b>{escape(found['split'])}</b>"
    about = f"<h1>{_heading(found)}</h1>\n<p>{_when(found['date'])}{what}"
    if found["kind"] != "classification":
        return f"{about}, asked in {found['seconds']:.1f} s.</p>"
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    return (
        f"{about} and {len(found['classes']):,} classes. "
        f"{percent(metrics['accuracy'])} are right; with 95 % confidence the model is between {percent(low)} and "
        f"{percent(high)} right on data like this.</p>"
    )


def _heading(found: Found) -> str:
    """As "digits@3 on mnist@1", as far as it is known."""
    model, dataset = (_short(found[key]) for key in ("model", "dataset"))
    return f"{model or 'Evaluation'} on {dataset}" if dataset else model or "Evaluation"


def _short(name: str) -> str:
    """`projects/p/models/digits/versions/3` as a person writes it."""
    parts = name.split("/")
    return escape(f"{parts[3]}@{parts[5]}" if len(parts) == 6 else name)


def _when(date: str) -> str:
    """To the minute."""
    return f'<time datetime="{escape(date)}">{escape(date[:16].replace("T", " "))} UTC</time>: ' if date else ""


def _tiles(found: Found) -> str:
    """Each metric with its interval and with what is reached without looking."""
    metrics, tiles = found["metrics"], []
    intervals, floors, beside = found.get("intervals", {}), found.get("floors", {}), with_what(found["kind"])
    known = [name for name in LABELS if name in metrics]
    for name in (*known, *(each for each in metrics if each not in LABELS and each not in HIDDEN)):
        about = LABELS[name][1] if name in LABELS else ""
        if name == "auc" and found["kind"] == "classification":
            about += f", of <b>{escape(found['classes'][1]['name'])}</b>"
        lines = [f"<dt>{escape(label(name))}</dt><dd>{written(name, metrics[name])}</dd>"]
        if name in intervals:
            ends = between(name, *intervals[name])
            lines.append(f'<dd class=about title="95 % confidence interval">95 %: <span>{ends}</span></dd>')
        if about:
            lines.append(f"<dd class=about>{about}</dd>")
        if name in floors:
            floor = floors[name]
            lines.append(
                f'<dd class="about floor" title="{escape(floor["by"])}">{beside} '
                f"<b>{written(name, floor['value'])}</b></dd>"
            )
        tiles.append(f"<div>{''.join(lines)}</div>")
    return f"<dl class=tiles>{''.join(tiles)}</dl>{_floors(floors, beside)}"


def _floors(floors: Mapping[str, Mapping[str, Any]], beside: str) -> str:
    """What reaches them, each said once."""
    by: dict[str, list[str]] = {}
    for name, floor in floors.items():
        by.setdefault(floor["by"], []).append(label(name))
    said = "; ".join(f"{escape(how)} ({escape(', '.join(names))})" for how, names in by.items())
    return f"<p class=about>{beside.capitalize()}: {said}.</p>" if said else ""


def _notes(found: Found) -> str:
    notes = []
    if found["random"]:
        drawn = ", ".join(map(escape, found["random"]))
        notes.append(f"The model draws random numbers ({drawn}): another evaluation of it finds other numbers.")
    if found.get("problems"):
        notes.append(
            f"{found['problems']:,} rows or files of the dataset are no examples; "
            "<code>modelyard datasets show</code> names them."
        )
    for why, count in found.get("left_out", {}).items():
        notes.append(f"Examples left out of all numbers: {count:,} {escape(why)}.")
    if found.get("unreadable"):
        notes.append(_unreadable(found["unreadable"]))
    if found["kind"] in _CLASS_NOTES:
        notes += _of_classes(found)
    return "<ul class=notes>" + "".join(f"<li>{note}</li>" for note in notes) + "</ul>" if notes else ""


def _of_classes(found: Found) -> Iterator[str]:
    """How the model's classes and the dataset's were brought together, and which only one of them has."""
    if found["matched_by"] == "position":
        yield "The model has no class names: its answers were taken to be in the dataset's order."
    if found["read_as"] in ("logits", "second class's logit"):
        yield "The model answers with logits; probabilities were made of them."
    for key, says in _CLASS_NOTES[found["kind"]].items():
        if found[key]:
            yield says.format(listed(found[key]))


def _unreadable(examples: Sequence[Mapping[str, str]]) -> str:
    """Behind a click."""
    listed = "".join(f"<li>{escape(each['path'])}: {escape(each['reason'])}</li>" for each in examples)
    return f"<details><summary>Which cannot be decoded, and why</summary><ul>{listed}</ul></details>"
