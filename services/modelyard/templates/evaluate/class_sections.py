"""The part of a page that only a classifier has: what is taken for what, calibration, class by class."""

from collections.abc import Mapping
from html import escape
from typing import Any

from modelyard.templates.evaluate import charts
from modelyard.templates.evaluate.elements import percent, scrolled, table

Found = Mapping[str, Any]

PAIRS = 10
LISTED_CLASSES = 1000
IN_ORDER = 20
"""Up to so many classes are listed in their own order; more of them by their F1, the weakest first."""


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    return [_confusion(found), _reliability(found), _classes(found)]


def _confusion(found: Found) -> str:
    names = [each["name"] for each in found["classes"]]
    cells = found["confusion"]
    matrix = ""
    if len(names) <= charts.MATRIX_CLASSES:
        title = f"Confusion matrix of {len(names)} classes: true class by row, predicted class by column"
        matrix = scrolled("Confusion matrix", charts.confusion(names, cells, title))
    wrong = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: -cell[2])
    if not wrong:
        return f"<section><h2>What is taken for what</h2>{matrix}<p>No mistakes.</p></section>"
    rows = "".join(
        f"<tr><th scope=row>{escape(names[true])}</th><td class=name>{escape(names[predicted])}</td>"
        f"<td>{number:,}</td><td>{percent(number / found['classes'][true]['support'])}</td></tr>"
        for true, predicted, number in wrong[:PAIRS]
    )
    frequent = table("Most frequent mistakes", ("True class", "taken for", "examples", "of its class"), rows, "names")
    return f"<section><h2>What is taken for what</h2><div class=pair>{matrix}{frequent}</div></section>"


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
        f"{scrolled('Reliability curve', charts.reliability(calibration['bins'], title))}"
        f"<details><summary>The curve's numbers</summary>{table('Reliability by bin', head, rows)}</details></section>"
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
    return f"<section><h2>Class by class</h2>{note}{table('Precision, recall and F1 by class', head, rows)}</section>"


def _bar(value: float | None) -> str:
    if value is None:
        return "–"
    return f'<span class=bar style="--part:{value:.3f}">{percent(value)}</span>'
