"""`modelyard train … --local`: code of one's own in this terminal, on the same data as a job, without a worker."""

import asyncio
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelyard.foundation.sandbox.preparation import tier_for_data
from modelyard.job.index import INDEX_FILE, INDEX_FORMAT
from modelyard.job.messages import JobSpec
from modelyard.job.packs import PACKS_FOLDER
from modelyard.job.preparing import NotIndexed, index_apart
from modelyard.local.errors import DatasetUnusable, TensorFlowMissing
from modelyard.sdk import Client
from modelyard.sdk.download import fetch_packs
from modelyard.sdk.names import id_for
from modelyard.sdk.progress import Progress
from modelyard.templates.specs import SPEC_FILE, parse_template
from modelyard.tree import Entry

PROGRAM = (sys.executable, "-m", "modelyard.job.local")


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that is needed lies in a folder of its own."""

    folder: Path
    """job.json and what the code leaves: model/, checkpoints/, outputs/run/."""


def prepare(
    client: Client, code: Path, entry: str, dataset: str, parameters: Mapping[str, Any], progress: Progress
) -> Trial:
    """Fetch the data, once for each dataset version, and write job.json.

    Raises FailedPrecondition's subclasses with a sentence, and what the client raises.
    """
    if find_spec("tensorflow") is None:
        raise TensorFlowMissing(
            "TensorFlow is not installed here, so the code can't run here; pip install 'modelyard[trainer]', "
            "or leave --local out and let a worker run it"
        )
    values = _parameters(code, parameters)
    prepared = _dataset(client, dataset, progress)
    folder = cache_folder() / "trials" / id_for(code.resolve().name)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "inputs").mkdir(parents=True)
    (folder / "inputs" / "dataset").symlink_to(prepared, target_is_directory=True)
    spec = JobSpec(
        job=f"projects/{client.project}/jobs/local",
        attempt=1,
        code=str(code.resolve() if code.is_dir() else code.resolve().parent),
        entry=entry,
        fd=-1,
        parameters=values,
        seed=int(values.get("seed", 0)),
    )
    (folder / "job.json").write_text(spec.to_json())
    return Trial(folder)


def run(trial: Trial) -> int:
    """Run it with this terminal; answers its exit status."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    child = subprocess.Popen([*PROGRAM, str(trial.folder / "job.json")], env=quiet | dict(os.environ))
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            pass  # the terminal has told the child too; what it does about it is worth waiting for


def cache_folder() -> Path:
    """Where datasets and trials are kept on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelyard"


def _parameters(code: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Complete, as template.toml has them; without one, those that are given."""
    spec = code / SPEC_FILE
    if not spec.is_file():
        return dict(given)
    return dict(parse_template(spec.read_text(), code.resolve().name).complete(given))


def _dataset(client: Client, name: str, progress: Progress) -> Path:
    """A verified, indexed copy, made as a worker makes it."""
    version = client.datasets.version(name)
    folder = cache_folder() / "datasets" / f"{version.digest.replace(':', '-')}-{INDEX_FORMAT}"
    if (folder / INDEX_FILE).exists():
        return folder
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        entries = fetch_packs(client.connection, version.name, partial / PACKS_FOLDER, progress=progress)
        asyncio.run(_index(partial, entries, progress))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


async def _index(folder: Path, entries: Sequence[Entry], progress: Progress) -> None:
    try:
        await index_apart(
            folder,
            entries,
            tier_for_data(),
            progress=lambda done, total: progress("preparing", done, total),
            said=lambda line: print(line, file=sys.stderr),
        )
    except NotIndexed as error:
        raise DatasetUnusable(error.message) from error
