"""Strangers' texts, as they are kept and shown."""

import pytest

from modelyard.templates.profile.texts import readable, short

PERSIAN = "می\u200cخواهم"
FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize("text", [PERSIAN, FAMILY, "ශ්\u200dරී"])
def test_what_joins_letters_and_keeps_them_apart_stays(text: str) -> None:
    assert readable(text.encode()) == text


def test_a_soft_hyphen_is_no_space() -> None:
    assert short("Donau\u00addampf\u00adschiff") == "Donaudampfschiff"


@pytest.mark.parametrize("odd", ["\x1b", "\x00", "\u202e", "\u2066", "\u200b", "\u2028", "\ud800"])
def test_what_commands_a_terminal_or_turns_text_around_does_not(odd: str) -> None:
    assert short(f"a{odd}b") in ("a b", "a?b")
