"""A job in this very process, for debugging: no worker, no sandbox, the code's own traceback, `breakpoint()` works.

    python -m modelyard.job.local JOB_JSON
    python -m modelyard.job.local --code ./mypackage --entry train:main --dataset PREPARED --output ./run --set lr=0.01

A prepared dataset is a folder with `index.json`, as a worker makes it of a dataset version. The output folder gets
`model/`, `outputs/run/` (TensorBoard, images) and `checkpoints/`. Exit status: 0 done, 1 failed, 130 after a Ctrl-C.
"""

import argparse
import os
import sys
import threading
import time
from pathlib import Path

from modelyard.job.channel import stop_at_sigterm
from modelyard.job.frames import of_code
from modelyard.job.loading import load_tensorflow
from modelyard.job.messages import (
    Checkpoint,
    ChildMessage,
    Evaluated,
    Exported,
    Failed,
    Image,
    JobSpec,
    Metric,
    Prepared,
    Progress,
    Text,
)
from modelyard.templates.specs import SPEC_FILE, parse_template

INTERRUPTED = 130
SAY_EVERY_S = 2.0


class Printing:
    """The worker's end, for a person at a terminal; every checkpoint counts as safe."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.published = -1
        self._said_at = time.monotonic()

    def send(self, message: ChildMessage) -> None:
        """Print what a person wants to know; a loop's progress every two seconds (Keras shows its own)."""
        match message:
            case Checkpoint():
                self.published = message.step
            case Prepared() if message.total_steps:
                self._say(f"two steps have run; {message.total_steps} steps of {message.batch_size} examples in all")
            case Progress() if time.monotonic() - self._said_at >= SAY_EVERY_S:
                self._said_at = time.monotonic()
                values = "  ".join(f"{name} {value:.4g}" for name, value in message.metrics.items())
                self._say(f"step {message.step}/{message.total_steps or '?'}  {message.examples_per_s:.0f}/s  {values}")
            case Metric():
                self._say(f"step {message.step}: {message.name} {message.value:.6g}")
            case Text():
                self._say(f"step {message.step}: {message.name}: {message.text}")
            case Image():
                self._say(f"step {message.step}: {message.name}: outputs/run/{message.path}")
            case Exported():
                self._say(f"the model is in {message.path}")
            case Evaluated():
                values = "  ".join(f"{name} {value:.6g}" for name, value in message.metrics.items())
                self._say(f"{message.examples} examples of split {message.split}: {values}")
            case Failed():
                self._say(f"{message.failure_class}: {message.message}")

    def finish(self) -> None:
        """Nobody leaves."""

    def _say(self, text: str) -> None:
        print(f"[modelyard] {text}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; see the module's own text."""
    spec, folder = _read(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    return run(spec, folder)


def run(spec: JobSpec, folder: Path) -> int:
    """Run `spec` in this process, with `folder` for the work folder. It ends as `modelyard.job` would end it."""
    from modelyard.job.allocation import keep_freed
    from modelyard.job.devices import bind_environment
    from modelyard.job.lifetime import live

    channel = Printing()
    keep_freed()
    bind_environment(spec.devices)
    stop_at_sigterm(channel.stop)
    try:
        load_tensorflow(spec.devices)
        status = live(spec, folder, channel, quiet=False)
    except KeyboardInterrupt as end:
        print(of_code(end, (folder / spec.code).resolve()), end="", file=sys.stderr)
        return INTERRUPTED
    return status


def _read(arguments: list[str] | None) -> tuple[JobSpec, Path]:
    parser = argparse.ArgumentParser(prog="python -m modelyard.job.local", description="Run a job in this process.")
    parser.add_argument("job", nargs="?", type=Path, help="a job.json; its folder is the work folder")
    parser.add_argument("--code", type=Path, help="the package's folder, or one Python file")
    parser.add_argument("--entry", default="", help="module:function, or module for a script")
    parser.add_argument("--dataset", type=Path, help="a prepared dataset")
    parser.add_argument("--output", type=Path, default=Path("run"), help="where model/ and outputs/ go")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    given = parser.parse_args(arguments)
    if given.job is not None:
        return JobSpec.load(given.job), given.job.resolve().parent
    if given.code is None:
        parser.error("say what to run: a job.json, or --code")
    wrong = next((pair for pair in given.set if "=" not in pair), None)
    if wrong is not None:
        parser.error(f"--set takes NAME=VALUE, not {wrong!r}")
    code = given.code.resolve()
    folder, module = (code.parent, code.stem) if code.is_file() else (code, "train")
    parameters: dict[str, object] = dict(pair.split("=", 1) for pair in given.set)
    entry = given.entry
    if (folder / SPEC_FILE).is_file():
        template = parse_template((folder / SPEC_FILE).read_text(), folder.name, folder)
        parameters = dict(template.complete(parameters))
        entry = entry or template.entry
    spec = JobSpec(
        job="local",
        attempt=1,
        code=str(folder),
        entry=entry or module,
        fd=-1,
        parameters=parameters,
        seed=int(str(parameters.get("seed", 0))),
        dataset=str(given.dataset.resolve()) if given.dataset else "",
    )
    return spec, given.output.resolve()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's threads can hang an orderly exit.
    os._exit(status)
