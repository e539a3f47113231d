"""An attempt's inputs and outputs: the catalog, with the attempt's own token."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from modelyard.api.catalog.v1 import (
    lineage_service_pb2,
    lineage_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
)
from modelyard.foundation.errors import ResourceExhausted
from modelyard.foundation.sandbox.policy import Tier
from modelyard.foundation.sandbox.preparation import tier_for_data
from modelyard.foundation.sync.cache import FolderCache
from modelyard.job.packs import PACKS_FOLDER
from modelyard.job.preparing import NotIndexed, index_apart
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import fetch_files, fetch_packs, signed_reads
from modelyard.sdk.errors import DataLoss, NotFound
from modelyard.sdk.folder import scan
from modelyard.sdk.progress import Progress, silent
from modelyard.sdk.upload import push
from modelyard.trainer.adapters.datasets import DatasetResults
from modelyard.trainer.adapters.model_info import model_info
from modelyard.trainer.adapters.patience import PATIENCE_S, patiently, translated
from modelyard.trainer.adapters.showing import bytes_to, emptied, show_stage
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.errand import Errand
from modelyard.trainer.gates import GateFailed, GateResult, check_model
from modelyard.trainer.installing import Installer
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.run_output import NAME as RUN
from modelyard.trainer.work import Distribution, Evaluation, Installed, Resume, Work
from modelyard.tree import Entry

_GATES_FILE = "gates.json"


class CatalogAttempt:
    """The catalog as one attempt sees it; both Inputs and Outputs."""

    def __init__(
        self,
        connection: Connection,
        work: Work,
        cache: FolderCache,
        installer: Installer,
        frameworks: Mapping[str, str],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._connection = connection
        self._work = work
        self._cache = cache
        self._installer = installer
        self._frameworks = frameworks
        self._patience_s = patience_s
        self._lineage = lineage_service_pb2_grpc.LineageServiceStub(connection.channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(connection.channel)
        self._datasets = DatasetResults(connection, work, patience_s)

    async def begin(self, reporter: Reporter) -> Resume | None:
        """Fence off older attempts; answers the newest checkpoint."""
        request = lineage_service_pb2.BeginExecutionRequest(
            parent="/".join(self._work.job.split("/")[:2]), consumer=self._work.job, attempt=self._work.number
        )
        execution = await patiently(
            self._patience_s,
            reporter,
            lambda errand: errand.run(self._connection.call, self._lineage.BeginExecution, request),
        )
        if not execution.HasField("last_checkpoint"):
            return None
        return Resume(execution.last_checkpoint.name, execution.last_checkpoint.step)

    def dataset(self, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Path]:
        """A verified copy with its example index; every job on this worker shares it."""
        work = self._work
        entries: list[Entry] = []

        def fetch(folder: Path, progress: Progress) -> None:
            entries[:] = fetch_packs(self._connection, work.dataset_version, folder / PACKS_FOLDER, progress=progress)

        async def index(folder: Path) -> None:
            await self._index(folder, entries, reporter)

        # Copies that earlier releases have made, with other indexes, are of no use.
        key = _key("index 2", work.dataset_digest)
        return self._tree(work.dataset_version, key, fetch, reporter, index)

    def files(self, version: str, digest: str, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Path]:
        """A verified copy of a version's files; every job on this worker shares it."""
        key = _key("files", digest)

        def fetch(folder: Path, progress: Progress) -> None:
            fetch_files(self._connection, version, folder, progress=progress)

        return self._tree(version, key, fetch, reporter)

    def installed(self, requirements: bytes, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Installed]:
        """What a requirements.txt asks for; every job on this worker shares it."""
        return self._installer.installed(requirements, reporter)

    async def made_by_others(self, model_version: str, reporter: Reporter) -> bool:
        """Whether a model version came of code or files that are not modelyard's own."""
        request = model_service_pb2.GetModelVersionRequest(name=model_version)
        version = await patiently(
            self._patience_s,
            reporter,
            lambda errand: errand.run(self._connection.call, self._models.GetModelVersion, request),
        )
        return version.info.foreign

    async def checkpoint(self, resume: Resume, folder: Path, reporter: Reporter) -> None:
        """Put a checkpoint's files into a new folder, verified."""
        shown = bytes_to(reporter)

        def fetch(progress: Progress) -> None:
            emptied(folder)
            fetch_files(self._connection, resume.name, folder, progress=progress)

        await patiently(self._patience_s, reporter, lambda errand: errand.run(fetch, errand.watched(shown)))

    async def run_so_far(self, folder: Path, reporter: Reporter) -> None:
        """Put what earlier attempts have stored as the output `run` into a folder; none may have stored any."""
        shown = bytes_to(reporter)

        def fetch(progress: Progress) -> str:
            emptied(folder)
            try:
                fetch_files(self._connection, f"{self._work.job}/outputs/{RUN}", folder, progress=progress)
            except NotFound:
                return ""
            except DataLoss as error:
                emptied(folder)
                return error.message
            return ""

        problem = await patiently(self._patience_s, reporter, lambda errand: errand.run(fetch, errand.watched(shown)))
        if problem:
            reporter.line(f"the output {RUN} begins here, what earlier attempts have reported is lost: {problem}")

    async def earlier_profiles(self, folder: Path, reporter: Reporter) -> tuple[str, ...]:
        """Put the profiles of earlier versions of the dataset into new folders; answers the versions' names."""
        return await self._datasets.earlier_profiles(folder, reporter)

    async def store_checkpoint(self, step: int, folder: Path) -> None:
        """Publish a checkpoint; refused once a newer attempt has begun."""
        await self._push(f"checkpoints/{step}", folder)

    async def store_output(self, name: str, folder: Path) -> None:
        """Publish a tree beside the model; refused once a newer attempt has begun."""
        await self._push(f"outputs/{name}", folder, base=f"{self._work.job}/outputs/{name}")

    async def register(
        self, folder: Path, metrics: Mapping[str, float], installed: Sequence[Distribution], reporter: Reporter
    ) -> str:
        """Check the exported model and make it a version; answers the version's name."""
        show_stage(reporter, "checking")

        def told(gate: GateResult) -> None:
            reporter.text(f"gate {gate.kind}", f"{'passed' if gate.passed else 'failed'}: {gate.detail}")

        try:
            tier = Tier.FOREIGN if self._work.foreign else Tier.SHIPPED
            checked = await check_model(folder, self._work.device_names, tier=tier, told=told)
        except GateFailed as failed:
            await self._keep_rejected(folder, failed.gates, reporter)
            raise
        show_stage(reporter, "registering")
        info = model_info(metrics, checked, self._frameworks, installed, foreign=self._work.foreign)
        shown = bytes_to(reporter)

        def register(progress: Progress) -> str:
            return push(self._connection, self._work.model, scan(folder), model_info=info, progress=progress).version

        # Once it is being verified it may become a version at any moment, so from there on it is seen through.
        return await patiently(
            self._patience_s,
            reporter,
            lambda errand: errand.run(register, errand.watched(shown, last="verifying")),
            counts=True,
        )

    async def record(self, report: Path, evaluation: Evaluation, reporter: Reporter) -> str:
        """Store an evaluation's report, then what it found; answers the evaluation's name."""
        show_stage(reporter, "registering")
        await patiently(self._patience_s, reporter, lambda _: self.store_output("report", report))
        request = model_service_pb2.RecordEvaluationRequest(
            parent=self._work.model_version,
            evaluation=model_pb2.Evaluation(
                dataset_version=self._work.dataset_version,
                split=evaluation.split,
                example_count=evaluation.examples,
                metrics=evaluation.metrics,
                report=f"{self._work.job}/outputs/report",
            ),
        )
        recorded = await patiently(
            self._patience_s,
            reporter,
            lambda errand: errand.run(self._connection.call, self._models.RecordEvaluation, request),
            counts=True,
        )
        return recorded.name

    async def record_statistics(self, folder: Path, file: str, reporter: Reporter) -> None:
        """Store a profile, then the statistics in its file `file`."""
        await self._datasets.record_statistics(folder, file, self.store_output, reporter)

    async def register_dataset(self, folder: Path, reporter: Reporter) -> str:
        """Make a model's answers a version of the job's dataset; answers the version's name."""
        return await self._datasets.register(folder, reporter)

    async def _keep_rejected(self, folder: Path, gates: Sequence[GateResult], reporter: Reporter) -> None:
        """As evidence, beside the job; whether that works or not, the gate's reason is what counts."""
        show_stage(reporter, "registering")
        listed = json.dumps([asdict(gate) for gate in gates], indent=1)
        await asyncio.to_thread((folder / _GATES_FILE).write_text, listed)
        try:
            await patiently(self._patience_s, reporter, lambda _: self.store_output("rejected", folder))
        except AttemptFailed as error:
            reporter.line(f"the rejected model could not be kept: {error.message}")

    async def _push(self, place: str, folder: Path, *, base: str = "") -> None:
        errand = Errand()

        def send(progress: Progress) -> None:
            push(self._connection, f"{self._work.job}/{place}", scan(folder), base=base, progress=progress)

        with translated():
            await errand.run(send, errand.watched(silent, last="verifying"))

    @contextlib.asynccontextmanager
    async def _tree(
        self,
        version: str,
        key: str,
        fetch: Callable[[Path, Progress], None],
        reporter: Reporter,
        finish: Callable[[Path], Awaitable[None]] | None = None,
    ) -> AsyncIterator[Path]:
        async def build(folder: Path) -> None:
            shown = bytes_to(reporter)

            def filled(progress: Progress) -> None:
                emptied(folder)
                fetch(folder, progress)

            await patiently(self._patience_s, reporter, lambda errand: errand.run(filled, errand.watched(shown)))
            if finish is not None:
                await finish(folder)

        def size() -> int:
            return sum(pack.size_bytes for pack in signed_reads(self._connection, version).packs)

        bytes_ = await patiently(self._patience_s, reporter, lambda errand: errand.run(size))
        async with contextlib.AsyncExitStack() as stack:
            try:
                folder = await stack.enter_async_context(self._cache.pinned(key, bytes_, build))
            except ResourceExhausted as error:
                raise AttemptFailed(FailureClass.STORAGE, error.message) from error
            yield folder

    async def _index(self, folder: Path, entries: Sequence[Entry], reporter: Reporter) -> None:
        """In the strongest sandbox that there is, whatever the code: the data is a stranger's, and is decoded here."""
        show_stage(reporter, "preparing")

        def show(done: int, total: int) -> None:
            reporter.progress.done_bytes, reporter.progress.total_bytes = done, total
            reporter.changed()

        try:
            tier = await asyncio.to_thread(tier_for_data)
            await index_apart(folder, entries, tier, limits=self._work.limits, progress=show, said=reporter.line)
        except NotIndexed as error:
            raise AttemptFailed(FailureClass(error.failure), error.message, error.detail) from error


def _key(form: str, digest: str) -> str:
    """A tree's name in the cache: the same files lie there in different forms."""
    return f"sha256:{hashlib.sha256(f'{form} {digest}'.encode()).hexdigest()}"
