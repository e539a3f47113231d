"""MP4 and WebM as they are pushed, and as training and predictions take them."""

import io

import av
import numpy as np
import pytest

from modelyard.layouts import clips
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.videos import Video, video_size
from tests.support.trees import InMemory

HEIGHT, WIDTH, FRAMES = 48, 64, 6
CODECS = {"mp4": "libx264", "webm": "libvpx"}
SEGMENT, TRACKS, TRACK, KIND, PICTURES, WIDE, HIGH, CLUSTER = (
    bytes.fromhex(name) for name in ("18538067", "1654AE6B", "AE", "83", "E0", "B0", "BA", "1F43B675")
)
"""The elements of RFC 9559, by their ids."""


def video(form: str) -> bytes:
    """Six frames, each lighter than the one before."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream(CODECS[form], rate=25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for level in range(FRAMES):
            pixels = np.full((HEIGHT, WIDTH, 3), 40 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def element(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return kind + (len(inside) | 1 << 56).to_bytes(8, "big") + inside


def webm(*content: bytes) -> bytes:
    return b"\x1aE\xdf\xa3\x80" + element(SEGMENT, *content)


def track(kind: int, *content: bytes) -> bytes:
    return element(TRACK, element(KIND, bytes([kind])), *content)


def pictures(width: int, height: int) -> bytes:
    sides = element(WIDE, width.to_bytes(4, "big")), element(HIGH, height.to_bytes(4, "big"))
    return track(1, element(PICTURES, *sides))


@pytest.mark.parametrize(("form", "frames"), [("mp4", FRAMES), ("webm", 0)])
def test_a_header_says_the_size_and_of_an_mp4_the_frames(form: str, frames: int) -> None:
    assert video_size(InMemory(video(form))) == Video(form, frames, HEIGHT, WIDTH)


@pytest.mark.parametrize("form", CODECS)
def test_so_many_frames_are_taken_from_the_first_to_the_last(form: str) -> None:
    found = clips.decode(video(form), 3, 24, 32)
    assert found.shape == (3, 24, 32, 3)
    assert found.mean((1, 2, 3)) == pytest.approx([0, 80, 200], abs=12)


def test_the_track_of_pictures_counts_wherever_it_is() -> None:
    file = InMemory(webm(element(b"\xec", b"\0" * 50), element(TRACKS, track(2), pictures(300, 200))))
    assert video_size(file) == Video("webm", 0, 200, 300)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (webm(element(TRACKS, pictures(20_000, 20_000))), "is 20,000 × 20,000 pixels; at most"),
        (webm(element(TRACKS, pictures(0, 48))), "claims to be 0 × 48 pixels"),
        (webm(element(TRACKS, track(2))), "is a WebM file without a video track"),
        (webm(element(CLUSTER, b"\0" * 9)), "is a damaged WebM: its tracks are not described before its pictures"),
        (webm(b"\0" * 9), "is a damaged WebM: byte 17 begins no element"),
        (b"\x1aE\xdf\xa3\x80", "is cut off: a WebM without its segment"),
        (webm()[:8], "ends after 8 bytes, inside its header"),
    ],
)
def test_what_is_no_webm_or_too_large_is_said_of_its_header(data: bytes, said: str) -> None:
    with pytest.raises(UnusableError) as caught:
        video_size(InMemory(data))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("form", CODECS)
def test_more_than_is_decoded_is_refused_before_it_is_decoded(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MAX_PIXELS", 3 * HEIGHT * WIDTH)
    with pytest.raises(ValueError, match=r"^it has more than 4 frames of 3,072 pixels, too much to be decoded"):
        clips.decode(video(form), 3, 24, 32)
