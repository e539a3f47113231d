"""What a job of each template's networks costs a training step: `python -m tests.bench templates`.

Against the same network in a plain script (`plain_*.py`) that reads the files itself, encodes them with
the same layers and calls `fit` on arrays. Both judge the held-out split after each epoch. Steps are counted in a window
after tracing, as in the row `steps`: the first script finds one of five seconds, and all others count in that one.

Two pairs, and a third where they disagree whether the promise is kept: what the median of three would say is decided
by two that agree.

Not measured: image-classification's network `transfer`. Its weights come with a requirement that a worker installs
apart, where no plain script finds them; what it trains is one layer on arrays.
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
FACTOR = 0.95
FEWEST_REPORTS = 5
"""A job says twice a second where it is, or after a step that takes longer."""


@dataclass(frozen=True, slots=True)
class Case:
    """A network of a template, on a set of the gallery."""

    template: str
    network: str
    dataset: str
    target: str = ""
    parameters: dict[str, int] = field(default_factory=dict)
    """Others than the template's."""

    @property
    def name(self) -> str:
        return f"{self.template} {self.network}".strip()


CASES = (
    Case("image-classification", "cnn", "fashion-mnist"),
    Case("image-classification", "residual", "fashion-mnist"),
    Case("image-embedding", "", "emoji-identities"),
    Case("object-detection", "", "digit-scenes"),
    Case("text-classification", "cnn", "sentiment", "label"),
    Case("text-classification", "gru", "sentiment", "label"),
    Case("text-classification", "lstm", "sentiment", "label"),
    Case("text-classification", "transformer", "sentiment", "label"),
    Case("text-classification", "mean", "sentiment", "label"),
    Case("translation", "gru", "synopses-en-it"),
    Case("translation", "transformer", "synopses-en-it"),
    Case("summarisation", "gru", "synopses"),
    Case("text-generation", "gru", "shakespeare"),
    Case("tabular", "", "adult", "salary"),
    Case("tabular", "", "bikeshare", "bikers"),
    Case("forecasting", "cnn", "bikeshare-hours", "bikers"),
    Case("video-classification", "gru", "motions"),
    Case("audio-classification", "cnn", "prompts"),
    Case("text-recognition", "gru", "plates"),
    Case("speech-recognition", "gru", "digit-strings", parameters={"seconds": 4}),
    Case("recommendation", "", "movielens-small", parameters={"item_values": 0}),
)


def measure() -> list[Row]:
    """Steps a second of each."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-templates-") as name,
        running_stack(Path(name), environment=EMBEDDED) as stack,
        Client(stack.address, token=stack.token) as client,
    ):
        rows = []
        for case in CASES:
            rows.append(_steps(client, case))
            # It takes most of an hour: what is measured is said at once.
            print(rows[-1].line(), flush=True)
        return rows


def _steps(client: Client, case: Case) -> Row:
    made = gallery.find(case.dataset)
    folder = made.fetch()
    options = Options(target=case.target) if case.target else made.options
    version = client.datasets.push(case.dataset, folder, options=options).version
    parameters = {"epochs": 1000, **({"network": case.network} if case.network else {}), **case.parameters}
    window = [0, 0]

    def job() -> float:
        name = client.jobs.create(case.template, version, parameters=parameters).name
        return watched(client, name, *window, fewest=FEWEST_REPORTS)

    def script() -> float:
        arguments = (case.template, case.network, str(folder), case.target, *map(str, window))
        found = plain_script("tests.bench.plain_templates", *arguments)
        window[:] = found["window"]
        return float(found["steps_per_s"])

    jobs, scripts = interleaved(PAIRS, job, script, decided)
    return Row(
        f"steps/s of {case.name} on {case.dataset}",
        jobs,
        "/s",
        scripts,
        "the same network, plain",
        at_least_times(FACTOR),
        notes={"steps": "{:,} to {:,}".format(*window)},
    )


def decided(jobs: list[float], scripts: list[float]) -> bool:
    """Whether most of all pairs agree already."""
    kept = sum(job >= FACTOR * script for job, script in zip(jobs, scripts, strict=True))
    return max(kept, len(jobs) - kept) > PAIRS / 2
