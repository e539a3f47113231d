"""What counting and compressing reach: chances that sum to one, better where more stands before."""

import math

import numpy as np
import pytest

from modelyard.templates.corpus import code_points
from modelyard.templates.evaluate import ngrams


def test_frequencies_cost_their_entropy() -> None:
    train = code_points("ab" * 5000)
    (cost,) = ngrams.bits(train, code_points("ab" * 50), (1,)).values()
    assert cost == pytest.approx(1.0, abs=0.01)


def test_what_follows_for_sure_costs_next_to_nothing_once_enough_stands_before_it() -> None:
    text = "abac" * 3000
    found = ngrams.bits(code_points(text), code_points("abac" * 20), (1, 2, 3))
    assert found[1] > 1.4
    assert found[2] == pytest.approx(0.5, abs=0.1)
    assert found[3] < 0.1


def test_the_chances_of_all_symbols_sum_to_one() -> None:
    random = np.random.default_rng(0)
    train = random.integers(97, 101, 400).astype(np.uint32)
    before = "abc"
    each = [ngrams.bits(train, code_points(before + symbol), (3,))[3] * 4 for symbol in "abcd\u2603"]
    first = [ngrams.bits(train, code_points(before), (3,))[3] * 3] * 5
    assert sum(2.0 ** -(whole - start) for whole, start in zip(each, first, strict=True)) == pytest.approx(1.0)


def test_a_symbol_that_was_never_seen_costs_much_and_not_everything() -> None:
    found = ngrams.bits(code_points("abab" * 100), code_points("☃"), (1, 4))
    assert all(5 < cost < 20 and math.isfinite(cost) for cost in found.values())


def test_xz_needs_next_to_nothing_for_what_it_has_just_read() -> None:
    random = np.random.default_rng(1)
    text = "".join(chr(97 + number) for number in random.integers(0, 26, 20_000))
    assert ngrams.compressed(text, text[5000:9000]) < 0.2
    assert ngrams.compressed("nothing like it", text) > 4.5


def test_symbols_beyond_those_with_a_number_cost_what_their_frequency_says() -> None:
    train = np.tile(np.arange(20_000, 20_600, dtype=np.uint32), 20)
    found = ngrams.bits(train, train[:600], (1,))
    assert found[1] == pytest.approx(math.log2(600), abs=0.1)
    each = [ngrams.bits(train, np.array([symbol], np.uint32), (1,))[1] for symbol in range(20_000, 20_601)]
    assert sum(2.0**-cost for cost in each) == pytest.approx(1.0)


def test_a_model_that_takes_rare_symbols_for_one_is_compared_with_counts_that_do_so_too() -> None:
    symbols = np.arange(20_000, 23_000, dtype=np.uint32)
    train = np.repeat(symbols, np.arange(3000, 0, -1))
    judged = symbols[::2]
    for told_apart in (40, 700, 2000):
        unknown = int((judged >= 20_000 + told_apart).sum())
        assert ngrams.told_apart(train, judged, unknown) == told_apart
    assert ngrams.told_apart(train, judged, 0) == 3000
    new = np.append(judged, np.uint32(9731))
    assert ngrams.told_apart(train, new, 1) == 3000
    costs = [ngrams.bits(train, judged, (1,), told_apart)[1] for told_apart in (40, 700, 2000, 3000)]
    assert costs == sorted(costs)
    assert costs[0] < 3 < 11 < costs[-1]
