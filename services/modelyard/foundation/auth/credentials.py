"""The token a process sends with its calls."""

import logging
import time
from pathlib import Path
from typing import Protocol

from modelyard.foundation.errors import FailedPrecondition

log = logging.getLogger(__name__)

_REFRESH_S = 1.0


class BadTokenFile(FailedPrecondition):
    reason = "BAD_TOKEN_FILE"


class Credentials(Protocol):
    def token(self) -> str:
        """The token to send now; "" is none."""


class FixedToken:
    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token


class TokenFile:
    """A token that follows its file, so that whoever renews it needs not restart anybody."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = self._read()
        self._stamp = self._stat()
        self._next_look = time.monotonic() + _REFRESH_S

    def token(self) -> str:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _REFRESH_S
            self._refresh()
        return self._token

    def _refresh(self) -> None:
        try:
            stamp = self._stat()
            if stamp != self._stamp:
                self._token, self._stamp = self._read(), stamp
        except BadTokenFile as error:
            log.warning("token file not reloaded; the last token stays", extra={"error": error.message})

    def _stat(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise BadTokenFile(f"the token file {self._path} cannot be read: {error.strerror}") from None
        return (status.st_ino, status.st_mtime_ns)

    def _read(self) -> str:
        try:
            token = self._path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadTokenFile(f"the token file {self._path} cannot be read: {error}") from None
        if not token or not token.isascii() or any(c.isspace() for c in token):
            raise BadTokenFile(f"{self._path} does not hold a token: one line of text is expected")
        return token


def authorization(token: str) -> tuple[str, str]:
    """The metadata entry for a token."""
    return ("authorization", f"Bearer {token}")
