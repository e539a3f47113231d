"""An answer as a picture: boxes on the image, or the image with the most probable classes beside it."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelyard.cli.answers import boxes_of
from modelyard.cli.places import check_place, is_folder
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting import Answer, Row
from modelyard.sdk.predicting.cells import from_base64

TOP = 5
IMAGE_SIZE = 320
"""The longer side of the image in the picture, at least."""
MAX_SIZE = 1600
_MARGIN, _LINE, _BAR = 16, 34, 220
_INK, _FAINT, _PAPER, _ACCENT = "#1d1d1f", "#6e6e73", "#ffffff", "#2f6fde"
_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf")
_COLOURS = ("#2f6fde", "#d9480f", "#2b8a3e", "#9c36b5", "#c92a2a", "#0b7285", "#e67700", "#5f3dc4")


def name_of(origin: str, number: int, taken: set[str]) -> str:
    """`images/cat.jpg` -> `cat.png`, `rows.csv:12` -> `rows-12.png`; of a name that is taken the answer's number tells
    them apart. The name is taken then."""
    path, colon, row = origin.partition(", ")[0].rpartition(":")
    stem = f"{Path(path).stem}-{row}" if colon and row.isdecimal() else Path(origin.partition(", ")[0]).stem
    plain = re.sub(r"[^\w.-]+", "_", stem)[:80].strip("_.") or f"answer-{number}"
    name = plain if plain not in taken else f"{plain}-{number}"
    while name in taken:
        name += "_"
    taken.add(name)
    return f"{name}.png"


def check_picture(target: Path) -> None:
    """Raises InvalidArgument where no picture of this name can be; without an ending it is a folder, which is made."""
    from PIL import Image

    if is_folder(target):
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = f"{target} can't be a folder of pictures: {error.strerror}"
            raise InvalidArgument(why, reason="FILE_UNWRITABLE", field="--picture") from error
        return
    check_place(target, "--picture")
    if Image.registered_extensions().get(target.suffix.lower()) not in Image.SAVE:
        raise InvalidArgument(
            f"{target}: {target.suffix} is no kind of picture; give one such as {target.stem}.png",
            reason="FILE_UNWRITABLE",
            field="--picture",
        )


def draw(row: Row, answer: Answer, target: Path) -> None:
    """Write the picture; raises InvalidArgument where it can't be written."""
    image = _image(row)
    if isinstance(answer.outputs.get("boxes"), list) and image is not None:
        picture = _with_boxes(image, answer)
    else:
        picture = _with_bars(image, answer)
    try:
        picture.save(target)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidArgument(f"{target} can't be written: {why}", reason="FILE_UNWRITABLE") from error


def _image(row: Row) -> Any:
    """The image of the row; None where it has none."""
    from PIL import Image

    for value in row.values.values():
        try:
            source = _source(value, row.base or Path())
            if source is None:
                continue
            with Image.open(source) as image:
                whole = image.convert("RGBA")
                return Image.alpha_composite(Image.new("RGBA", whole.size, _PAPER), whole).convert("RGB")
        except (OSError, SyntaxError, ValueError):
            continue
    return None


def _source(value: Any, base: Path) -> Path | io.BytesIO | None:
    """Where an image may be: in bytes, as they are or as base64, or in a file of this name. Raises ValueError."""
    if isinstance(value, Mapping) and value.keys() == {"b64"}:
        value = from_base64(value["b64"])
    if isinstance(value, bytes):
        return io.BytesIO(value)
    return base / value if isinstance(value, str | Path) and (base / value).is_file() else None


def _scaled(image: Any) -> tuple[Any, float]:
    """Large enough to see, small enough to look at; whole pixels stay whole when it grows."""
    from PIL import Image

    longer = max(image.size)
    scale = MAX_SIZE / longer if longer > MAX_SIZE else max(1, -(-IMAGE_SIZE // longer))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS), scale


def _with_boxes(image: Any, answer: Answer) -> Any:
    from PIL import ImageDraw

    picture, scale = _scaled(image)
    pen = ImageDraw.Draw(picture)
    found = boxes_of(answer.outputs)
    classes = sorted({label for label, _, _ in found})
    font, width = _font(max(13, min(picture.size) // 28), classes), max(2, max(picture.size) // 300)
    for label, score, box in found:
        colour = _COLOURS[classes.index(label) % len(_COLOURS)]
        left, top, right, bottom = (value * scale for value in box)
        pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=width)
        said = " ".join(filter(None, (label, "" if score is None else f"{score:.2f}")))
        if said:
            _tag(pen, said, (left, top), colour, font, picture.size)
    return picture


def _tag(pen: Any, said: str, corner: tuple[float, float], colour: str, font: Any, size: tuple[int, int]) -> None:
    """A label above the box, inside the picture."""
    left, top, right, bottom = pen.textbbox((0, 0), said, font=font)
    wide, high = right - left + 6, bottom - top + 6
    x = max(0, min(corner[0], size[0] - wide))
    y = corner[1] - high if corner[1] >= high else corner[1]
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + 3 - left, y + 3 - top), said, fill=_PAPER, font=font)


def _with_bars(image: Any, answer: Answer) -> Any:
    from PIL import Image, ImageDraw

    shown = None if image is None else _scaled(image)[0]
    rows = _rows(answer)
    title = answer.origin.rpartition("/")[2]
    notes = [title, *answer.notes] if title else list(answer.notes)
    font, small = _font(16, [name for name, _, _ in rows]), _font(13, notes)
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    named = max((round(ruler.textlength(name, font=font)) for name, _, _ in rows), default=0)
    text_width = max([named + _BAR + 90, *(round(ruler.textlength(note, font=small)) for note in notes)])
    height = max(shown.height if shown else 0, _LINE * len(rows) + 24 * len(notes)) + 2 * _MARGIN
    left = _MARGIN + (shown.width + _MARGIN if shown else 0)
    picture = Image.new("RGB", (left + text_width + _MARGIN, height), _PAPER)
    pen = ImageDraw.Draw(picture)
    if shown:
        picture.paste(shown, (_MARGIN, _MARGIN))
    y = _MARGIN
    for note in notes:
        pen.text((left, y), note, fill=_FAINT, font=small)
        y += 24
    for name, share, figure in rows:
        pen.text((left, y + 4), name, fill=_INK, font=font)
        if share is not None:
            pen.rectangle((left + named + 12, y + 4, left + named + 12 + _BAR, y + 24), fill="#eef1f5")
            end = left + named + 12 + round(_BAR * max(0.0, min(1.0, share)))
            if end > left + named + 12:
                pen.rectangle((left + named + 12, y + 4, end, y + 24), fill=_ACCENT)
        pen.text((left + named + _BAR + 24, y + 4), figure, fill=_INK, font=font)
        y += _LINE
    return picture


def _rows(answer: Answer) -> list[tuple[str, float | None, str]]:
    """Name, length of the bar, and figure."""
    if probable := answer.top(TOP):
        return [(name, share, f"{share:.3f}") for name, share in probable]
    if isinstance(answer.outputs.get("items"), list):
        items: Sequence[Any] = answer.outputs["items"]
        titles = answer.outputs.get("titles")
        named = titles if isinstance(titles, list) and len(titles) == len(items) else items
        scores = answer.outputs.get("scores")
        figures: Sequence[Any] = [0.0] * len(items)
        if (
            isinstance(scores, list)
            and len(scores) == len(items)
            and all(isinstance(each, int | float) for each in scores)
        ):
            figures = scores
        most = max((abs(each) for each in figures), default=0.0) or 1.0
        return [
            (str(name or item), score / most, f"{score:.3g}")
            for name, item, score in zip(named, items, figures, strict=True)
        ][:20]
    from modelyard.cli.answers import text_of

    return [(line[:80], None, "") for line in text_of(answer).splitlines()[:20]]


def _font(size: int, texts: Iterable[str]) -> Any:
    """Pillow's own, which knows ASCII only; for more than that the first of this machine's fonts that is there."""
    from PIL import ImageFont

    for name in _FONTS if not all(map(str.isascii, texts)) else ():
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue  # this machine has another
    return ImageFont.load_default(size)
