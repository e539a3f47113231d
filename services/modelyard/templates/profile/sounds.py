"""Sounds: decoded block by block after their headers were looked at."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.layouts import File
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.sounds import Sound, sound_length
from modelyard.layouts.waves import not_finite
from modelyard.templates.profile.features import SHAPES
from modelyard.templates.profile.files import Misnamed, files_of, hash_files
from modelyard.templates.profile.frequencies import Distinct, Hashes
from modelyard.templates.profile.numbers import Numbers
from modelyard.templates.profile.portions import Portion
from modelyard.templates.profile.samples import FeatureSamples
from modelyard.templates.profile.spectrograms import shown
from modelyard.templates.profile.unreadable import Unreadable

LOOKED_AT_S = 20.0
"""So much of a sound is drawn on the page."""
SILENT = 1e-4
"""-80 dB of full scale."""


class Sounds:
    """Files of WAV, FLAC or OGG."""

    def __init__(self, unreadable: Unreadable, samples: FeatureSamples) -> None:
        self._unreadable = unreadable
        self._samples = samples
        self.count = self.silent = self.clipped = 0
        self.rates: Counter[tuple[int, int]] = Counter()
        self.encodings: Counter[str] = Counter()
        self.misnamed = Misnamed()
        self.seconds = Numbers(drawn=0)
        self.distinct = Distinct()
        self._levels = Numbers()

    def add(self, portion: Portion, name: str) -> Hashes:
        files = files_of(portion, name)
        wanted = frozenset(self._samples.wanted(portion, len(files)))
        for row, file in enumerate(files):
            try:
                sound = sound_length(file)
                first = self._decode(file, sound, keep=row in wanted)
            except UnusableError as problem:
                self._unreadable.add(portion, row, str(problem))
                continue
            self.encodings[sound.encoding] += 1
            self.misnamed.look(portion, row, sound.encoding)
            if first is not None:
                self._samples.keep(portion, row, shown(*first))
        hashes = hash_files(files)
        self.distinct.add(hashes)
        return hashes

    def _decode(self, encoded: File, sound: Sound, *, keep: bool) -> tuple[NDArray[np.float32], int, float] | None:
        """Count what is in it; answers its beginning in one channel, the rate that it decodes at, which its header need
        not say, and how many seconds all of it takes. Raises UnusableError."""
        import soundfile

        from modelyard.layouts.recordings import UNKNOWN, Recording

        kept: list[NDArray[np.float32]] = []
        levels, loudest, frames = [], 0.0, 0
        try:
            with encoded.open() as opened, Recording(opened) as file:
                rate, channels = int(file.samplerate), int(file.channels)
                # Behind the last block of a compressed WAV, libsndfile decodes what is none.
                claimed = sound.samples if sound.encoding == "wav" and sound.samples else int(file.frames)
                for block in file.forward(claimed):
                    if wrong := not_finite(block, rate, frames):
                        raise UnusableError(f"holds {wrong}")
                    loudest = max(loudest, float(np.abs(block).max(initial=0.0)))
                    levels.append(block.ravel())
                    if keep and frames < LOOKED_AT_S * rate:
                        kept.append(block.mean(1, dtype=np.float32))
                    if len(levels) > 4:
                        self._levels.add(np.concatenate(levels))
                        levels = []
                    frames += len(block)
        except soundfile.LibsndfileError as error:
            raise UnusableError(
                f"is a {sound.encoding.upper()} that does not decode: {str(error.error_string).strip().rstrip('.')}"
            ) from None
        if not frames:
            raise UnusableError("holds no sound")
        if frames < claimed < UNKNOWN:
            raise UnusableError(f"is cut off: {claimed:,} samples are claimed, {frames:,} are there")
        for level in levels:
            self._levels.add(level)
        self.count += 1
        self.rates[rate, channels] += 1
        self.silent += loudest < SILENT
        self.clipped += loudest >= 1.0
        self.seconds.add(np.array([frames / rate]))
        if not keep:
            return None
        first = np.concatenate(kept)[: int(LOOKED_AT_S * rate)]
        return first, rate, frames / rate

    def found(self) -> dict[str, Any]:
        rates = [
            {"value": f"{rate:,} Hz, {channels} channel{'s' if channels > 1 else ''}", "count": count}
            for (rate, channels), count in self.rates.most_common(SHAPES)
        ]
        channels: Counter[int] = Counter()
        for (_, many), count in self.rates.items():
            channels[many] += count
        return {
            "count": self.count,
            "distinctCount": self.distinct.count,
            "distinctEstimated": self.distinct.estimated,
            "number": self._levels.found(),
            "lengths": [self.seconds.length("seconds")] if self.count else [],
            "shapes": [{"shape": [many], "count": count} for many, count in channels.most_common(SHAPES)],
            "topValues": rates,
            "encodings": [{"value": encoding, "count": count} for encoding, count in self.encodings.most_common()],
        }
