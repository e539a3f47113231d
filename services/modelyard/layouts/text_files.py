"""Files of text that are read line by line: UTF-8, with or without a byte order mark, or UTF-16 with one; also .gz."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TextIO

from modelyard.layouts.chunks import Problems
from modelyard.layouts.errors import FileBroken
from modelyard.layouts.files import File, Range, is_gzip
from modelyard.layouts.names import suffix

MAX_LINE_BYTES = 16 << 20
HEAD_BYTES = 4096
"""So many say which encoding a file is in."""
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_MARKS = (codecs.BOM_UTF8, *_UTF16)
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    """Counted from 1."""
    text: bytes
    """UTF-8, without its end."""
    place: Range | None
    """Where it lies in the tree, if it is there as it is."""
    is_left_out: bool = False
    """It is a problem already, and has no text."""


def encoding_of(path: str, file: File) -> str:
    """As the first bytes say: "utf-8", "utf-8-sig" or "utf-16". Raises FileBroken for others and for damaged gzip."""
    with open_bytes(path, file) as stream:
        head = stream.read(HEAD_BYTES)
    problem = why_no_text(head)
    if problem:
        raise FileBroken(path, problem, reason="NOT_UTF8")
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return _UTF16.get(head[:2], "utf-8")


def why_no_text(head: bytes) -> str:
    """Why a file that begins so is read as no text; "" where it may be one."""
    if head.startswith(_UTF32):
        return "is UTF-32; convert it to UTF-8, such as with iconv -f UTF-32 -t UTF-8"
    # Of a text in Latin letters it would be half of them or more.
    if 4 * head.count(0) >= len(head) > 0 and not head.startswith(_MARKS):
        return "holds NUL bytes: UTF-16 or UTF-32 without a byte order mark, or no text; convert it to UTF-8"
    return ""


@contextmanager
def open_bytes(path: str, file: File) -> Iterator[IO[bytes]]:
    """The file's bytes, inflated where it is gzip. Raises FileBroken for damaged gzip, also while it is read."""
    zipped = is_gzip(file)
    with file.open() as raw:
        stream: IO[bytes] = gzip.GzipFile(fileobj=raw, mode="rb") if zipped else io.BufferedReader(raw, _BUFFER_BYTES)  # type: ignore[type-var, assignment]
        try:
            with stream:
                yield stream
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FileBroken(path, f"is damaged gzip: {error}", reason="DATA_DAMAGED") from error


@contextmanager
def open_text(path: str, file: File) -> Iterator[TextIO]:
    """The file's text, line ends as they are. Raises FileBroken where it is neither UTF-8 nor UTF-16."""
    encoding = encoding_of(path, file)
    try:
        with open_bytes(path, file) as stream, io.TextIOWrapper(stream, encoding, newline="") as text:
            yield text
    except UnicodeDecodeError as error:
        raise wrong_encoding(path, file, encoding) from error


def wrong_encoding(path: str, file: File, encoding: str) -> FileBroken:
    """What to say of a file that can't be decoded: which byte, in which line."""
    name = "UTF-16" if encoding == "utf-16" else "UTF-8"
    # Without "-sig", which does not count the mark's bytes.
    decoder = codecs.getincrementaldecoder(encoding.removesuffix("-sig"))()
    line, at = 1, 0
    with open_bytes(path, file) as stream:
        while True:
            data = stream.readline(_BUFFER_BYTES) if encoding != "utf-16" else stream.read(_BUFFER_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                byte = f"byte 0x{error.object[error.start]:02x} at {at - pending + error.start:,}, in line {line:,}"
                cut = "" if data else ", where it ends within a character"
                convert = f"convert it, such as with iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8{suffix(path)}"
                what = "save it as UTF-8" if encoding == "utf-16" else convert
                return FileBroken(path, f"is no {name}: {byte}{cut}; {what}", reason="NOT_UTF8")
            if not data:
                return FileBroken(path, f"is no {name}", reason="NOT_UTF8")
            line += text.count("\n")
            at += len(data)


def lines(path: str, file: File, problems: Problems) -> Iterator[Line]:
    """Every line; one that is too long is a problem, and empty. Raises FileBroken for another encoding."""
    encoding = encoding_of(path, file)
    if encoding == "utf-16":
        yield from _decoded_lines(path, file, problems)
        return
    plain = not is_gzip(file)
    number, offset = 0, 0
    with open_bytes(path, file) as stream:
        if encoding == "utf-8-sig":
            offset = len(stream.read(len(codecs.BOM_UTF8)))
        while raw := stream.readline(MAX_LINE_BYTES):
            number += 1
            size = len(raw)
            if size == MAX_LINE_BYTES and not raw.endswith(b"\n"):
                while (more := stream.readline(MAX_LINE_BYTES)) and not more.endswith(b"\n"):
                    offset += len(more)
                offset += size + len(more)
                problems.add(path, number, f"is longer than {MAX_LINE_BYTES >> 20} MiB")
                yield Line(number, b"", None, is_left_out=True)
                continue
            text = raw.rstrip(b"\r\n")
            try:
                text.decode()
            except UnicodeDecodeError:
                raise wrong_encoding(path, file, encoding) from None
            yield Line(number, text, Range(path, offset, len(text)) if plain else None)
            offset += size


def _decoded_lines(path: str, file: File, problems: Problems) -> Iterator[Line]:
    with open_text(path, file) as stream:
        number = 0
        while text := stream.readline(MAX_LINE_BYTES):
            number += 1
            if len(text) == MAX_LINE_BYTES and not text.endswith("\n"):
                while (more := stream.readline(MAX_LINE_BYTES)) and not more.endswith("\n"):
                    pass
                problems.add(path, number, f"is longer than {MAX_LINE_BYTES >> 20} MiB")
                yield Line(number, b"", None, is_left_out=True)
                continue
            yield Line(number, text.rstrip("\r\n").encode(), None)
