"""The worst mistakes as a page shows them: pictures and sounds side by side, texts class by class, rows as a table."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from modelyard.templates.evaluate import sounds
from modelyard.templates.evaluate.elements import number, percent, table

Found = Mapping[str, Any]

MOST_COLUMNS = 12
"""Values of a row; those that matter most to the model."""
_SUREST = "<p>The wrong answers that the model was surest of: what it said, and what it is.</p>"


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    mistakes = found.get("mistakes", ())
    if not mistakes or found["kind"] == "transcription":
        return []
    if found["kind"] == "regression":
        body = "<p>The largest errors.</p>" + _rows(found, mistakes, _numbers_head(found), _numbers_cells)
    elif all("image" in each for each in mistakes):
        body = _SUREST + _media(found, mistakes, "mistakes", _picture)
    elif all("sound" in each for each in mistakes):
        body = _SUREST + _media(found, mistakes, "sounds", lambda mistake, _: sounds.markup(mistake["sound"]))
    elif all("texts" in each for each in mistakes):
        body = _SUREST + _texts(found, mistakes)
    else:
        body = _SUREST + _rows(found, mistakes, ("said", "sure", "is"), lambda each: _class_cells(found, each))
    return [f"<section><h2>Worst mistakes</h2>{body}</section>"]


def _names(found: Found) -> list[str]:
    return [each["name"] for each in found["classes"]]


def located(mistake: Mapping[str, Any]) -> str:
    """Where it lies: `path:line` as "path, line 7"; a picture among many in a file has its number."""
    path = mistake["path"]
    file, _, line = path.rpartition(":")
    if file and line.isdecimal():
        return f"{escape(file)}, {'number' if 'image' in mistake else 'line'}&nbsp;{int(line):,}"
    return escape(path or f"example {mistake['example']:,}")


def _media(
    found: Found, mistakes: Sequence[Mapping[str, Any]], kind: str, drawn: Callable[[Mapping[str, Any], str], str]
) -> str:
    names = _names(found)
    figures = []
    for each in mistakes:
        true, predicted, place = escape(names[each["true"]]), escape(names[each["predicted"]]), located(each)
        figures.append(
            f"<figure{_strip(each)}>{drawn(each, f'{place}: {true}, taken for {predicted}')}"
            f"<figcaption><b>{predicted}</b> {percent(each['probability'])}<br>is <b>{true}</b> "
            f"{percent(each['true_probability'])}<br><span class=about>{place}</span></figcaption></figure>"
        )
    return f"<div class={kind}>{''.join(figures)}</div>"


def _picture(mistake: Mapping[str, Any], says: str) -> str:
    return f'<img src="{escape(mistake["image"])}" alt="{says}">'


def _strip(mistake: Mapping[str, Any]) -> str:
    """Frames side by side take the whole width."""
    return " class=strip" if "frames" in mistake else ""


def _texts(found: Found, mistakes: Sequence[Mapping[str, Any]]) -> str:
    names = _names(found)
    parts = []
    for true in sorted({each["true"] for each in mistakes}):
        quotes = []
        for each in mistakes:
            if each["true"] != true:
                continue
            texts = "".join(f"<p>{escape(text) or '<i>empty</i>'}</p>" for text in each["texts"].values())
            quotes.append(
                f"<figure class=text><blockquote>{texts}</blockquote><figcaption>taken for "
                f"<b>{escape(names[each['predicted']])}</b> {percent(each['probability'])}, "
                f"<b>{escape(names[true])}</b> {percent(each['true_probability'])}"
                f"<span class=about> · {located(each)}</span></figcaption></figure>"
            )
        parts.append(f"<h3>{escape(names[true])}</h3><div class=texts>{''.join(quotes)}</div>")
    return "".join(parts)


def _class_cells(found: Found, mistake: Mapping[str, Any]) -> tuple[str, ...]:
    names = _names(found)
    return (
        f"<b>{escape(names[mistake['predicted']])}</b>",
        percent(mistake["probability"]),
        escape(names[mistake["true"]]),
    )


def _numbers_head(found: Found) -> tuple[str, ...]:
    return ("answered", f"true {escape(found.get('target') or '')}".strip(), "error")


def _numbers_cells(mistake: Mapping[str, Any]) -> tuple[str, ...]:
    error = mistake["answered"] - mistake["true"]
    return number(mistake["answered"]), number(mistake["true"]), f"<b>{number(error, sign=True)}</b>"


def _rows(found: Found, mistakes: Sequence[Mapping[str, Any]], head: Sequence[str], cells: Any) -> str:
    columns = _columns(found, mistakes)
    rows = []
    for each in mistakes:
        values = {**each.get("values", {}), **each.get("texts", {})}
        parts = [*cells(each), *(_value(values.get(column)) for column in columns)]
        shown = f'<img src="{escape(each["image"])}" alt="">' if "image" in each else ""
        shown += sounds.played(each["sound"]) if "sound" in each else ""
        rows.append(
            f"<tr><th scope=row>{shown}{located(each)}</th>{''.join(f'<td>{part}</td>' for part in parts)}</tr>"
        )
    shown = table("The worst, by row", ("Row", *head, *map(escape, columns)), "".join(rows), "values")
    more = len({name for each in mistakes for name in (*each.get("values", {}), *each.get("texts", {}))}) - len(columns)
    return shown + (f"<p class=about>{more} more columns are in evaluation.json.</p>" if more else "")


def _columns(found: Found, mistakes: Sequence[Mapping[str, Any]]) -> list[str]:
    """What matters most to the model first."""
    names = list(dict.fromkeys(name for each in mistakes for name in (*each.get("values", {}), *each.get("texts", {}))))
    swapped = found.get("importance", {})
    loss = {each["name"]: abs(each["value"] - swapped["as_is"]) for each in swapped.get("columns", ())}
    return sorted(names, key=lambda name: -loss.get(name, 0.0))[:MOST_COLUMNS]


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, int | float):
        return number(value)
    return escape(value) or "<i>empty</i>"
