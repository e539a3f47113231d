"""The Bible's short verses in English and in Spanish, from two modules of the SWORD project."""

import ast
import html
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelyard.sdk.gallery.packages import Deb, Sdist
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.texts.sentiment import member
from modelyard.sdk.gallery.writing import SPLITS, write_pairs

MOST_WORDS = 20
_CANONS = "pysword-0.2.8/pysword/canons.py"
_TEXTS = "usr/share/sword/modules/texts/ztext"
_TEST, _VALIDATION = 10, 4
"""Percent."""
_ASIDE = re.compile(r"<note.*?</note>|<title.*?</title>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_AROUND = re.compile(r"(?<=[“‘¿¡(\[]) | (?=[,.;:?!”’)\]])")
Verse = tuple[str, int, int]
"""Book, chapter, number."""


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>.en` and `<split>.es`, a line a verse, of those of at most MOST_WORDS words in both. A chapter is on one
    side of the split."""
    english, spanish, archive = packages
    with tarfile.open(archive) as source:
        canons = _canons(member(source, _CANONS).read().decode())
    one = dict(verses(english / _TEXTS / "engWEB2015eb", canons["nrsva"]))
    other = dict(verses(spanish / _TEXTS / "spaRV1909eb", canons["kjv"]))
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in SPLITS}
    for verse, text in one.items():
        pair = (text, other.get(verse, ""))
        if all(1 <= len(each.split()) <= MOST_WORDS for each in pair):
            rows[split_of(f"chapter/{verse[0]} {verse[1]}", _TEST, _VALIDATION)].append(pair)
    learnt = {text for text, _ in rows["train"]}
    for split in SPLITS[1:]:
        rows[split] = [pair for pair in rows[split] if pair[0] not in learnt]
    write_pairs(folder, rows, ("en", "es"))


def verses(folder: Path, canon: Mapping[str, Any]) -> Iterator[tuple[Verse, str]]:
    """All that are not empty. A zText module has, for each testament, compressed blocks (.bzz), where each of them lies
    (.bzs) and in which of them, and where, each verse does (.bzv); a testament, a book and a chapter have an entry of
    their own before the first of what they hold."""
    for testament in ("ot", "nt"):
        places, entries, compressed = ((folder / f"{testament}.{each}").read_bytes() for each in ("bzs", "bzv", "bzz"))
        blocks = [
            zlib.decompress(compressed[start : start + size]) if size else b""
            for start, size, _ in struct.iter_unpack("<III", places)
        ]
        found = struct.iter_unpack("<IIH", entries)
        next(found)
        next(found)
        for book, _, _, chapters in canon[testament]:
            next(found)
            for chapter, count in enumerate(chapters, 1):
                next(found)
                for number in range(1, count + 1):
                    block, start, size = next(found)
                    if size and (text := plain(blocks[block][start : start + size].decode("utf-8", "replace"))):
                        yield (book, chapter, number), text


def plain(marked: str) -> str:
    """Without notes, titles and tags: a tag may stand between two words, or between a word and its mark."""
    text = html.unescape(_TAG.sub(" ", _ASIDE.sub(" ", marked)))
    return _AROUND.sub("", " ".join(text.split()))


def _canons(code: str) -> dict[str, Any]:
    """The table of books, chapters and verses, read out of the module that assigns it; nothing of it is run. Raises
    ValueError where there is none."""
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "canons":
            canons: dict[str, Any] = ast.literal_eval(statement.value)
            return canons
    raise ValueError(f"{_CANONS} assigns no canons")


VERSES_EN_ES = Set(
    name="verses-en-es",
    modality="text",
    title="12,470 short verses of the Bible in English (World English Bible) and Spanish (Reina-Valera 1909)",
    licence="public domain",
    origin="SWORD project, Debian's sword-text-web and sword-text-sparv; canons from pysword (MIT)",
    packages=(
        Deb("sword-text-web", "426.0-1", "930b23670b352f0829a306501de4bebb5e654a2df02cde2cbe86b802177868e1", 3_956_428),
        Deb(
            "sword-text-sparv", "2.60-1", "5c87f9b2bc97457e8a872f5bae7ea7ce59cb3de1dcee73e4d4740451863694cf", 2_722_332
        ),
        Sdist("pysword", "0.2.8", "6302f350c22f39090e2556729551fac57a4c25ceb268f90cd7fd0584b9cca4f0", 28_071),
    ),
    digest="70bdf630cf5a99851c1ef8fe1c8fdd4012ad8711c0362dc64e37c3a25bced254",
    size=1_987_763,
    make=make,
)
