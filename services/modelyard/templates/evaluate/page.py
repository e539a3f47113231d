"""report.html: one page that needs nothing else, no script and no request, made from evaluation.json's content.

Class names and paths come from whoever made model and dataset: all text goes through `escape`, and the page's own
policy lets a browser load nothing and run nothing.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from modelyard.templates.evaluate import charts
from modelyard.templates.evaluate.style import STYLE

Found = Mapping[str, Any]

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
PAIRS = 10
LISTED_CLASSES = 1000
IN_ORDER = 20
"""Up to so many classes are listed in their own order; more of them by their F1, the weakest first."""
NAMED = 8
"""Class names that a note lists."""

_LABELS = {
    "accuracy": ("Accuracy", "right answers of all"),
    "top5_accuracy": ("Top 5", "true class among the five likeliest"),
    "macro_f1": ("F1", "mean over classes"),
    "macro_precision": ("Precision", "mean over classes"),
    "macro_recall": ("Recall", "mean over classes"),
    "log_loss": ("Log loss", "cross-entropy, as in training"),
    "ece": ("Calibration error", "mean gap of probability and truth"),
    "mae": ("Mean error", "mean absolute difference"),
    "rmse": ("RMSE", "root of the mean squared difference"),
    "r2": ("R²", "1 = exact, 0 = as the mean"),
    "bias": ("Bias", "mean of answered minus true"),
}
_PERCENT = ("accuracy", "top5_accuracy", "macro_f1", "macro_precision", "macro_recall")


def render(found: Found) -> str:
    """`found`: evaluation.json's content."""
    parts = [_head(found)]
    parts.append(_tiles(found["metrics"]))
    parts.append(_notes(found))
    if found["kind"] == "classification":
        parts += [_confusion(found), _reliability(found), _classes(found), _mistakes(found)]
    body = "\n".join(filter(None, parts))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_heading(found)}, {escape(found['split'])}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(found: Found) -> str:
    metrics = found["metrics"]
    what = f"{found['examples']:,} examples of the split <b>{escape(found['split'])}</b>"
    about = f"<h1>{_heading(found)}</h1>\n<p>{_when(found['date'])}{what}"
    if found["kind"] == "regression":
        return f"{about}, asked in {found['seconds']:.1f} s.</p>"
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    return (
        f"{about} and {len(found['classes']):,} classes. "
        f"{_percent(metrics['accuracy'])} are right; with 95 % confidence the model is between {_percent(low)} and "
        f"{_percent(high)} right on data like this.</p>"
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


def _tiles(metrics: Mapping[str, float]) -> str:
    tiles = []
    for name, (label, about) in _LABELS.items():
        if name in metrics:
            value = _percent(metrics[name]) if name in _PERCENT else f"{metrics[name]:.4g}"
            tiles.append(f"<div><dt>{label}</dt><dd>{value}</dd><dd class=about>{about}</dd></div>")
    return f"<dl class=tiles>{''.join(tiles)}</dl>"


def _notes(found: Found) -> str:
    notes = []
    if found["random"]:
        drawn = ", ".join(map(escape, found["random"]))
        notes.append(f"The model draws random numbers ({drawn}): another evaluation of it finds other numbers.")
    if found["kind"] == "regression":
        return _listed_notes(notes)
    if found["matched_by"] == "position":
        notes.append("The model has no class names: its answers were taken to be in the dataset's order.")
    if found["read_as"] in ("logits", "second class's logit"):
        notes.append("The model answers with logits; probabilities were made of them.")
    for key, says in (
        ("unknown_to_model", "The model does not know {}: all examples of these count as mistakes, without log loss."),
        ("unknown_to_dataset", "The dataset does not have {}, which the model may answer, always wrongly."),
        ("without_examples", "This split has no examples of {}; means over classes leave these out."),
    ):
        if found[key]:
            notes.append(says.format(_listed(found[key])))
    return _listed_notes(notes)


def _listed_notes(notes: Sequence[str]) -> str:
    return "<ul class=notes>" + "".join(f"<li>{note}</li>" for note in notes) + "</ul>" if notes else ""


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"<b>{escape(name)}</b>" for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _confusion(found: Found) -> str:
    names = [each["name"] for each in found["classes"]]
    cells = found["confusion"]
    matrix = ""
    if len(names) <= charts.MATRIX_CLASSES:
        title = f"Confusion matrix of {len(names)} classes: true class by row, predicted class by column"
        matrix = _scrolled("Confusion matrix", charts.confusion(names, cells, title))
    wrong = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: -cell[2])
    if not wrong:
        return f"<section><h2>What is taken for what</h2>{matrix}<p>No mistakes.</p></section>"
    rows = "".join(
        f"<tr><th scope=row>{escape(names[true])}</th><td class=name>{escape(names[predicted])}</td>"
        f"<td>{number:,}</td><td>{_percent(number / found['classes'][true]['support'])}</td></tr>"
        for true, predicted, number in wrong[:PAIRS]
    )
    table = _table("Most frequent mistakes", ("True class", "taken for", "examples", "of its class"), rows, "names")
    return f"<section><h2>What is taken for what</h2><div class=pair>{matrix}{table}</div></section>"


def _reliability(found: Found) -> str:
    calibration = found["calibration"]
    title = "Reliability curve: how often answers of a probability are right"
    rows = "".join(
        f"<tr><th scope=row>{each['low']:.2f}–{each['high']:.2f}</th><td>{each['count']:,}</td>"
        f"<td>{each['confidence']:.3f}</td><td>{each['accuracy']:.3f}</td></tr>"
        for each in calibration["bins"]
        if each["count"]
    )
    head = ("Probability", "examples", "mean", "right")
    return (
        "<section><h2>Do its probabilities hold?</h2>"
        "<p>On the dashed line, answers given with 80 % are right in 80 of 100 cases. Below the line the model is too "
        f"sure of itself. Expected calibration error {calibration['ece']:.4f}.</p>"
        f"{_scrolled('Reliability curve', charts.reliability(calibration['bins'], title))}"
        f"<details><summary>The curve's numbers</summary>{_table('Reliability by bin', head, rows)}</details></section>"
    )


def _classes(found: Found) -> str:
    classes = list(found["classes"])
    note = ""
    if len(classes) > IN_ORDER:
        classes.sort(key=lambda each: (each["f1"] is None, each["f1"]) if each["f1"] is not None else (True, 0.0))
        note = "<p>The weakest first.</p>"
    if len(classes) > LISTED_CLASSES:
        note = f"<p>The {LISTED_CLASSES:,} weakest of {len(classes):,}, the weakest first; evaluation.json has all.</p>"
    rows = "".join(
        f"<tr><th scope=row>{escape(each['name'])}</th><td>{each['support']:,}</td>"
        + "".join(f"<td>{_bar(each[key])}</td>" for key in ("precision", "recall", "f1"))
        + "</tr>"
        for each in classes[:LISTED_CLASSES]
    )
    head = ("Class", "examples", "precision", "recall", "F1")
    return f"<section><h2>Class by class</h2>{note}{_table('Precision, recall and F1 by class', head, rows)}</section>"


def _bar(value: float | None) -> str:
    if value is None:
        return "–"
    return f'<span class=bar style="--part:{value:.3f}">{_percent(value)}</span>'


def _mistakes(found: Found) -> str:
    if not found["mistakes"]:
        return ""
    names = [each["name"] for each in found["classes"]]
    figures = []
    for each in found["mistakes"]:
        true, predicted = escape(names[each["true"]]), escape(names[each["predicted"]])
        place = escape(each["path"] or f"example {each['example']:,}")
        figures.append(
            f'<figure><img src="{escape(each["image"])}" alt="{place}: {true}, taken for {predicted}">'
            f"<figcaption><b>{predicted}</b> {_percent(each['probability'])}<br>is <b>{true}</b> "
            f"{_percent(each['true_probability'])}<br><span class=about>{place}</span></figcaption></figure>"
        )
    return (
        "<section><h2>Worst mistakes</h2>"
        "<p>The wrong answers that the model was surest of: what it said, and what it is.</p>"
        f"<div class=mistakes>{''.join(figures)}</div></section>"
    )


def _table(caption: str, head: Sequence[str], rows: str, kind: str = "numbers") -> str:
    cells = "".join(f"<th scope=col>{name}</th>" for name in head)
    return _scrolled(
        caption,
        f"<table class={kind}><caption>{caption}</caption><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>",
    )


def _scrolled(label: str, content: str) -> str:
    """What may be wider than a phone; a keyboard can scroll it."""
    return f'<div class=scroll tabindex=0 role=group aria-label="{label}">{content}</div>'


def _percent(value: float) -> str:
    """Never rounded up to a hundred or down to nothing that it is not."""
    text = f"{value:.2%}"
    if text == "100.00%" and value < 1:
        return "&gt; 99.99 %"
    if text == "0.00%" and value > 0:
        return "&lt; 0.01 %"
    return text.replace("%", " %")
