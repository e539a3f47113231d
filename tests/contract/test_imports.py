"""What starts without what: an import costs seconds where TensorFlow is behind it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("modules", "without"),
    [
        ("modelyard.catalog.__main__", "tensorflow keras numpy"),
        (
            "modelyard.cli.__main__",
            "tensorflow numpy sqlalchemy pydantic urllib3 modelyard.foundation modelyard.sdk.gallery "
            "modelyard.layouts.detection",
        ),
        (
            "modelyard.job.messages, modelyard.job.preparing, modelyard.templates.specs, modelyard.tree",
            "tensorflow keras",
        ),
    ],
    ids=["catalog", "command line", "what a worker reads of a job"],
)
def test_it_is_there_without(modules: str, without: str) -> None:
    code = f"import sys, {modules}; print({{*{without.split()!r}}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
