"""Pages of forecasts and of written text: what they show, and that names and texts are only ever text."""

import re
from typing import Any

from modelyard.templates.evaluate.curves import Line, lines
from modelyard.templates.evaluate.page import render

EVIL = "<script>x</script>"
ABOUT: dict[str, Any] = {
    "format": 1,
    "split": "test",
    "examples": 48,
    "seconds": 2.0,
    "model": "projects/p/models/m/versions/3",
    "dataset": "projects/p/datasets/d/versions/1",
    "date": "2026-11-25T12:00:00+00:00",
    "random": [],
    "left_out": {},
    "problems": 0,
}
FORECASTS: dict[str, Any] = {
    **ABOUT,
    "kind": "forecasting",
    "metrics": {"mae": 2.0, "rmse": 3.0, "bias": -0.5, "skill": 0.25},
    "intervals": {"mae": [1.5, 2.5]},
    "floors": {"mae": {"value": 2.7, "by": "repeating the last 1 week"}},
    "target": "bikers",
    "step": "1 hour",
    "window": 4,
    "horizon": 3,
    "season": "repeating the last 1 week",
    "windows": 60,
    "notes": ["2 of 90 steps of 1 hour are missing"],
    "by_step": {"forecast": [1.0, 2.0, 3.0], "season": [2.0, 2.5, 3.5], "linear": [1.5, 2.0, 3.0]},
    "by_series": [
        {"name": EVIL, "windows": 30, "mean": 9.0, "mae": 3.0, "season": 4.0},
        {"name": "b", "windows": 18, "mean": 5.0, "mae": 1.0, "season": 1.5},
    ],
    "others": {
        "season": {"mae": 2.7, "rmse": 3.5, "bias": 0.0},
        "linear": {"mae": 2.2, "rmse": 3.1, "bias": 0.1},
    },
    "shown": [
        {
            "series": EVIL,
            "start": "2011-12-31T23:00",
            "mae": 2.5,
            "before": [1.0, None, 3.0, 4.0],
            "truth": [5.0, None, 7.0],
            "forecast": [4.0, 5.0, 6.0],
            "season": [1.0, 2.0, 3.0],
        }
    ],
    "controls": [
        {
            "name": "bikers out of order",
            "says": "What is left did not need the order of the past.",
            "metric": "mae",
            "as_is": 2.0,
            "value": 6.5,
            "examples": 48,
        }
    ],
}
WRITTEN: dict[str, Any] = {
    **ABOUT,
    "kind": "text-generation",
    "metrics": {"bits": 2.2, "perplexity": 4.59},
    "intervals": {"bits": [2.1, 2.3]},
    "floors": {"bits": {"value": 4.9, "by": "always the frequencies of train's symbols"}},
    "references": {"2-gram": 3.6, "6-gram": 2.226, "xz": 2.3},
    "characters": 5000,
    "unknown": 3,
    "documents": [{"name": EVIL, "characters": 5000, "bits": 2.2}],
    "samples": [
        {
            "temperature": 0.5,
            "prompt": "To be",
            "text": f" or not {EVIL}",
            "again": True,
            "known_words": 0.9,
            "copied": " or not ",
        },
        {"temperature": 1.1, "prompt": "To be", "text": " zz", "again": False, "known_words": 0.0, "copied": ""},
    ],
    "controls": [],
}


def test_a_page_of_forecasts_has_them_beside_the_season_and_the_error_of_each_step() -> None:
    page = render(FORECASTS)
    assert page.count('class="chart"') == 2
    assert "From 4 steps the next 3 are forecast, at 48 of 60 moments." in page
    assert "weighted sums" in page
    assert "Series by series" in page
    assert "25.00 %" in page
    assert "nan" not in page.lower().replace("finance", "")


def test_a_page_of_written_text_has_its_cost_and_samples_and_says_where_a_seed_did_not_hold() -> None:
    page = render(WRITTEN)
    assert "5,000 symbols of text that it has not seen" in page
    assert "3 of them the model does not know, and takes for one and the same" in page
    assert re.search(r"6-gram</th><td>2\.226</td>", page)
    assert page.count("the same seed wrote the same text again") == 1
    assert page.count("<b>the same seed wrote another text</b>") == 1
    assert "90.00 % of its words are in the training text" in page


def test_names_and_texts_are_only_ever_text() -> None:
    for found in (FORECASTS, WRITTEN):
        page = render(found)
        assert EVIL not in page
        assert "&lt;script&gt;" in page


def test_a_gap_parts_a_line_and_the_scale_holds_all_of_them() -> None:
    drawn = lines("x", [Line("a", "curve", 1, [0.0, None, 10.0, 5.0])], "steps", "Title", width=300)
    (path,) = re.findall(r'class="curve" d="(M[^h]*?)"', drawn)
    assert path.count("M") == 2
    assert path.count("L") == 1
    places = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
    assert places[0] > places[2] > places[1]
