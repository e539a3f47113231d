"""Templates that encode their data before they train go on where an earlier attempt was stopped."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelyard.job.messages import Checkpoint, Exported, Metric, Prepared
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.specs import SHIPPED, get_template
from tests.integration.job.child import Child, only, variables
from tests.integration.templates.recordings import plate
from tests.support import identities
from tests.support.scenes import scenes

pytestmark = [pytest.mark.timeout(300), pytest.mark.soak]


def moving(way: str, number: int) -> bytes:
    """The GIF of a bright square."""
    frames = []
    for frame in range(4):
        pixels = np.zeros((16, 16), np.uint8)
        pixels[4:9, :5] = 200
        frames.append(Image.fromarray(np.roll(pixels, number + (2 if way == "right" else -2) * frame, 1)))
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def plates(splits: dict[str, int]) -> dict[str, bytes]:
    """Written as people write on plates, so that a table's reader takes them for texts."""
    random = np.random.default_rng(0)
    found: dict[str, bytes] = {}
    for split, count in splits.items():
        written = [f"AB {number:02} B" for number in range(count)]
        rows = (f"{split}/{number}.png,{text}\n" for number, text in enumerate(written))
        found[f"{split}.csv"] = "".join(["image,transcript\n", *rows]).encode()
        found |= {f"{split}/{number}.png": plate(text, random) for number, text in enumerate(written)}
    return found


FILES = {
    "tabular": {
        "t.csv": b"age,job,pay\n"
        + b"".join(b"%d,%s,%d\n" % (n % 61, b"abc"[n % 3 :][:1], n % 61 * 10) for n in range(900))
    },
    "text-classification": {
        "t.csv": b"text,label\n"
        + b"".join(
            b"word%d is %s,%s\n" % (n % 50, *((b"good", b"up") if n % 2 else (b"bad", b"down"))) for n in range(900)
        )
    },
    "translation": {
        "t.en": b"".join(b"the word %d\n" % n for n in range(300)),
        "t.it": b"".join(b"la parola %d\n" % n for n in range(300)),
    },
    "forecasting": {
        "train.csv": b"time,load\n" + b"".join(b"%d,%d\n" % (3600 * n, n % 24) for n in range(480_000, 480_300)),
        "test.csv": b"time,load\n" + b"".join(b"%d,%d\n" % (3600 * n, n % 24) for n in range(480_300, 480_400)),
    },
    "text-generation": {
        "train.txt": b"".join(b"line %d of the text\n" % n for n in range(300)),
        "test.txt": b"".join(b"line %d of the text\n" % n for n in range(20)),
    },
    "video-classification": {
        f"{split}/{name}/{number}.gif": moving(name, number)
        for split, count in (("train", 40), ("test", 8))
        for number in range(count)
        for name in ("left", "right")
    },
    "object-detection": scenes({"train": 24, "test": 8}),
    "text-recognition": plates({"train": 40, "test": 8}),
    "image-embedding": identities.pictures({"train": range(16), "test": range(16, 22)}),
}
SMALL: dict[str, dict[str, Any]] = {
    "forecasting": {"window": 24, "horizon": 4, "units": 8},
    "text-generation": {"window": 16, "units": 16, "epochs": 2, "batch_size": 8},
    "video-classification": {"frames": 4, "units": 8},
    "object-detection": {"width": 8},
    "text-recognition": {"units": 4},
    "image-embedding": {"loss": "arcface", "image_size": identities.SIDE, "width": 4, "units": 8},
}


@pytest.mark.parametrize(
    ("template", "target"),
    [
        ("tabular", "pay"),
        ("text-classification", "label"),
        ("translation", ""),
        ("forecasting", "load"),
        ("text-generation", ""),
        ("video-classification", ""),
        ("object-detection", ""),
        ("text-recognition", "transcript"),
        ("image-embedding", ""),
    ],
)
def test_a_stopped_job_of_a_template_ends_like_one_that_was_not_stopped(
    tmp_path: Path, template: str, target: str
) -> None:
    spec: dict[str, Any] = {
        "code": str(SHIPPED / template),
        "entry": get_template(template).entry,
        "parameters": get_template(template).complete({"epochs": 3, "batch_size": 4, **SMALL.get(template, {})}),
    }
    for part in ("whole", "first", "second"):
        options = Options(target=target) if target else None
        prepare_dataset(tmp_path / part / "inputs/dataset", FILES[template], options=options)
    with Child(tmp_path / "whole", **spec) as child:
        status, expected = child.finish()
    assert status == 0, (tmp_path / "whole/log").read_text()

    with Child(tmp_path / "first", **spec) as child:
        status, begun = child.finish(lambda message: isinstance(message, Prepared))
    assert status == 0, (tmp_path / "first/log").read_text()
    assert not only(begun, Exported)
    saved = only(begun, Checkpoint)[-1]
    with Child(tmp_path / "second", attempt=2, resume=saved.path, resume_step=saved.step, **spec) as child:
        status, ended = child.finish()
    assert status == 0, (tmp_path / "second/log").read_text()

    last = only(expected, Checkpoint)[-1].step
    assert 0 < saved.step < last
    assert only(begun, Metric) + only(ended, Metric) == only(expected, Metric)
    for ours, theirs in zip(
        variables(tmp_path / f"whole/checkpoints/{last}"),
        variables(tmp_path / f"second/checkpoints/{last}"),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
