"""Logs: one JSON object a line on stderr.

Code logs with the standard library: `log.info("job assigned", extra={"job": name})`; the extra fields become keys.
"""

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}
_SECRET = re.compile(r"(?i)(bearer\s+)\S+|eyJ[\w-]+\.[\w-]+\.[\w-]*|(X-Amz-(?:Signature|Credential)=)[^&\s\"]+")
_MAX_VALUE = 8192


class JsonFormatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "event": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps({key: _safe(value) for key, value in event.items()}, default=str)


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        extra = " ".join(f"{key}={_safe(value)}" for key, value in _extra(record).items())
        line = f"{time} {record.levelname.lower():7} {_safe(record.getMessage())} {extra}".rstrip()
        if record.exc_info:
            line += "\n" + str(_safe(self.formatException(record.exc_info)))
        return line


def configure(
    process: str, *, level: str = "info", format: str = "json", handler: logging.Handler | None = None
) -> None:
    """Sends everything that is logged in this process to `handler` (stderr), in place of what was set before."""
    handler = handler or logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("asyncio", "urllib3", "alembic", "sqlalchemy", "grpc"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    sys.excepthook = _log_uncaught(sys.excepthook)


def redact(text: str) -> str:
    """`text` without bearer tokens, JSON web tokens and the signatures of signed URLs."""
    return _SECRET.sub(lambda match: (match[1] or match[2] or "") + "***", text)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def _safe(value: object) -> object:
    if isinstance(value, str):
        short = value if len(value) <= _MAX_VALUE else value[:_MAX_VALUE] + "…"
        return redact(short)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _safe(item) for key, item in value.items()}
    return redact(str(value))


def _log_uncaught(before: Callable[..., Any]) -> Callable[..., None]:
    def hook(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            before(kind, error, traceback)
        else:
            logging.getLogger(__name__).critical("uncaught exception", exc_info=(kind, error, traceback))

    return hook
