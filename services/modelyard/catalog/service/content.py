"""Hashing what the store holds, file by file."""

import hashlib
from collections.abc import Sequence

from modelyard.catalog.domain.errors import ContentMismatch, PackWrong
from modelyard.catalog.domain.uploads import Span


class PackCheck:
    """Is fed a pack's bytes in order; ContentMismatch at the first file that is not what its entry claims."""

    def __init__(self, pack: str, spans: Sequence[Span]) -> None:
        self._pack = pack
        self._spans = spans
        self._next = 0
        self._at = 0
        self._hash = hashlib.sha256()

    def feed(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        begin, end = self._at, self._at + len(chunk)
        while self._next < len(self._spans):
            span = self._spans[self._next]
            if span.offset >= end:
                break
            self._hash.update(view[max(span.offset - begin, 0) : span.offset + span.size - begin])
            if span.offset + span.size > end:
                break
            self._finish(span)
        self._at = end

    def end(self) -> None:
        """Every span has been seen whole."""
        if self._next < len(self._spans):
            raise PackWrong(f"pack {self._pack} ends at byte {self._at}, within its files", pack=self._pack)

    def _finish(self, span: Span) -> None:
        found = self._hash.hexdigest()
        if found != span.sha256:
            raise ContentMismatch(
                f"file {span.path!r} was declared with SHA-256 {span.sha256}, but the bytes that arrived have {found}; "
                "it changed while it was sent, or was damaged on the way: push again",
                path=span.path,
                declared=span.sha256,
                found=found,
            )
        self._hash = hashlib.sha256()
        self._next += 1
