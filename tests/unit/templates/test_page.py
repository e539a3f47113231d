import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.templates.evaluate import document, page
from modelyard.templates.evaluate.classification import Classification
from modelyard.templates.evaluate.document import About
from modelyard.templates.evaluate.elements import number, percent
from modelyard.templates.evaluate.matching import match
from modelyard.templates.evaluate.mistakes import Mistakes
from modelyard.templates.evaluate.pictures import data_uri
from modelyard.templates.evaluate.regression import Regression
from modelyard.templates.evaluate.style import STYLE

HOSTILE = (
    '<script>alert("x")</script>',
    '"><img src=http://evil/ onerror=alert(1)>',
    "a&b'c",
    "</title></style>",
    "ok",
)


def evaluated(names: tuple[str, ...], examples: int = 400, model: tuple[str, ...] | None = None) -> dict[str, Any]:
    """A classifier that is mostly right, on noise."""
    random = np.random.default_rng(0)
    known = model or names
    found, mistakes = Classification(match(names, known, len(known)), 15), Mistakes(6)
    true = random.integers(0, len(names), examples)
    scores = random.normal(size=(examples, len(known)))
    for row, label in enumerate(true):
        if names[label] in known:
            scores[row, known.index(names[label])] += 3
    powers = np.exp(scores)
    judged = found.add(true, powers / powers.sum(1, keepdims=True))
    mistakes.add(np.arange(examples), true, judged)
    about = About("test", examples, "probabilities", "probabilities", 1.5)
    image = data_uri(random.integers(0, 256, (8, 8, 1)).astype(np.uint8))
    return document.of_classification(
        about, found, mistakes.worst, lambda example: {"path": f"{names[0]}/{example}.png", "image": image}
    )


class Elements(HTMLParser):
    """What a page consists of; fails where an element is left open or closed twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("count", [2, 3, 10, 30, 100, 300])
def test_a_page_is_whole_for_any_number_of_classes(count: int) -> None:
    names = tuple(f"class {number}" for number in range(count))
    text = page.render(evaluated(names))
    elements = Elements(text)
    assert "svg" in [tag for tag, _ in elements.seen]
    assert "Class by class" in text
    assert ('aria-labelledby="confusion-title"' in text) == (count <= 100)
    assert len(text) < 2_000_000


def test_a_page_asks_for_nothing_and_runs_nothing() -> None:
    for tag, attributes in Elements(page.render(evaluated(HOSTILE))).seen:
        assert tag not in ("script", "link", "iframe", "object", "base", "form", "use", "image")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "data", "action"):
                assert (value or "").startswith("data:image/png;base64,")
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_hostile_names_are_shown_as_they_are_and_are_no_markup() -> None:
    elements = Elements(page.render(evaluated(HOSTILE)))
    shown = "".join(elements.text)
    for name in HOSTILE:
        assert name in shown
    pictures = [attributes for tag, attributes in elements.seen if tag == "img"]
    assert len(pictures) == 6
    assert all(HOSTILE[0] in (attributes["alt"] or "") for attributes in pictures)


def test_tables_have_captions_and_scopes_and_pictures_have_titles() -> None:
    elements = Elements(page.render(evaluated(("a", "b", "c")))).seen
    tags = [tag for tag, _ in elements]
    assert tags.count("caption") == tags.count("table") == 3
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in elements if tag == "th")
    titles = {attributes["id"] for tag, attributes in elements if tag == "title" and "id" in attributes}
    assert titles == {attributes["aria-labelledby"] for tag, attributes in elements if tag == "svg"}
    assert all(attributes.get("alt") for tag, attributes in elements if tag == "img")


def test_what_does_not_match_is_said() -> None:
    found = evaluated(("a", "b", "c"), model=("b", "a", "zebra"))
    assert found["unknown_to_model"] == ["c"]
    assert found["unknown_to_dataset"] == ["zebra"]
    text = re.sub("<.*?>", "", page.render(found))
    assert "The model does not know c: all examples of these count as mistakes, without log loss." in text
    assert "The dataset does not have zebra, which the model may answer, always wrongly." in text


def test_a_perfect_model_has_no_mistakes_to_show() -> None:
    found = Classification(match("ab", "ab", 2), 15)
    found.add(np.array([0, 1]), np.eye(2))
    about = About("test", 2, "probabilities", "probabilities", 0.1)
    text = page.render(document.of_classification(about, found, []))
    assert "No mistakes." in text
    assert "Worst mistakes" not in text


def test_a_report_says_whose_it_is_and_of_when() -> None:
    names = "projects/p/models/shapes-mypackage/versions/1", "projects/p/datasets/sha<p>es/versions/12"
    regression = Regression()
    regression.add(np.array([1.0, 2.0]), np.array([1.5, 2.5]))
    about = About("test", 1000, "number", "answer", 0.1, *names, "2026-11-25T02:30:59+00:00")
    found = document.of_regression(about, regression)
    assert (found["model"], found["dataset"], found["date"]) == (*names, "2026-11-25T02:30:59+00:00")
    text = page.render(found)
    Elements(text)
    assert "<title>shapes-mypackage@1 on sha&lt;p&gt;es@12, test</title>" in text
    assert "<h1>shapes-mypackage@1 on sha&lt;p&gt;es@12</h1>" in text
    assert "2026-11-25 02:30 UTC</time>: 1,000 examples of the split <b>test</b>" in text


def test_a_report_of_names_that_nobody_told_has_a_heading_all_the_same() -> None:
    assert "<h1>Evaluation</h1>" in page.render(evaluated(("a", "b")))


def test_percentages_are_never_rounded_to_what_they_are_not() -> None:
    assert percent(0.999999) == "&gt; 99.99 %"
    assert percent(0.000001) == "&lt; 0.01 %"
    assert percent(1.0) == "100.00 %"
    assert percent(0.0) == "0.00 %"


def test_numbers_keep_their_digits_before_the_point() -> None:
    assert [number(value) for value in (0.012346, 12345.6, 3.0, -7.25, 0.0)] == ["0.01235", "12,346", "3", "−7.25", "0"]
    assert [number(value, sign=True) for value in (2.5, -2.5)] == ["+2.5", "−2.5"]


def test_a_regression_has_its_own_numbers() -> None:
    regression = Regression()
    regression.add(np.array([1.0, 2.0]), np.array([1.5, 2.5]))
    found = document.of_regression(About("train", 2, "number", "answer", 0.1), regression)
    assert set(found["metrics"]) == {"mae", "rmse", "bias", "r2"}
    Elements(page.render(found))


def test_the_document_is_plain_json_of_a_known_format(tmp_path: Path) -> None:
    found = evaluated(("a", "b"))
    document.write(tmp_path / "evaluation.json", found)
    read = json.loads((tmp_path / "evaluation.json").read_text())
    assert read == json.loads(json.dumps(found))
    assert (read["format"], read["kind"], read["split"], read["examples"]) == (1, "classification", "test", 400)
    assert sum(count for *_, count in read["confusion"]) == 400
    with pytest.raises(ValueError, match="Out of range float"):
        document.write(tmp_path / "evaluation.json", {**found, "seconds": float("nan")})
