"""How written texts are judged, what a model of them has to beat, and how a page shows them."""

import tracemalloc

import numpy as np
import pytest

from modelyard.templates.evaluate import page, side_by_side, simple_writers, wording
from modelyard.templates.text_scores.bleu import bleu
from modelyard.templates.text_scores.chrf import chrf

REFERENCES = [f"strumento numero {number} per file" for number in range(40)]
ANSWERS = [text if number % 2 else text.replace("per file", "di dati") for number, text in enumerate(REFERENCES)]


def test_the_figures_of_a_corpus_are_those_of_its_texts_and_lie_in_their_intervals() -> None:
    found = wording.compared(ANSWERS, REFERENCES)
    metrics, intervals = wording.metrics(found, "translation"), wording.intervals(found)
    assert metrics["bleu"] == pytest.approx(bleu(ANSWERS, REFERENCES))
    assert metrics["chrf"] == pytest.approx(chrf(ANSWERS, REFERENCES))
    assert metrics["exact"] == 0.5
    assert metrics["length"] == 1.0
    for name, (low, high) in intervals.items():
        assert low < metrics[name] < high, name


def test_a_task_is_judged_by_its_own_metric_first() -> None:
    found = wording.compared(ANSWERS, REFERENCES)
    assert next(iter(wording.metrics(found, "summarisation"))) == "rouge_l"
    assert next(iter(wording.metrics(found, "translation"))) == "bleu"


def test_one_example_has_no_interval_and_an_empty_answer_is_worth_nothing() -> None:
    found = wording.compared([""], ["a file"])
    assert wording.intervals(found) == {}
    assert set(wording.metrics(found, "translation").values()) == {0.0}


def test_a_dictionary_of_the_pairs_is_the_floor_of_a_translation() -> None:
    train = [
        ("red box", "caja roja"),
        ("red car", "coche rojo"),
        ("blue box", "caja azul"),
        ("the blue box", "la caja azul"),
    ]
    translate = simple_writers.dictionary(train)
    assert translate("blue box ALSA") == "azul caja ALSA"
    floors = simple_writers.floors("translation", ["blue box"], ["azul caja"], train)
    assert floors["exact"] == {"value": 1.0, "by": "word by word with a dictionary of train"}
    assert simple_writers.floors("translation", ["blue box"], ["azul caja"], [])["exact"]["value"] == 0.0


def test_a_dictionary_takes_no_more_pairs_than_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    train = [("red box", "caja roja"), ("blue box", "caja azul"), ("red car", "coche rojo"), ("red cat", "gato rojo")]
    assert simple_writers.dictionary(train)("box red") == "caja rojo"
    monkeypatch.setattr(simple_writers, "MOST_COMBINATIONS", 12)
    assert simple_writers.dictionary(train)("box red") == "caja red"
    monkeypatch.setattr(simple_writers, "MOST_COMBINATIONS", 3)
    assert simple_writers.dictionary(train)("box red") == "box red"


def test_intervals_of_many_examples_need_little_room() -> None:
    count = 4000
    counts = np.random.default_rng(0).integers(1, 5, (count, 10 + 18))
    each = np.linspace(0, 1, count)
    found = wording.Wording(counts[:, :10], counts[:, 10:].reshape(count, 6, 3), each, each, each)
    tracemalloc.start()
    wording.intervals(found)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < wording.DRAWS * count


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Foo 2.0 is a tool for X. It is the best.", "tool for X"),
        ("A tool for X. It is the best.", "A tool for X."),
        ("Tools are the things", "things"),
    ],
)
def test_what_a_text_says_it_is_is_the_floor_of_a_summary(text: str, says: str) -> None:
    assert simple_writers.what_it_is(text) == says


def test_a_page_shows_texts_side_by_side_underlines_what_is_not_in_the_reference_and_runs_nothing() -> None:
    shown = {
        "example": 0,
        "path": "test.en:1",
        "source": "<b>x</b>",
        "reference": "a file file",
        "answer": "a file <i>dei</i> file",
        "chrf": 40.0,
    }
    found = {"worst": [shown], "shown": []}
    (section,) = side_by_side.sections(found)
    assert "a file &lt;" in section
    assert "<u>dei</u>" in section
    assert "<u>file</u>" not in section
    assert "&lt;b&gt;x&lt;/b&gt;" in section


def test_a_page_underlines_a_word_with_the_vowels_that_are_marks_of_it() -> None:
    shown = {
        "example": 0,
        "path": "",
        "source": "",
        "reference": "लड़की खाती है",
        "answer": "लड़की खाता है",
        "chrf": 1.0,
    }
    (section,) = side_by_side.sections({"worst": [shown], "shown": []})
    assert "<td>लड़की <u>खाता</u> है</td>" in section


def test_the_page_of_written_texts_names_what_reaches_the_floors() -> None:
    about = {"model": "", "dataset": "", "date": "", "split": "test", "seconds": 1.0, "random": [], "examples": 40}
    found = wording.compared(ANSWERS, REFERENCES)
    floors = simple_writers.floors("translation", ANSWERS, REFERENCES, [])
    rendered = page.render(
        {
            "kind": "writing",
            **about,
            "metrics": wording.metrics(found, "translation"),
            "floors": floors,
            "worst": [],
            "shown": [],
        }
    )
    assert "BLEU" in rendered
    assert "the source as it is" in rendered
    assert np.isfinite(found.each).all()
