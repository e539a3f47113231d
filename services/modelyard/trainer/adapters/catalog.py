"""An attempt's inputs and outputs: the catalog, with the attempt's own token."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import ParamSpec, TypeVar

from modelyard.api.catalog.v1 import lineage_service_pb2, lineage_service_pb2_grpc, model_pb2
from modelyard.foundation.errors import FailedPrecondition, ResourceExhausted
from modelyard.foundation.sync.cache import FolderCache
from modelyard.job.description import DESCRIPTION_FILE, parse_description
from modelyard.job.examples import PACKS_FOLDER, build_index, pack_path
from modelyard.sdk import errors as sdk_errors
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import fetch_files, fetch_packs, signed_reads
from modelyard.sdk.folder import scan
from modelyard.sdk.progress import Progress
from modelyard.sdk.upload import push
from modelyard.trainer.attempt import Resume, Work
from modelyard.trainer.domain import AttemptFailed, AttemptStopped, FailureClass
from modelyard.trainer.gate import Checked, check_model
from modelyard.trainer.reporter import Reporter

P = ParamSpec("P")
T = TypeVar("T")

_TRANSIENT = (sdk_errors.Unavailable, sdk_errors.DeadlineExceeded, sdk_errors.ResourceExhausted)


class CatalogAttempt:
    """The catalog as one attempt sees it; both Inputs and Outputs."""

    def __init__(self, connection: Connection, work: Work, cache: FolderCache, frameworks: Mapping[str, str]) -> None:
        self._connection = connection
        self._work = work
        self._cache = cache
        self._frameworks = frameworks
        self._lineage = lineage_service_pb2_grpc.LineageServiceStub(connection.channel)

    async def begin(self) -> Resume | None:
        """Fence off older attempts; answers the newest checkpoint."""
        request = lineage_service_pb2.BeginExecutionRequest(
            parent="/".join(self._work.job.split("/")[:2]), consumer=self._work.job, attempt=self._work.number
        )
        execution = await _guarded(self._connection.call, self._lineage.BeginExecution, request)
        if not execution.HasField("last_checkpoint"):
            return None
        return Resume(execution.last_checkpoint.name, execution.last_checkpoint.step)

    @contextlib.asynccontextmanager
    async def dataset(self, reporter: Reporter) -> AsyncIterator[Path]:
        """A verified copy with its example index; every job on this worker shares it."""

        async def build(folder: Path) -> None:
            await _guarded(self._fetch_dataset, folder, _bytes_to(reporter))

        size = await _guarded(self._dataset_bytes)
        async with contextlib.AsyncExitStack() as stack:
            try:
                copy = self._cache.pinned(self._work.dataset_digest, size, build)
                folder = await stack.enter_async_context(copy)
            except ResourceExhausted as error:
                raise AttemptFailed(FailureClass.STORAGE, error.message) from error
            yield folder

    def _dataset_bytes(self) -> int:
        return sum(pack.size_bytes for pack in signed_reads(self._connection, self._work.dataset_version).packs)

    def _fetch_dataset(self, folder: Path, progress: Progress) -> None:
        entries = fetch_packs(self._connection, self._work.dataset_version, folder / PACKS_FOLDER, progress=progress)
        described = next((entry for entry in entries if entry.path == DESCRIPTION_FILE), None)
        if described is None:
            raise AttemptFailed(
                FailureClass.INVALID_DATA, f"the dataset does not describe itself: it has no {DESCRIPTION_FILE}"
            )
        with pack_path(folder, described.pack).open("rb") as pack:
            pack.seek(described.offset)
            description = parse_description(pack.read(described.size))
        build_index(description, entries, folder)

    async def checkpoint(self, resume: Resume, folder: Path, reporter: Reporter) -> None:
        """Put a checkpoint's files into a new folder, verified."""
        await _guarded(fetch_files, self._connection, resume.name, folder, progress=_bytes_to(reporter))

    async def store_checkpoint(self, step: int, folder: Path) -> None:
        """Publish a checkpoint; refused once a newer attempt has begun."""
        await _guarded(push, self._connection, f"{self._work.job}/checkpoints/{step}", scan(folder))

    async def register(self, folder: Path, metrics: Mapping[str, float], reporter: Reporter) -> str:
        """Check the exported model and make it a version; answers the version's name."""
        _stage(reporter, "checking")
        checked = await check_model(folder)
        _stage(reporter, "registering")
        info = _model_info(metrics, checked, self._frameworks)
        progress = _bytes_to(reporter)
        pushed = await _guarded(
            push, self._connection, self._work.model, scan(folder), model_info=info, progress=progress
        )
        return pushed.version


def _model_info(metrics: Mapping[str, float], checked: Checked, frameworks: Mapping[str, str]) -> model_pb2.ModelInfo:
    info = model_pb2.ModelInfo(metrics=metrics, row_wise=checked.row_wise, frameworks=frameworks)
    for gate in checked.gates:
        state = model_pb2.Gate.STATE_PASSED if gate.passed else model_pb2.Gate.STATE_FAILED
        info.gates.add(kind=gate.kind, state=state, detail=gate.detail)
    return info


def _stage(reporter: Reporter, stage: str) -> None:
    reporter.progress.stage = stage
    reporter.progress.done_bytes = reporter.progress.total_bytes = 0
    reporter.changed()


def _bytes_to(reporter: Reporter) -> Progress:
    """A progress callback for worker threads that shows up in the job's progress."""
    loop = asyncio.get_running_loop()

    def show(stage: str, done: int, total: int) -> None:
        progress = reporter.progress
        if stage in ("fetching", "verifying", "sending"):
            progress.done_bytes, progress.total_bytes = done, total
            if stage == "fetching":
                progress.stage = stage
            loop.call_soon_threadsafe(reporter.changed)

    return show


async def _guarded(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call of the client in a thread; what it fails with becomes the attempt's end."""
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    except sdk_errors.Aborted as error:
        raise AttemptStopped from error
    except _TRANSIENT as error:
        raise AttemptFailed(FailureClass.STORAGE, f"the catalog or its store can't be used: {error.message}") from error
    except sdk_errors.ModelyardError as error:
        raise AttemptFailed(FailureClass.INTERNAL, f"the catalog refused: {error.message}") from error
    except FailedPrecondition as error:
        raise AttemptFailed(FailureClass.INVALID_DATA, error.message) from error
