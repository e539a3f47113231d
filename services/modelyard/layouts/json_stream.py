"""The lists of a large JSON object, one element at a time: memory does not grow with the file."""

import codecs
import json
from collections.abc import Iterator
from typing import IO, Any

_PIECE_BYTES = 1 << 20
_MAX_ELEMENT = 16 << 20
_SPACE = " \t\r\n"


class JsonDamagedError(Exception):
    """The text goes on where a sentence begins with the file's path."""


class _Text:
    """As much of the text as is needed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._ended = False
        self.passed = 0
        """Characters that are not kept any more."""

    def _more(self) -> bool:
        if self._ended:
            return False
        data = self._stream.read(_PIECE_BYTES)
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise JsonDamagedError(f"is no UTF-8: {error.reason}, behind character {self.passed:,}") from None
        self._ended = not data
        self.passed += self._at
        self._text = self._text[self._at :] + text
        self._at = 0
        return True

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._text):
                letter = self._text[self._at]
                if letter not in _SPACE:
                    return letter
                self._at += 1
            if not self._more():
                return ""

    def take(self, *expected: str) -> str:
        """The next character that is no space. Raises JsonDamagedError for another one."""
        letter = self.peek()
        if letter not in expected:
            found = repr(letter) if letter else "the end"
            raise JsonDamagedError(
                f"is no JSON: {found} at character {self.passed + self._at:,} instead of {' or '.join(expected)}"
            )
        self._at += 1
        return letter

    def value(self) -> Any:
        """The next value, whole. Raises JsonDamagedError."""
        self.peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
                # A number may go on in what has not been read.
                if end < len(self._text) or self._ended:
                    self._at = end
                    return value
                problem = ""
            except RecursionError:
                raise JsonDamagedError(f"is nested too deep at character {self.passed + self._at:,}") from None
            except ValueError as error:
                problem = str(error).partition(":")[0]
            if len(self._text) - self._at > _MAX_ELEMENT or not self._more():
                where = f"behind character {self.passed + self._at:,}"
                raise JsonDamagedError(f"is no JSON: {problem or 'a value is too long'} {where}")


def json_lists(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Each key of the object with each element of its list, or with its value where that is no list.

    Raises JsonDamagedError, which says where.
    """
    text = _Text(stream)
    text.take("{")
    if text.peek() == "}":
        return
    separator = ","
    while separator == ",":
        if text.peek() != '"':
            text.take('"')
        key = text.value()
        text.take(":")
        if text.peek() == "[":
            yield from ((key, element) for element in _elements(text))
        else:
            yield key, text.value()
        separator = text.take(",", "}")


def _elements(text: _Text) -> Iterator[Any]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    separator = ","
    while separator == ",":
        yield text.value()
        separator = text.take(",", "]")
