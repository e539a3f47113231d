"""One installation for all end-to-end tests, and one model trained in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.stack import Stack, held_out, running_stack, write_digits

TRAINING_IMAGES = 2000
HELD_OUT = 100


@dataclass(frozen=True, slots=True)
class Trained:
    """A job that has ended, and what was deployed of it."""

    job: dict[str, Any]
    deployment: dict[str, Any]
    images: Any
    """uint8 [HELD_OUT, 28, 28, 1]: digits that the model has not seen."""
    labels: list[int]
    png: Path
    """The first of them as a file."""


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation on the embedded store."""
    with running_stack(tmp_path_factory.mktemp("e2e"), environment={"PATH": "/usr/bin:/bin"}) as stack:
        write_digits(stack.home / "digits", TRAINING_IMAGES)
        yield stack


@pytest.fixture(scope="package")
def trained(stack: Stack) -> Trained:
    """digits@1, a model of it, and the deployment `digits`."""
    stack.run("datasets", "push", "digits", "digits")
    job = stack.json("train", "image-classification", "--dataset", "digits", "--set", "epochs=4", "--watch")
    deployment = stack.json("deploy", "digits", "--model", job["model_version"])
    images, labels = held_out(HELD_OUT)
    png = stack.home / "digit.png"
    Image.fromarray(images[0, :, :, 0]).save(png)
    return Trained(job, deployment, images, labels, png)


@pytest.fixture(scope="package")
def script() -> Path:
    """The founding document's script, with the four lines that make it a job."""
    return Path(__file__).parents[2] / "deploy" / "examples" / "founding_script.py"


@pytest.fixture(scope="package")
def founding(stack: Stack, trained: Trained, script: Path) -> dict[str, Any]:
    """The job `founding`, which trained that script on the same data as `trained`."""
    job: dict[str, Any] = stack.json("train", str(script), "--dataset", "digits@1", "--job", "founding", "--watch")
    return job
