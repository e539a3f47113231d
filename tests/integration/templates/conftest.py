"""What tests that run a template's code in their own process leave behind is taken away."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.job import running
from modelyard.templates.specs import SHIPPED


@pytest.fixture(autouse=True)
def no_job_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        if _is_of_a_template(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]  # It has the job that it was imported in.
    running._current.clear()


def _is_of_a_template(file: str | None) -> bool:
    """Of one whose folder is no package."""
    folder = Path(file or "").parent
    return folder.parent == SHIPPED and not (folder / "__init__.py").exists()
