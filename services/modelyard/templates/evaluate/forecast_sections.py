"""The part of a page that only forecasts have: the error by step ahead, some forecasts, and series by series."""

from collections.abc import Mapping
from html import escape
from typing import Any

from modelyard.templates.evaluate.curves import Line, lines
from modelyard.templates.evaluate.elements import number, scrolled, table

Found = Mapping[str, Any]

_OTHERS = {"season": "the season", "linear": "weighted sums"}


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    return [_compared(found), _drawn(found), _by_series(found)]


def _compared(found: Found) -> str:
    rows = [("the model", found["metrics"]), *((_OTHERS[name], each) for name, each in found["others"].items())]
    body = "".join(
        f"<tr><th scope=row>{escape(name)}</th>"
        + "".join(f"<td>{number(each[metric])}</td>" for metric in ("mae", "rmse", "bias"))
        + "</tr>"
        for name, each in rows
    )
    steps = found["by_step"]
    kinds = {
        "forecast": ("the model", "curve"),
        "season": (_OTHERS["season"], "other"),
        "linear": (_OTHERS["linear"], "third"),
    }
    drawn = lines(
        "steps",
        [Line(*kinds[name], 1, values) for name, values in steps.items()],
        f"steps of {found['step']} ahead",
        "Mean absolute error by step ahead",
    )
    how = f"The season is {escape(found['season'])}; weighted sums are a ridge regression on the same windows."
    notes = "".join(f"<li>{escape(note)}</li>" for note in found["notes"])
    return (
        f"<section><h2>How far off, and how far ahead</h2><p>From {found['window']:,} steps the next "
        f"{found['horizon']:,} are forecast, at {found['examples']:,} of {found['windows']:,} moments. {how}</p>"
        + (f"<ul class=notes>{notes}</ul>" if notes else "")
        + f"<div class=pair>{scrolled('Error by step', drawn)}"
        + table("All steps together", ("", "MAE", "RMSE", "bias"), body)
        + "</div></section>"
    )


def _drawn(found: Found) -> str:
    figures = []
    for place, each in enumerate(found["shown"]):
        before = len(each["before"])
        picture = lines(
            f"forecast{place}",
            [
                Line("known before", "third", -before, [*each["before"], each["truth"][0]]),
                Line("what came", "truth", 0, each["truth"]),
                Line("the season", "other", 0, each["season"]),
                Line("forecast", "curve", 0, each["forecast"]),
            ],
            f"steps of {found['step']} from {each['start']} on",
            f"Forecast from {each['start']} on",
            mark=0,
        )
        whose = f"{escape(each['series'])}, " if each["series"] else ""
        figures.append(
            f"<h3>{whose}{escape(each['start'])}: {number(each['mae'])} off</h3>{scrolled('Forecast', picture)}"
        )
    return (
        "<section><h2>Forecasts</h2><p>Three that are evenly spread, and three of those that are furthest off.</p>"
        f"{''.join(figures)}</section>"
    )


def _by_series(found: Found) -> str:
    if len(found["by_series"]) < 2:
        return ""
    rows = "".join(
        f"<tr><th scope=row>{escape(each['name'])}</th><td>{each['windows']:,}</td><td>{number(each['mean'])}</td>"
        f"<td>{number(each['mae'])}</td><td>{number(each['season'])}</td></tr>"
        for each in found["by_series"]
    )
    head = ("Series", "windows", "mean", "MAE", "the season's MAE")
    return f"<section><h2>Series by series</h2>{table('Error by series', head, rows)}</section>"
