"""An attempt's inputs and outputs: the catalog, with the attempt's own token."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from modelyard.api.catalog.v1 import lineage_service_pb2, lineage_service_pb2_grpc, model_pb2
from modelyard.foundation.errors import FailedPrecondition, ResourceExhausted
from modelyard.foundation.sync.cache import FolderCache
from modelyard.job.description import DESCRIPTION_FILE, parse_description
from modelyard.job.examples import PACKS_FOLDER, build_index, pack_path
from modelyard.sdk import errors as sdk_errors
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import fetch_files, fetch_packs, signed_reads
from modelyard.sdk.folder import scan
from modelyard.sdk.progress import Progress, silent
from modelyard.sdk.upload import push
from modelyard.trainer.domain import AttemptFailed, AttemptStopped, FailureClass
from modelyard.trainer.errand import Errand
from modelyard.trainer.gate import Checked, check_model
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.work import Resume, Work

T = TypeVar("T")

PATIENCE_S = 120.0
"""How long an attempt waits for a catalog or a store that is away, once it needs them."""
_LONGEST_PAUSE_S = 5.0
_SHOW_EVERY_S = 0.2
_WEATHER = (sdk_errors.Unavailable, sdk_errors.DeadlineExceeded, sdk_errors.Unauthenticated)
"""Passes: a neighbour is started again, a token is renewed."""
_OVER = ("STALE_ATTEMPT", "EXECUTION_ENDED")
"""A newer attempt has begun, or the job has ended."""


class CatalogAttempt:
    """The catalog as one attempt sees it; both Inputs and Outputs."""

    def __init__(
        self,
        connection: Connection,
        work: Work,
        cache: FolderCache,
        frameworks: Mapping[str, str],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._connection = connection
        self._work = work
        self._cache = cache
        self._frameworks = frameworks
        self._patience_s = patience_s
        self._lineage = lineage_service_pb2_grpc.LineageServiceStub(connection.channel)

    async def begin(self, reporter: Reporter) -> Resume | None:
        """Fence off older attempts; answers the newest checkpoint."""
        request = lineage_service_pb2.BeginExecutionRequest(
            parent="/".join(self._work.job.split("/")[:2]), consumer=self._work.job, attempt=self._work.number
        )
        execution = await self._patiently(
            reporter, lambda errand: errand.run(self._connection.call, self._lineage.BeginExecution, request)
        )
        if not execution.HasField("last_checkpoint"):
            return None
        return Resume(execution.last_checkpoint.name, execution.last_checkpoint.step)

    @contextlib.asynccontextmanager
    async def dataset(self, reporter: Reporter) -> AsyncIterator[Path]:
        """A verified copy with its example index; every job on this worker shares it."""

        async def build(folder: Path) -> None:
            shown = _bytes_to(reporter)
            await self._patiently(reporter, lambda errand: errand.run(self._fetch, folder, errand.watched(shown)))

        size = await self._patiently(reporter, lambda errand: errand.run(self._dataset_bytes))
        async with contextlib.AsyncExitStack() as stack:
            try:
                copy = self._cache.pinned(self._work.dataset_digest, size, build)
                folder = await stack.enter_async_context(copy)
            except ResourceExhausted as error:
                raise AttemptFailed(FailureClass.STORAGE, error.message) from error
            yield folder

    async def checkpoint(self, resume: Resume, folder: Path, reporter: Reporter) -> None:
        """Put a checkpoint's files into a new folder, verified."""
        shown = _bytes_to(reporter)

        def fetch(progress: Progress) -> None:
            _empty(folder)
            fetch_files(self._connection, resume.name, folder, progress=progress)

        await self._patiently(reporter, lambda errand: errand.run(fetch, errand.watched(shown)))

    async def store_checkpoint(self, step: int, folder: Path) -> None:
        """Publish a checkpoint; refused once a newer attempt has begun."""
        errand = Errand()
        with _translated():
            await errand.run(self._push_checkpoint, step, folder, errand.watched(silent, last="verifying"))

    async def register(self, folder: Path, metrics: Mapping[str, float], reporter: Reporter) -> str:
        """Check the exported model and make it a version; answers the version's name."""
        _stage(reporter, "checking")
        checked = await check_model(folder, self._work.device_names)
        _stage(reporter, "registering")
        info = _model_info(metrics, checked, self._frameworks)
        shown = _bytes_to(reporter)

        def register(progress: Progress) -> str:
            return push(self._connection, self._work.model, scan(folder), model_info=info, progress=progress).version

        # Once it is being verified it may become a version at any moment, so from there on it is seen through.
        return await self._patiently(
            reporter, lambda errand: errand.run(register, errand.watched(shown, last="verifying")), counts=True
        )

    def _dataset_bytes(self) -> int:
        return sum(pack.size_bytes for pack in signed_reads(self._connection, self._work.dataset_version).packs)

    def _fetch(self, folder: Path, progress: Progress) -> None:
        _empty(folder)
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

    def _push_checkpoint(self, step: int, folder: Path, progress: Progress) -> None:
        push(self._connection, f"{self._work.job}/checkpoints/{step}", scan(folder), progress=progress)

    async def _patiently(
        self, reporter: Reporter, call: Callable[[Errand], Awaitable[T]], *, counts: bool = False
    ) -> T:
        """The call's answer, waiting while the catalog or the store can't be reached; that may be for a while only."""
        since, pause = time.monotonic(), 0.5
        while True:
            try:
                with _translated():
                    return await call(Errand(counts=counts))
            except _Weather as weather:
                if time.monotonic() - since > self._patience_s:
                    raise
                reporter.line(f"{weather.message}; trying again")
                reporter.changed()
            await asyncio.sleep(pause)  # back-off between tries
            pause = min(pause * 2, _LONGEST_PAUSE_S)


class _Weather(AttemptFailed):
    """A failure that passes by itself."""


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """What a call of the client fails with becomes the attempt's end."""
    try:
        yield
    except sdk_errors.Aborted as error:
        if error.reason in _OVER:
            raise AttemptStopped from error
        raise _Weather(FailureClass.STORAGE, error.message) from error
    except sdk_errors.ResourceExhausted as error:
        kind = AttemptFailed if error.retry_after_s is None else _Weather
        raise kind(FailureClass.STORAGE, error.message) from error
    except _WEATHER as error:
        raise _Weather(FailureClass.STORAGE, f"the catalog or its store can't be used: {error.message}") from error
    except sdk_errors.DataLoss as error:
        raise AttemptFailed(FailureClass.STORAGE, error.message) from error
    except sdk_errors.ModelyardError as error:
        if error.reason in _OVER:
            raise AttemptStopped from error
        raise AttemptFailed(FailureClass.INTERNAL, f"the catalog refused: {error.message}") from error
    except FailedPrecondition as error:
        raise AttemptFailed(FailureClass.INVALID_DATA, error.message) from error


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
    shown_at = 0.0

    def show(stage: str, done: int, total: int) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if stage not in ("fetching", "verifying", "sending") or (now - shown_at < _SHOW_EVERY_S and done < total):
            return
        shown_at = now
        reporter.progress.done_bytes, reporter.progress.total_bytes = done, total
        if stage == "fetching":
            reporter.progress.stage = stage
        loop.call_soon_threadsafe(reporter.changed)

    return show


def _empty(folder: Path) -> None:
    """What an earlier try left is no part of the next one."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
