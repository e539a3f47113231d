"""Some examples to look at: a contact sheet, waveforms and spectrograms, strips of frames, texts, rows."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from modelyard.job.index import Examples, Index
from modelyard.layouts import Feature
from modelyard.layouts.chunks import MISSING_TIME
from modelyard.templates.evaluate.elements import table
from modelyard.templates.profile.histograms import value
from modelyard.templates.profile.samples import Picture, Samples, Shown, Sound, Strip, by_row
from modelyard.templates.profile.spectrograms import drawn as drawn_sound
from modelyard.templates.profile.texts import readable

MEDIA = ("image", "audio", "video")
_ENLARGED = 64
_LONGEST_TEXT = 600
_BOXES = 50


def sections(index: Index, samples: Samples) -> str:
    """What suits the features."""
    if not samples.rows:
        return ""
    examples = index.split(samples.split)
    features = [feature for feature in examples.features.values() if feature.role != "ignore"]
    media = [feature for feature in features if feature.kind in MEDIA]
    if media and any(name == media[0].name for _, name in samples.media):
        body = _gallery(examples, features, media[0], by_row(samples, media[0].name))
    elif [feature.kind for feature in features if feature.kind not in ("category", "id")] == ["text"]:
        body = _texts(examples, features, samples.rows)
    else:
        body = _rows(examples, features, samples.rows)
    return f"<section><h2>Examples</h2><p>From {escape(samples.split)}.</p>{body}</section>"


def _gallery(examples: Examples, features: Sequence[Feature], media: Feature, shown: Mapping[int, Shown]) -> str:
    others = [feature for feature in features if feature is not media and feature.kind not in (*MEDIA, "boxes")]
    boxes = next((feature for feature in features if feature.kind == "boxes"), None)
    figures = []
    for row, each in shown.items():
        caption = "<br>".join(filter(None, (_said(examples, feature, row) for feature in others if not boxes)))
        origin = escape(examples.origin(row).rpartition("/")[2])
        if isinstance(each, Picture):
            drawn = _boxed(examples, each, boxes, row) if boxes else _image(each)
        elif isinstance(each, Sound):
            drawn = drawn_sound(each)
            caption += f"<br><span class=about>{_lasts(each)}, up to {each.nyquist / 1000:g} kHz</span>"
        else:
            drawn = _strip(each)
            caption += f"<br><span class=about>{each.seconds:.2f} s</span>"
        figures.append(f"<figure>{drawn}<figcaption>{caption} <span class=about>{origin}</span></figcaption></figure>")
    kind = {"image": "sheet large" if boxes else "sheet", "audio": "sounds", "video": "clips"}[media.kind]
    return f'<div class="{kind}">{"".join(figures)}</div>'


def _lasts(sound: Sound) -> str:
    part = sound.spectrogram_seconds < sound.seconds
    return f"{sound.seconds:.2f} s" + (f" (drawn: the first {sound.spectrogram_seconds:g} s)" if part else "")


def _image(picture: Picture) -> str:
    pixels = " class=pixels" if max(picture.width, picture.height) <= _ENLARGED else ""
    return f'<img{pixels} src="{picture.source}" alt="{picture.width} × {picture.height}" loading="lazy">'


def _boxed(examples: Examples, picture: Picture, feature: Feature, row: int) -> str:
    boxes = np.frombuffer(examples.column(feature.name).read(row), "<f4").reshape(-1, 4)[:_BOXES].astype(float)
    labels = _labels(examples, row, len(boxes))
    wide, high = picture.width, picture.height
    size = max(wide, high) / 16
    drawn = "".join(
        f'<rect class=box x="{left:.1f}" y="{top:.1f}" width="{max(0, right - left):.1f}" '
        f'height="{max(0, bottom - top):.1f}"/>'
        f'<text class=box-name x="{left:.1f}" y="{max(size, top - size / 6):.1f}" '
        f'style="font-size:{size:.1f}px;stroke-width:{size / 5:.1f}px">{label}</text>'
        for (left, top, right, bottom), label in zip(boxes.tolist(), labels, strict=True)
        if np.isfinite([left, top, right, bottom]).all()
    )
    return (
        f'<svg viewBox="0 0 {wide} {high}" role="img" aria-label="{len(boxes)} boxes">'
        f'<image href="{picture.source}" width="{wide}" height="{high}"/>{drawn}</svg>'
    )


def _labels(examples: Examples, row: int, count: int) -> list[str]:
    for feature in examples.features.values():
        if feature.kind == "category" and feature.shape == (None,):
            numbers = np.frombuffer(examples.column(feature.name).read(row), "<i8")[:count].tolist()
            names = [escape(_class(feature, number)) for number in numbers]
            return names + [""] * (count - len(names))
    return [""] * count


def _strip(strip: Strip) -> str:
    frames = "".join(
        f'<img src="{frame.source}" alt="frame {number} of {len(strip.frames)}">'
        for number, frame in enumerate(strip.frames, 1)
    )
    return f"<div class=strip>{frames}</div>"


def _texts(examples: Examples, features: Sequence[Feature], rows: Sequence[int]) -> str:
    text = next(feature for feature in features if feature.kind == "text")
    others = [feature for feature in features if feature is not text]
    figures = []
    for row in rows:
        data = examples.column(text.name).read(row)
        said = "<br>".join(filter(None, (_said(examples, feature, row) for feature in others)))
        origin = escape(examples.origin(row))
        figures.append(
            f"<figure class=text><blockquote><p dir=auto>{escape(readable(data, _LONGEST_TEXT))}</p></blockquote>"
            f"<figcaption>{said} <span class=about>{origin}</span></figcaption></figure>"
        )
    return f"<div class=texts>{''.join(figures)}</div>"


def _rows(examples: Examples, features: Sequence[Feature], rows: Sequence[int]) -> str:
    cells = "".join(_row(examples, features, row) for row in rows)
    head = ("", *(escape(feature.name) for feature in features))
    return table(f"{len(rows)} rows, evenly spaced", head, cells, "rows")


def _row(examples: Examples, features: Sequence[Feature], row: int) -> str:
    cells = "".join(_cell(feature, _shown(examples, feature, row)) for feature in features)
    # The system maps some pages around what is read.
    examples.forget()
    return f"<tr><th scope=row>{escape(examples.origin(row))}</th>{cells}</tr>"


def _cell(feature: Feature, text: str | None) -> str:
    if text is None:
        return "<td class=missing>missing</td>"
    return f"<td{' class=n' if feature.kind == 'number' else ''} dir=auto>{escape(text)}</td>"


def _said(examples: Examples, feature: Feature, row: int) -> str:
    """As a caption has it."""
    text = _shown(examples, feature, row)
    if not text:
        return ""
    # What is written from right to left turns around nothing but itself.
    isolated = f"<bdi>{escape(text)}</bdi>"
    return f"<b>{isolated}</b>" if feature.role == "target" else f"{escape(feature.name)} {isolated}"


def _shown(examples: Examples, feature: Feature, row: int) -> str | None:
    """A value as text; None where it is missing."""
    column = examples.column(feature.name)
    if column.array is None:
        data = column.read(row)
        if feature.dtype == "string":
            return readable(data) if data else None
        return f"{len(data):,} bytes"
    found: Any = column.array[row]
    if np.ndim(found):
        return ", ".join(value(float(each)) for each in np.ravel(found)[:8]) + (" …" if np.size(found) > 8 else "")
    if feature.kind == "time":
        return None if int(found) == MISSING_TIME else value(float(found), time=True)
    if feature.classes and feature.dtype == "int64":
        return _class(feature, int(found))
    return None if np.isnan(found) else value(float(found))


def _class(feature: Feature, number: int) -> str:
    return feature.classes[number] if 0 <= number < len(feature.classes) else str(number)
