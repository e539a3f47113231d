"""What a model gets that takes frames."""

import re

import numpy as np
import pytest

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting.media import content
from modelyard.sdk.predicting.model import Input
from tests.support.videos import claiming, of, turned, video


@pytest.mark.parametrize("form", ["mp4", "mov", "webm"])
def test_a_model_that_takes_any_size_gets_the_videos_own(form: str) -> None:
    shape, frames, _ = content(Input("clip", "uint8", (-1, 3, -1, -1, 3), "video"), video(form), None)
    assert shape == (3, 48, 64, 3)
    assert np.frombuffer(frames, np.uint8).reshape(shape).mean((1, 2, 3)) == pytest.approx([0, 80, 200], abs=12)


def test_a_video_of_a_phone_held_upright_is_sent_upright() -> None:
    pixels = np.zeros((1, 48, 64, 3), np.uint8)
    pixels[:, :24, :32] = 240
    data = turned(of(pixels, "mp4"), 0, 1, -1, 0)
    shape, frames, _ = content(Input("clip", "uint8", (-1, 1, -1, -1, 3), "video"), data, None)
    assert shape == (1, 64, 48, 3)
    found = np.frombuffer(frames, np.uint8).reshape(shape).astype(int)
    assert found == pytest.approx(np.rot90(pixels, -1, (1, 2)).astype(int), abs=30)


@pytest.mark.parametrize(
    "wanted", [Input("clip", "uint8", (-1, 3, 8, 8, 3), "video"), Input("clip", "string", (-1,), "video")]
)
def test_a_webm_that_is_too_large_is_refused_before_it_is_sent(wanted: Input) -> None:
    huge = claiming(video("webm", 1, (320, 256)), (320, 256), (16_000, 9_000))
    says = re.escape("clip: the file is 16,000 × 9,000 pixels; at most 67 million are decoded, so make it smaller")
    with pytest.raises(InvalidArgument, match=says) as refused:
        content(wanted, huge, None)
    assert refused.value.reason == "VIDEO_UNUSABLE"
