"""Identifiers and resource names."""

import re
import uuid
from functools import lru_cache

from modelyard.foundation.errors import InvalidArgument

_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_VARIABLE = re.compile(r"\{([a-z_]+)(?::(int|uid|id))?\}")

ID_RULE = "1 to 63 lower-case letters, digits and dashes, starting with a letter and not ending with a dash"


def new_uid() -> str:
    """A random identifier: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def validate_id(value: str, field: str) -> str:
    """`value` when it may be the last segment of a resource name."""
    if not _ID.fullmatch(value):
        raise InvalidArgument(f"{field} must be {ID_RULE}; got {_shown(value)}", field=field)
    return value


def parse(pattern: str, name: str, field: str = "name") -> dict[str, str]:
    """The variables of a resource name: `parse("projects/{project}/datasets/{dataset}", name)`.

    `{x}` is an ID, `{x:int}` a whole number, `{x:uid}` 32 hexadecimal digits. A name of another form raises
    InvalidArgument with `field`.
    """
    match = _compiled(pattern).fullmatch(name)
    if match is None:
        raise InvalidArgument(f"{field} must look like {_plain(pattern)}; got {_shown(name)}", field=field)
    return match.groupdict()


def matches(pattern: str, name: str) -> bool:
    return _compiled(pattern).fullmatch(name) is not None


def parse_number(value: str, field: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise InvalidArgument(f"{field} must be a whole number; got {_shown(value)}", field=field)
    return int(value)


def project_of(name: str) -> str:
    """The project in a resource name, "" when it is not under a project (so nobody but `*` has a role in it)."""
    segments = name.split("/", 2)
    if len(segments) >= 2 and segments[0] == "projects" and _ID.fullmatch(segments[1]):
        return segments[1]
    return ""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    kinds = {"int": _NUMBER.pattern, "uid": "[0-9a-f]{32}", "id": _ID.pattern}
    parts: list[str] = []
    end = 0
    for variable in _VARIABLE.finditer(pattern):
        parts.append(re.escape(pattern[end : variable.start()]))
        parts.append(f"(?P<{variable[1]}>{_unnamed(kinds[variable[2] or 'id'])})")
        end = variable.end()
    parts.append(re.escape(pattern[end:]))
    return re.compile("".join(parts), re.ASCII)


def _unnamed(pattern: str) -> str:
    return pattern.replace("(", "(?:")


def _plain(pattern: str) -> str:
    return re.sub(r":(int|uid|id)\}", "}", pattern)


def _shown(value: str) -> str:
    """The value as it may stand in a message: bounded, and without control characters."""
    return ascii(value if len(value) <= 120 else value[:120] + "…")
