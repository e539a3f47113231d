"""MP4 and WebM as they are pushed, and as training and predictions take them."""

import io
import struct
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from modelyard.layouts import clips, pictures
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.videos import Video, video_size
from tests.support.sounds import wav
from tests.support.trees import InMemory, whole
from tests.support.videos import claiming, of, turned, video

HEIGHT, WIDTH, FRAMES = 48, 64, 6
FORMS = ("mp4", "webm")
SEGMENT, TRACKS, TRACK, KIND, PICTURES, WIDE, HIGH, CLUSTER = (
    bytes.fromhex(name) for name in ("18538067", "1654AE6B", "AE", "83", "E0", "B0", "BA", "1F43B675")
)
"""The elements of RFC 9559, by their ids."""


def element(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return kind + (len(inside) | 1 << 56).to_bytes(8, "big") + inside


def webm(*content: bytes) -> bytes:
    return b"\x1aE\xdf\xa3\x80" + element(SEGMENT, *content)


def track(kind: int, *content: bytes) -> bytes:
    return element(TRACK, element(KIND, bytes([kind])), *content)


def shown(width: int, height: int) -> bytes:
    sides = element(WIDE, width.to_bytes(4, "big")), element(HIGH, height.to_bytes(4, "big"))
    return track(1, element(PICTURES, *sides))


@pytest.mark.parametrize(("form", "frames"), [("mp4", FRAMES), ("webm", 0)])
def test_a_header_says_the_size_and_of_an_mp4_the_frames(form: str, frames: int) -> None:
    assert video_size(InMemory(video(form))) == Video(form, frames, HEIGHT, WIDTH)


@pytest.mark.parametrize("form", FORMS)
def test_so_many_frames_are_taken_from_the_first_to_the_last(form: str) -> None:
    found = clips.decode(video(form), 3, 24, 32)
    assert found.shape == (3, 24, 32, 3)
    assert found.mean((1, 2, 3)) == pytest.approx([0, 80, 200], abs=12)


def test_the_track_of_pictures_counts_wherever_it_is() -> None:
    file = InMemory(webm(element(b"\xec", b"\0" * 50), element(TRACKS, track(2), shown(300, 200))))
    assert video_size(file) == Video("webm", 0, 200, 300)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (webm(element(TRACKS, shown(20_000, 20_000))), "is 20,000 × 20,000 pixels; at most"),
        (webm(element(TRACKS, shown(0, 48))), "claims to be 0 × 48 pixels"),
        (webm(element(TRACKS, track(2))), "is a WebM file without a video track"),
        (webm(element(CLUSTER, b"\0" * 9)), "is a damaged WebM: its tracks are not described before its pictures"),
        (webm(*[element(b"\xec")] * 300, element(TRACKS, shown(64, 48))), "is a damaged WebM: its tracks are not"),
        (webm(b"\0" * 9), "is a damaged WebM: byte 17 begins no element"),
        (b"\x1aE\xdf\xa3\x80", "is cut off: a WebM without its segment"),
        (webm()[:8], "ends after 8 bytes, inside its header"),
    ],
)
def test_what_is_no_webm_or_too_large_is_said_of_its_header(data: bytes, said: str) -> None:
    with pytest.raises(UnusableError) as caught:
        video_size(InMemory(data))
    assert str(caught.value).startswith(said)


def test_a_webm_that_is_cut_off_is_none_unless_it_was_sent_live_and_never_said_how_long_it_is() -> None:
    complete, live = video("webm"), video("webm", options={"live": "1"})
    with pytest.raises(
        UnusableError, match=rf"^is cut off: a WebM of {len(complete):,} bytes, of which 600 are there$"
    ):
        video_size(InMemory(complete[:600]))
    assert video_size(InMemory(live[:600])) == Video("webm", 0, HEIGHT, WIDTH)


@pytest.mark.parametrize("form", FORMS)
def test_more_than_is_decoded_is_refused_before_it_is_decoded(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MAX_PIXELS", 3 * HEIGHT * WIDTH)
    monkeypatch.setattr(clips, "frames_of", None)
    with pytest.raises(ValueError, match=r"^it has more than 3 frames of 64 × 48 pixels, too much to be decoded"):
        clips.decode(video(form), 3, 24, 32)


def test_a_frame_that_is_larger_than_its_header_says_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    small = claiming(video("webm", size=(320, 256)), (320, 256), (300, 256))
    assert clips.decode(small, 3, 24, 32).any()
    monkeypatch.setattr(pictures, "MAX_PIXELS", 310 * 256)
    with pytest.raises(ValueError, match=r"Invalid argument: a frame is damaged, or has more than 0 million pixels$"):
        clips.decode(small, 3, 24, 32)


def test_frames_are_counted_at_the_size_that_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    small = claiming(video("webm", size=(320, 272)), (320, 272), (256, 256))
    monkeypatch.setattr(clips, "MAX_PIXELS", FRAMES * 256 * 256)
    with pytest.raises(ValueError, match=r"^it has more than 393,216 pixels in its first 5 frames, too much to be"):
        clips.decode(small, 3, 24, 32)


def test_what_has_sound_alone_is_no_video() -> None:
    with pytest.raises(ValueError, match=r"^it has no video track$"):
        clips.decode(wav(), 3, 24, 32)


@pytest.mark.parametrize(
    ("form", "options"),
    [("mov", {}), ("mp4", {"movflags": "frag_keyframe+empty_moov"}), ("webm", {"live": "1"})],
    ids=["quicktime", "mp4-in-fragments", "webm-as-it-is-sent-live"],
)
def test_a_size_is_found_however_the_file_was_written(form: str, options: dict[str, str]) -> None:
    data = video(form, options=options)
    found = video_size(InMemory(data))
    assert (found.height, found.width) == (HEIGHT, WIDTH)
    assert clips.decode(data, 3, 24, 32).mean((1, 2, 3)) == pytest.approx([0, 80, 200], abs=12)


TURNS = {
    "by 90°": ((0, 1, -1, 0), ["transpose=clock"]),
    "by 180°": ((-1, 0, 0, -1), ["hflip", "vflip"]),
    "by 270°": ((0, -1, 1, 0), ["transpose=cclock"]),
    "in a mirror": ((-1, 0, 0, 1), ["hflip"]),
    "in a mirror and by 90°": ((0, 1, 1, 0), ["transpose=cclock_flip"]),
    "in a mirror and by 270°": ((0, -1, -1, 0), ["transpose=clock_flip"]),
}
"""Matrices, and the filters with which the program ffmpeg shows what has them."""


def corners() -> bytes:
    """A video of one frame whose quarters all differ."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2], pixels[: HEIGHT // 2, WIDTH // 2 :] = 240, 160
    pixels[HEIGHT // 2 :, : WIDTH // 2] = 80
    return of(pixels[np.newaxis], "mp4")


def filtered(data: bytes, filters: list[str]) -> NDArray[np.int64]:
    """The first frame, as FFmpeg's filters have it."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        graph: Any = av.filter.Graph()
        nodes = [graph.add_buffer(template=stream), *(graph.add(*each.split("=")) for each in filters)]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        graph.push(next(container.decode(stream)))
        return np.asarray(graph.pull().to_ndarray(format="rgb24"), np.int64)


@pytest.mark.parametrize("box", [b"tkhd", b"mvhd"])
@pytest.mark.parametrize("turn", TURNS)
def test_a_video_is_decoded_as_players_show_it(turn: str, box: bytes) -> None:
    matrix, filters = TURNS[turn]
    data = turned(corners(), *matrix, box=box)
    shown = filtered(data, filters)
    found = video_size(InMemory(data))
    assert (found.height, found.width) == shown.shape[:2]
    assert clips.decode(data, 1, found.height, found.width)[0].astype(int) == pytest.approx(shown, abs=3)


def test_a_turn_of_the_movie_follows_that_of_its_track() -> None:
    data = turned(turned(corners(), 0, 1, -1, 0), 0, 1, -1, 0, box=b"mvhd")
    assert video_size(InMemory(data)) == Video("mp4", 1, HEIGHT, WIDTH)
    shown = filtered(data, ["hflip", "vflip"])
    assert clips.decode(data, 1, HEIGHT, WIDTH)[0].astype(int) == pytest.approx(shown, abs=3)


def test_a_matrix_that_shows_nothing_turns_nothing() -> None:
    data = turned(corners(), 0, 0, 0, 0)
    assert video_size(InMemory(data)) == Video("mp4", 1, HEIGHT, WIDTH)
    assert clips.decode(data, 1, HEIGHT, WIDTH)[0].astype(int) == pytest.approx(filtered(data, []), abs=3)


def test_turned_videos_keep_their_shape_at_any_size() -> None:
    found = clips.decode(turned(corners(), 0, 1, -1, 0), 1, 8, 6)[0]
    assert found[:4, 3:].mean() > found[:4, :3].mean() > 60 > found[4:, :3].mean()


def test_boxes_in_boxes_without_an_end_are_a_reason() -> None:
    inside = b""
    for _ in range(3000):
        inside = struct.pack(">I4s", 8 + len(inside), b"mdia") + inside
    for kind in (b"trak", b"moov"):
        inside = struct.pack(">I4s", 8 + len(inside), kind) + inside
    with pytest.raises(UnusableError, match=r"^is an MP4 file without a video track$"):
        video_size(InMemory(inside))


def test_videos_are_pushed_and_those_that_are_too_large_are_named() -> None:
    huge = claiming(video("webm", size=(320, 256)), (320, 256), (16_000, 9_000))
    forms = ("mp4", "mov", "webm")
    files = {f"{label}/{form}.{form}": video(form, 2 + at) for at, label in enumerate("ab") for form in forms}
    description, rows, problems = whole(files | {"a/huge.webm": huge})
    assert description.features[0].kind == "video"
    assert problems == ["a/huge.webm: is 16,000 × 9,000 pixels; at most 67 million are decoded, so make it smaller"]
    found = {
        origin: data
        for split in rows.values()
        for origin, data in zip(split.origins, split.columns["video"], strict=True)
    }
    assert found == files
