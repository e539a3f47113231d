"""Videos: every frame is decoded after their headers were looked at; some frames are looked at closer."""

from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.layouts import File, clips
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.videos import video_size
from modelyard.templates.profile.features import SHAPES
from modelyard.templates.profile.files import Misnamed, files_of, hash_files
from modelyard.templates.profile.frequencies import Distinct, Hashes
from modelyard.templates.profile.levels import counted
from modelyard.templates.profile.numbers import Numbers
from modelyard.templates.profile.portions import Portion
from modelyard.templates.profile.samples import FeatureSamples, Strip, small
from modelyard.templates.profile.unreadable import Unreadable

FRAMES = 6
"""Of each video, evenly spaced: their pixels are counted, and they are shown."""


class Videos:
    """Files of MP4, WebM or GIF."""

    def __init__(self, unreadable: Unreadable, samples: FeatureSamples) -> None:
        self._unreadable = unreadable
        self._samples = samples
        self.count = self.still = 0
        self.shapes: Counter[tuple[int, ...]] = Counter()
        self.encodings: Counter[str] = Counter()
        self.misnamed = Misnamed()
        self.distinct = Distinct()
        self._frames, self._seconds = Numbers(1.0, drawn=0), Numbers(drawn=0)
        self._width, self._height = Numbers(1.0, drawn=0), Numbers(1.0, drawn=0)
        self._levels = np.zeros(256, np.int64)

    @cached_property
    def _colours(self) -> Any:
        """One for all frames: making one takes longer than converting a small frame."""
        from av.video.reformatter import VideoReformatter

        return VideoReformatter()

    def add(self, portion: Portion, name: str) -> Hashes:
        from PIL import Image

        files = files_of(portion, name)
        wanted = frozenset(self._samples.wanted(portion, len(files)))
        for row, file in enumerate(files):
            try:
                video = video_size(file)
                pictures, seconds = self._decode(file, video.frames)
            except UnusableError as problem:
                self._unreadable.add(portion, row, str(problem))
                continue
            self.encodings[video.encoding] += 1
            self.misnamed.look(portion, row, video.encoding)
            if row in wanted:
                self._samples.keep(portion, row, Strip([small(Image.fromarray(each)) for each in pictures], seconds))
        hashes = hash_files(files)
        self.distinct.add(hashes)
        return hashes

    def _decode(self, file: File, claimed: int) -> tuple[list[NDArray[np.uint8]], float]:
        """Count what is in it; answers some frames, and how long it is. `claimed` frames, 0 where the header does not
        say. Raises UnusableError."""
        import av

        done = 0
        pictures: list[NDArray[np.uint8]] = []
        try:
            if not claimed:
                with file.open() as opened, av.open(opened, "r") as container:
                    claimed = clips.count_frames(container, clips.stream_of(container))
            chosen = frozenset(np.linspace(0, max(0, claimed - 1), FRAMES).astype(int).tolist())
            with file.open() as opened, av.open(opened, "r") as container:
                stream = clips.stream_of(container)
                rate = float(stream.average_rate or stream.base_rate or 25)
                for frame in clips.frames_of(container, stream):
                    if done in chosen:
                        picture = self._colours.reformat(frame, format="rgb24").to_ndarray()
                        pictures.append(np.ascontiguousarray(clips.turned(picture, clips.turn_of(frame))))
                    done += 1
        except av.FFmpegError as error:
            after = f" after frame {done:,}" if done else ""
            raise UnusableError(f"does not decode{after}: {clips.reason(error)}") from None
        if not pictures:
            raise UnusableError("holds no frame that decodes")
        height, width, colours = pictures[0].shape
        self.count += 1
        self.shapes[height, width, colours] += 1
        self._frames.add(np.array([done]))
        self._seconds.add(np.array([done / rate]))
        self._width.add(np.array([width]))
        self._height.add(np.array([height]))
        for picture in pictures:
            self._levels += counted(picture)
        self.still += done > 1 and all(np.array_equal(pictures[0], picture) for picture in pictures[1:])
        return pictures, done / rate

    def found(self) -> dict[str, Any]:
        measures = (
            ("frames", self._frames), ("seconds", self._seconds), ("width", self._width), ("height", self._height)
        )  # fmt: skip
        pixels = Numbers(1.0)
        pixels.add_levels(self._levels)
        return {
            "count": self.count,
            "distinctCount": self.distinct.count,
            "distinctEstimated": self.distinct.estimated,
            "number": pixels.found(),
            "lengths": [numbers.length(unit) for unit, numbers in measures if numbers.count],
            "shapes": [{"shape": list(shape), "count": count} for shape, count in self.shapes.most_common(SHAPES)],
            "encodings": [{"value": encoding, "count": count} for encoding, count in self.encodings.most_common()],
        }
