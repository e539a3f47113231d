"""BLEU, chrF and ROUGE against what sacrebleu 2.6.0 and rouge-score 0.1.2 say of the same texts."""

import itertools

import numpy as np
import pytest

from modelyard.templates.text_scores import rouge
from modelyard.templates.text_scores.bleu import bleu, words
from modelyard.templates.text_scores.chrf import chrf
from modelyard.templates.text_scores.rouge import mean_rouge_l, rouge_1, rouge_l

ANSWERS = [
    "The dog bit the man.",
    "It wasn't surprising.",
    "The man had just bitten him.",
]
REFERENCES = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
"""The example in sacrebleu's README, with the first set of references."""


def test_bleu_is_that_of_sacrebleu() -> None:
    assert bleu(ANSWERS, REFERENCES) == pytest.approx(45.06750632106114)
    assert bleu(ANSWERS[2:], REFERENCES[2:]) == pytest.approx(15.619699684601283)
    assert bleu(REFERENCES, REFERENCES) == pytest.approx(100.0)
    assert bleu(["", "x"], ["a b", "c d"]) == 0.0


def test_words_are_cut_as_mteval_does_it() -> None:
    cut = "1,000 files ( v3.2 - rc1 ) , don't & won’t – e . g . C + + ."
    assert " ".join(words("1,000 files (v3.2-rc1), don't &amp; won’t – e.g. C++.")) == cut


def test_chrf_is_that_of_sacrebleu() -> None:
    assert chrf(ANSWERS, REFERENCES) == pytest.approx(50.043063606582294)
    assert chrf(["ab"], ["abc def"]) == pytest.approx(31.25)
    assert chrf([""], ["abc"]) == 0.0


def test_rouge_is_that_of_rouge_score() -> None:
    answer, reference = "The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log."
    assert rouge_l(answer, reference) == pytest.approx(0.5882352941176471)
    assert rouge_1(answer, reference) == pytest.approx(0.7058823529411765)
    assert mean_rouge_l([answer, ""], [reference, reference]) == pytest.approx(rouge_l(answer, reference) / 2)


def test_letters_of_every_script_are_words_for_rouge() -> None:
    assert rouge_l("però così", "Però CASÌ") == pytest.approx(0.5)
    assert np.isclose(rouge_1("好 世界", "世界 好"), 1.0)


def test_a_vowel_that_is_a_mark_belongs_to_its_word_for_rouge() -> None:
    assert rouge.words("लड़की खाती है") == ["लड़की", "खाती", "है"]
    assert rouge_l("लड़की खाती है", "लड़का खाता था") == 0.0
    assert rouge.words("perche\u0301 no") == ["perche\u0301", "no"]
    assert rouge.words("می\u200cخواهم") == ["می\u200cخواهم"]


def test_scripts_without_spaces_are_compared_letter_by_letter() -> None:
    assert rouge.words("我爱北京ABC 123") == ["我", "爱", "北", "京", "abc", "123"]
    assert rouge_l("我爱北京", "我爱东京") == pytest.approx(0.75)
    assert rouge.words("ที่นี่") == ["ที่", "นี่"]


def test_a_longest_common_sequence_is_the_longest_that_trying_all_finds() -> None:
    def tried(one: str, other: str) -> int:
        some = (each for size in range(len(one) + 1) for each in itertools.combinations(one.split(), size))
        return max(len(each) for each in some if _is_in(each, other.split()))

    def _is_in(each: tuple[str, ...], words: list[str]) -> bool:
        left = iter(words)
        return all(word in left for word in each)

    random = np.random.default_rng(0)
    for _ in range(50):
        one, other = (" ".join(random.choice(list("abc"), random.integers(1, 8))) for _ in range(2))
        shared, lengths = tried(one, other), len(one.split()) + len(other.split())
        assert rouge_l(one, other) == pytest.approx(2 * shared / lengths), (one, other)
