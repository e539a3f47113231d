"""What a job of each template's networks costs a training step: `python -m tests.bench templates`.

Against the same network in a plain script (`plain_templates.py`) that reads the files itself, encodes them with
the same layers and calls `fit` on arrays. Both judge the held-out split after each epoch. Steps are counted in a window
after tracing, as in the row `steps`.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk import Client, gallery
from tests.bench.embedded import EMBEDDED
from tests.bench.owncode import interleaved
from tests.bench.rows import Row, at_least_times
from tests.bench.training import plain_script, watched
from tests.support.stack import running_stack

PAIRS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A network of a template, on a set of the gallery."""

    template: str
    network: str
    dataset: str
    target: str
    first: int
    last: int
    """The window of steps: five seconds or more."""
    parameters: dict[str, int] = field(default_factory=dict)
    """Others than the template's."""

    @property
    def name(self) -> str:
        return f"{self.template} {self.network}".strip()


CASES = (
    Case("image-classification", "residual", "fashion-mnist", "", 20, 270),
    Case("text-classification", "cnn", "sentiment", "label", 300, 2400),
    Case("text-classification", "gru", "sentiment", "label", 300, 1100),
    Case("text-classification", "lstm", "sentiment", "label", 300, 1100),
    Case("text-classification", "transformer", "sentiment", "label", 300, 1500),
    Case("text-classification", "mean", "sentiment", "label", 300, 4000),
    Case("translation", "gru", "synopses-en-it", "", 40, 240),
    Case("translation", "transformer", "synopses-en-it", "", 40, 240),
    Case("tabular", "", "adult", "salary", 300, 5000),
    Case("tabular", "", "bikeshare", "bikers", 300, 5000),
    Case("video-classification", "gru", "motions", "", 40, 90),
    Case("text-generation", "gru", "shakespeare", "", 10, 40),
    Case("forecasting", "cnn", "bikeshare-hours", "bikers", 60, 360),
    Case("audio-classification", "cnn", "prompts", "", 40, 160),
    Case("text-recognition", "gru", "plates", "", 40, 160),
    Case("speech-recognition", "gru", "digit-strings", "", 40, 140, {"seconds": 4}),
    Case("recommendation", "", "movielens-small", "", 40, 440, {"item_values": 0}),
)


def measure() -> list[Row]:
    """Steps a second of each."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-templates-") as name,
        running_stack(Path(name), environment=EMBEDDED) as stack,
        Client(stack.address, token=stack.token) as client,
    ):
        return [_steps(client, case) for case in CASES]


def _steps(client: Client, case: Case) -> Row:
    made = gallery.find(case.dataset)
    folder = made.fetch()
    options = Options(target=case.target) if case.target else made.options
    version = client.datasets.push(case.dataset, folder, options=options).version
    parameters = {"epochs": 1000, **({"network": case.network} if case.network else {}), **case.parameters}

    def job() -> float:
        name = client.jobs.create(case.template, version, parameters=parameters).name
        return watched(client, name, case.first, case.last)

    def script() -> float:
        arguments = (case.template, case.network, str(folder), case.target, str(case.first), str(case.last))
        return float(plain_script("tests.bench.plain_templates", *arguments)["steps_per_s"])

    jobs, scripts = interleaved(PAIRS, job, script)
    return Row(
        f"steps/s of {case.name} on {case.dataset}",
        jobs,
        "/s",
        scripts,
        "the same network, plain",
        at_least_times(0.95),
    )
