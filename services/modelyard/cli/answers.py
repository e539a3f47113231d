"""Answers of a deployment as people read them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from modelyard.sdk.names import short
from modelyard.sdk.predicting import Answer
from modelyard.sdk.predicting.answers import plain

BAR = 20
FEW = 3


def text_of(answer: Answer, top: int = 0) -> str:
    """A line, or a small table: the classes with bars where `top` asks for several, items, boxes, a text."""
    outputs = answer.outputs
    if "items" in outputs and isinstance(outputs["items"], list):
        said = _items(outputs)
    elif "boxes" in outputs and isinstance(outputs["boxes"], list):
        said = _boxes(outputs)
    elif isinstance(outputs.get("text"), str):
        said = _texts(outputs, top)
    elif isinstance(outputs.get("transcript"), str):
        said = _transcript(outputs)
    elif isinstance(outputs.get("transcripts"), list):
        said = "\n".join(map(str, outputs["transcripts"][: top or None]))
    elif steps := _pairs(outputs, "forecast", "times"):
        said = _forecast(steps)
    elif answer.label and (probable := answer.top(max(top, 1))):
        said = _bars(probable) if top > 1 else f"{answer.label} ({probable[0][1]:.3f})"
    else:
        said = _values(outputs)
    return said + "".join(f"\n  note: {note}" for note in answer.notes)


def is_table(text: str) -> bool:
    """Whether it has several lines, so that what it answers stands above it and not beside it."""
    return "\n" in text.partition("\n  note:")[0]


def bar(share: float) -> str:
    """`████▌` of twenty blocks."""
    eighths = round(max(0.0, min(1.0, share)) * BAR * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def boxes_of(outputs: Mapping[str, Any]) -> list[tuple[str, float | None, Sequence[float]]]:
    """Class, score and x_min, y_min, x_max, y_max of each box that is one."""
    boxes = [box for box in outputs["boxes"] if isinstance(box, list) and len(box) == 4 and _are_numbers(box)]
    labels: list[Any] = next(
        (outputs[key] for key in ("labels", "classes", "label") if isinstance(outputs.get(key), list)), []
    )
    scores = outputs.get("scores")
    scores = scores if isinstance(scores, list) and _are_numbers(scores) else []
    found: list[tuple[str, float | None, Sequence[float]]] = []
    for at, box in enumerate(boxes):
        if all(value == -1 for value in box):
            continue
        label = str(labels[at]) if at < len(labels) else ""
        found.append((label, float(scores[at]) if at < len(scores) else None, box))
    return found


def _bars(probable: Sequence[tuple[str, float]]) -> str:
    width = _width(name for name, _ in probable)
    return "\n".join(f"{set_cell_size(name, width)}  {share:.3f}  {bar(share)}".rstrip() for name, share in probable)


def _width(names: Iterable[str]) -> int:
    """Of the widest, in a terminal's cells: 旅 takes two."""
    return max(map(cell_len, names))


def _items(outputs: Mapping[str, Any]) -> str:
    items = [str(item) for item in outputs["items"]]
    scores = outputs.get("scores")
    shown = scores if isinstance(scores, list) and len(scores) == len(items) else [None] * len(items)
    if not items:
        return "nothing"
    width, places = _width(items), len(str(len(items)))
    about = next((found for name in ("titles", "paths") if isinstance(found := outputs.get(name), list)), [])
    known = about if len(about) == len(items) else [""] * len(items)
    lines = [
        f"{at:>{places}}  {set_cell_size(item, width)}"
        + (f"  {score:<6.4g}" if isinstance(score, float) else "")
        + f"  {more}"
        for at, (item, score, more) in enumerate(zip(items, shown, known, strict=True), 1)
    ]
    if isinstance(gallery := outputs.get("gallery"), str):
        lines.append(f"found among {short(gallery)}")
    return "\n".join(line.rstrip() for line in lines)


def _texts(outputs: Mapping[str, Any], top: int) -> str:
    """What was written; where several are asked for and there, all of them with their scores."""
    scored = _pairs(outputs, "scores", "texts") if top > 1 else []
    return "\n".join(f"{score:.3f}  {text}" for score, text in scored[:top]) or str(outputs["text"])


def _boxes(outputs: Mapping[str, Any]) -> str:
    found = boxes_of(outputs)
    if not found:
        return "nothing found"
    width = _width(label for label, _, _ in found)
    return "\n".join(
        f"{set_cell_size(label, width)}  {'' if score is None else f'{score:.3f}'}  "
        + " ".join(f"{value:,.0f}" for value in box).strip()
        for label, score, box in found
    )


def _transcript(outputs: Mapping[str, Any]) -> str:
    """As it is written, and how sure the model is where it says that."""
    sure = outputs.get("confidence")
    return f"{outputs['transcript']}" + (f" ({sure:.3f})" if isinstance(sure, float) else "")


def _pairs(outputs: Mapping[str, Any], numbers: str, names: str) -> list[tuple[float, Any]]:
    """Each number of one output with what another calls it; none where the two are not lists of one length: a model of
    somebody else may mean something else by our words."""
    found, called = outputs.get(numbers), outputs.get(names)
    if not isinstance(found, list) or not isinstance(called, list) or len(found) != len(called):
        return []
    return list(zip(map(float, found), called, strict=True)) if _are_numbers(found) else []


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _forecast(steps: Sequence[tuple[float, Any]]) -> str:
    """A line a step, with a bar."""
    values = [value for value, _ in steps]
    width, most = max(len(f"{value:.4g}") for value in values), max(map(abs, values)) or 1.0
    return "\n".join(f"{time}  {value:>{width}.4g}  {bar(value / most)}".rstrip() for value, time in steps)


def _values(outputs: Mapping[str, Any]) -> str:
    """The only value itself; `known` is told in a note."""
    told = {name: value for name, value in outputs.items() if name != "known" or len(outputs) == 1}
    if len(told) == 1:
        (value,) = told.values()
        if isinstance(value, str):
            return value
        if isinstance(value, float):
            return f"{value:.6g}"
    return json.dumps(plain(told), ensure_ascii=False)
