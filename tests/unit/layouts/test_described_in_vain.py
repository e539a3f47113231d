"""What no description can hold is refused when it is pushed, not when it is read."""

import pytest

from modelyard.layouts import LayoutUnknown
from tests.support.pictures import picture
from tests.support.trees import detected
from tests.unit.layouts.test_tfrecord import example, framed

LONG = "x" * 1025


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        ({f"{at:05}.txt": "a line\n" for at in range(20_001)}, {}, "files has 20,001 entries, more than 20,000"),
        ({"a.csv": "x,label\n" + f"1.5,{LONG}\n2.5,b\n" * 20}, {}, "features.label.classes holds 'xxx"),
        ({"a.csv": f"{LONG},label\n" + "1.5,a\n2.5,b\n" * 20}, {"header": True}, "features.xxx"),
        (
            {f"{name}/{at}.png": picture(at) for name in ("a\u2028", "b") for at in range(9)},
            {},
            "which is not printable",
        ),
        (
            {f"{name}/{at}.png": picture(at) for name in ("a\u202e", "b") for at in range(9)},
            {},
            "which is not printable",
        ),
        (
            {"a.tfrecord": framed([example(x=[1.0], y=[at]) for at in range(40)])},
            {"features": {"x": {}, "y": {"kind": "category", "role": "target", "shape": [None]}}},
            "features.y.classes must be a list of at least one name",
        ),
    ],
    ids=["files", "class", "column", "line separator", "override", "classes"],
)
def test_what_no_description_can_hold_is_refused(
    files: dict[str, str | bytes], options: dict[str, object], said: str
) -> None:
    with pytest.raises(LayoutUnknown) as refused:
        detected(files, **options)
    assert refused.value.message.startswith("no description could hold this: ")
    assert said in refused.value.message
    assert refused.value.reason == "DATASET_DESCRIPTION_WRONG"


def test_a_description_is_no_larger_than_the_catalog_reads() -> None:
    names = [f"{at:06}" + "x" * 194 for at in range(16_000)]
    text = "x,label\n" + "".join(f"{at / 7},{name}\n" for at, name in enumerate(names))
    with pytest.raises(LayoutUnknown, match=r"^the description would take 3,3\d\d,\d\d\d bytes, more than 3,145,728"):
        detected({"a.csv": text}, features={"label": {"kind": "category"}})
