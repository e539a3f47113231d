"""What Debian says about its packages: in English and Italian, at length and in a line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.gallery.packages import Translations
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.writing import SPLITS, write_pairs, write_splits

_TEST, _VALIDATION = 4, 5
"""Percent."""
_LISTED = re.compile(r"^ {2,}|^ *[-*•]")
_LETTERS = re.compile(r"[^\W\d_]")
_FEWEST_WORDS, _MOST_CHARACTERS = 12, 2_000


@dataclass(frozen=True, slots=True)
class Description:
    """Of a package."""

    package: str
    key: str
    """The same for the same English text, in every language."""
    synopsis: str
    text: str


def descriptions(path: Path, language: str) -> Iterator[Description]:
    """Of every package in a Translation file."""
    for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
        head, _, rest = paragraph.strip("\n").partition(f"\nDescription-{language}: ")
        if not rest:
            continue
        fields = dict(line.partition(": ")[::2] for line in head.splitlines())
        synopsis, _, text = rest.partition("\n")
        yield Description(fields["Package"], fields["Description-md5"], _one_line(synopsis), text)


def family(package: str) -> str:
    """The same for packages made of one source, as far as their names tell: foo, libfoo1, foo-doc, python3-foo."""
    name = re.sub(
        r"^(python3?-|node-|ruby-|golang-[a-z]+-[a-z]+-|golang-|r-cran-|r-bioc-|php-|fonts-|lib)", "", package
    )
    return re.sub(r"[\d.]+$", "", name.partition("-")[0]) or package


def make_pairs(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>.en` and `<split>.it`, one line a pair, each pair once. No English line of another split is in train."""
    english = {each.key: each for each in descriptions(packages[0] / "Translation-en", "en")}
    pairs: dict[tuple[str, str], str] = {}
    for each in descriptions(packages[0] / "Translation-it", "it"):
        source = english.get(each.key)
        if source is not None and each.synopsis != source.synopsis and _LETTERS.search(each.synopsis):
            pairs.setdefault((source.synopsis, each.synopsis), family(source.package))
    write_pairs(folder, _split(pairs), ("en", "it"))


def make_summaries(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`description` and `synopsis`, each pair once. Packages of one family are on the same side of the split."""
    pairs: dict[tuple[str, str], str] = {}
    for each in descriptions(packages[0] / "Translation-en", "en"):
        text = _prose(each.text)
        if (
            len(text.split()) >= _FEWEST_WORDS
            and len(each.synopsis.split()) > 1
            and "transitional" not in each.synopsis
        ):
            pairs.setdefault((text, each.synopsis), family(each.package))
    write_splits(folder, ("description", "synopsis"), _split(pairs))


def _split(pairs: dict[tuple[str, str], str]) -> dict[str, list[tuple[str, str]]]:
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in SPLITS}
    for pair, group in pairs.items():
        rows[split_of(f"family/{group}", _TEST, _VALIDATION)].append(pair)
    learnt = {source for source, _ in rows["train"]}
    for split in SPLITS[1:]:
        rows[split] = [pair for pair in rows[split] if pair[0] not in learnt]
    return rows


def _prose(text: str) -> str:
    """The paragraphs of a description without its lists, as one line."""
    lines = ["" if line.strip() == "." else line[1:] for line in text.splitlines()]
    return _one_line(" ".join(line for line in lines if not _LISTED.match(line)))[:_MOST_CHARACTERS]


def _one_line(text: str) -> str:
    return " ".join(text.split())


_LICENCE = "each package's own, all free; the translations' is not stated"

SYNOPSES_EN_IT = Set(
    name="synopses-en-it",
    modality="text",
    title="46,000 lines that say what a package is, in English and, by Debian's translators, in Italian",
    licence=_LICENCE,
    origin="Debian 12, Translation-en and Translation-it",
    packages=(Translations(("en", "it"), 21_100_000),),
    digest="e904d703920b8a6c5550f2e0bbfb99fb9f403688fd9c4b6458fe803e3cdebeae",
    size=4_619_822,
    make=make_pairs,
    moves=True,
)
SYNOPSES = Set(
    name="synopses",
    modality="text",
    title="what a package is, at length and in one line: 59,000 descriptions of Debian's packages",
    licence=_LICENCE,
    origin="Debian 12, Translation-en",
    packages=(Translations(("en",), 17_000_000),),
    digest="d25bd81974ec65e2df7dbd3c1802f9c1b4b9fa59731770657031c713844a4a98",
    size=22_809_245,
    make=make_summaries,
    options=Options(target="synopsis", features={"synopsis": {"kind": "text", "role": "target"}}),
    moves=True,
)
