"""Sounds decoded from their beginning on, block by block: a header need not be true, nor say how long they are.

Whoever has no soundfile can't import it.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from soundfile import SoundFile

from modelyard.layouts.heads import UnusableError
from modelyard.layouts.sounds import MAX_SAMPLES

BLOCK = 1 << 16
"""Samples over all channels that are decoded at once."""
UNKNOWN = 1 << 62
"""libsndfile has more frames than this in a file that does not say how many there are."""


class Recording(SoundFile):  # type: ignore[misc]
    """A WAV, FLAC or OGG file, opened for reading in one direction."""

    def seekable(self) -> bool:
        """No. SoundFile would seek behind each read, which fails at the end of a FLAC that does not say how long it
        is."""
        return False

    def forward(self, end: int = UNKNOWN) -> Iterator[NDArray[np.float32]]:
        """The samples before `end`, or as many as there are, [n, channels] at a time.

        Raises UnusableError for more than MAX_SAMPLES over all channels, and soundfile.LibsndfileError for what does
        not decode.
        """
        channels = int(self.channels)
        done = 0
        together = max(1, BLOCK // channels)
        while len(block := self.read(min(together, end - done), "float32", always_2d=True)):
            done += len(block)
            if done * channels > MAX_SAMPLES:
                raise UnusableError(
                    f"has more than {done - len(block):,} samples in {channels} channel(s); at most {MAX_SAMPLES:,} "
                    "are decoded, so cut it into pieces"
                )
            yield block
