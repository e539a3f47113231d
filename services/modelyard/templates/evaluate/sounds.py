"""A sound within a page: what it looks like, and the sound itself where it is small."""

import base64
import io
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from typing import Any

import numpy as np

from modelyard.job.columns import Column
from modelyard.layouts.sounds import sound_length
from modelyard.templates.profile.samples import Sound
from modelyard.templates.profile.spectrograms import drawn, shown

LOOKED_AT_S = 20.0
"""So much of it is drawn."""
MOST_PLAYED = 256 << 10
"""Bytes of a file that becomes a part of the page."""


def exhibited(column: Column, row: int) -> dict[str, Any]:
    """One example that can be decoded: what `markup` needs, as JSON."""
    from modelyard.layouts.recordings import Recording

    data = column.read(row)
    sound = sound_length(column.file(row))
    with Recording(io.BytesIO(data)) as file:
        rate = int(file.samplerate)
        # Behind what the model hears there may be samples that are no numbers.
        mono = np.nan_to_num(file.read(int(LOOKED_AT_S * rate), "float32", always_2d=True).mean(1), posinf=1, neginf=-1)
    found = asdict(shown(mono, rate, len(mono) / rate))
    if len(data) <= MOST_PLAYED:
        found["source"] = f"data:audio/{sound.encoding};base64,{base64.b64encode(data).decode()}"
    return found


def markup(exhibit: Mapping[str, Any]) -> str:
    """What `exhibited` gave, to be looked at and listened to."""
    looks = drawn(Sound(**{name: value for name, value in exhibit.items() if name != "source"}))
    return looks + played(exhibit)


def played(exhibit: Mapping[str, Any]) -> str:
    """The sound alone; "" where it is too large for the page."""
    source = exhibit.get("source")
    return f'<audio controls preload="metadata" src="{escape(source)}"></audio>' if source else ""
