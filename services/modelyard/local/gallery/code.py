"""The digest of what decides a row's figure: a template's code and defaults, and the code it shares with others."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from modelyard.sdk.gallery.digests import sha256
from modelyard.templates.specs import SHIPPED, SPEC_FILE, Template

LIBRARIES = (SHIPPED.parent / "job", SHIPPED.parent / "layouts")


def code_digest(template: Template) -> str:
    """One SHA-256. What only tells about a template, such as its README and its parameters' help, is no part of it."""
    whole = hashlib.sha256(json.dumps(template.complete({}), sort_keys=True).encode())
    for folder in (template.folder, *_shared(template.folder.parent)):
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]:
            whole.update(f"{sha256(path)}  {path.relative_to(folder.parent).as_posix()}\n".encode())
    return whole.hexdigest()


def _shared(templates: Path) -> Iterator[Path]:
    """What no template has for itself: folders, and single files beside them."""
    yield from LIBRARIES
    yield from sorted(path for path in templates.iterdir() if path.is_dir() and not (path / SPEC_FILE).exists())
    yield from sorted(templates.glob("*.py"))
