"""Page tokens continue the list they came from, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.pages import PageTokens, clamp_page_size

TOKENS = PageTokens(b"secret")


@given(st.lists(st.one_of(st.text(), st.integers(-(2**62), 2**62)), max_size=4), st.text(), st.text())
def test_a_token_comes_back(position: list[str | int], parent: str, filter: str) -> None:
    token = TOKENS.encode(position, parent=parent, filter=filter)
    assert TOKENS.decode(token, parent=parent, filter=filter) == position
    assert token.isascii()


def test_no_token_is_the_first_page() -> None:
    assert TOKENS.decode("", parent="projects/p") is None


@pytest.mark.parametrize("scope", [{"parent": "projects/q"}, {"parent": "projects/p", "filter": "x"}, {}])
def test_a_token_of_another_list_is_refused(scope: dict[str, str]) -> None:
    token = TOKENS.encode(["mnist"], parent="projects/p")
    with pytest.raises(InvalidArgument) as caught:
        TOKENS.decode(token, **scope)
    assert caught.value.field == "page_token"


@given(st.text(max_size=200))
def test_forged_tokens_are_refused(forged: str) -> None:
    if forged:
        with pytest.raises(InvalidArgument):
            TOKENS.decode(forged, parent="projects/p")


def test_a_token_with_one_letter_changed_is_refused() -> None:
    token = TOKENS.encode(["mnist", 3], parent="projects/p")
    for index in range(len(token) - 1):
        other = "A" if token[index] != "A" else "B"
        with pytest.raises(InvalidArgument):
            TOKENS.decode(token[:index] + other + token[index + 1 :], parent="projects/p")


def test_a_token_of_another_secret_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        PageTokens(b"other").decode(TOKENS.encode(["a"], parent="p"), parent="p")


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (1000, 1000), (5000, 1000)])
def test_page_sizes_are_clamped(asked: int, given: int) -> None:
    assert clamp_page_size(asked) == given


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        clamp_page_size(-1)
    assert caught.value.field == "page_size"
