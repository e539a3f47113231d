from hypothesis import given
from hypothesis import strategies as st

from modelyard.layouts.splitting import HELD_OUT, hash_split


def test_which_examples_are_held_out_never_changes() -> None:
    names = [f"{label}/{number:05}.png" for label in ("cat", "dog") for number in range(20)]
    assert [name for name in names if hash_split(name, HELD_OUT) == "test"] == [
        "cat/00001.png",
        "cat/00010.png",
        "dog/00009.png",
        "dog/00012.png",
        "dog/00013.png",
        "dog/00015.png",
    ]


@given(st.text(), st.integers(0, 40), st.integers(0, 40))
def test_a_larger_part_holds_what_a_smaller_one_held(key: str, percent: int, more: int) -> None:
    if hash_split(key, {"test": percent}) == "test":
        assert hash_split(key, {"test": percent + more, "validation": 10}) == "test"


def test_about_so_many_percent_are_held_out() -> None:
    splits = [hash_split(str(number), {"test": 10, "validation": 25}) for number in range(10_000)]
    assert 900 < splits.count("test") < 1100
    assert 2350 < splits.count("validation") < 2650
