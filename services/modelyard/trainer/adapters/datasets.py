"""What jobs find out about datasets and make of them: statistics, and versions with a model's answers."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from google.protobuf import json_format

from modelyard.api.catalog.v1 import dataset_service_pb2, dataset_service_pb2_grpc, statistics_pb2
from modelyard.layouts import DESCRIPTION_FILE
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import fetch_files
from modelyard.sdk.errors import DataLoss, NotFound
from modelyard.sdk.folder import scan
from modelyard.sdk.progress import Progress
from modelyard.sdk.upload import push
from modelyard.trainer.adapters.patience import patiently
from modelyard.trainer.adapters.showing import bytes_to, emptied, show_stage
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.work import Work

OUTPUT = "profile"
MAX_STATISTICS_BYTES = 32 << 20
"""Of the file; the catalog takes less, in another form."""
MOST_EARLIER = 10
"""So many earlier versions are looked at for profiles."""
COMPARED = 3
"""So many of them are compared with."""


class DatasetResults:
    """Stores them, with the token of the attempt whose they are."""

    def __init__(self, connection: Connection, work: Work, patience_s: float) -> None:
        self._connection = connection
        self._work = work
        self._patience_s = patience_s
        self._datasets = dataset_service_pb2_grpc.DatasetServiceStub(connection.channel)

    async def earlier_profiles(self, folder: Path, reporter: Reporter) -> tuple[str, ...]:
        """See Inputs. What can't be had is no reason to profile nothing."""
        parent, _, number = self._work.dataset_version.rpartition("/")

        def fetch(progress: Progress) -> tuple[str, ...]:
            found: list[str] = []
            for earlier in range(int(number) - 1, max(0, int(number) - 1 - MOST_EARLIER), -1):
                if len(found) < COMPARED and self._fetched(f"{parent}/{earlier}", folder / str(earlier), progress):
                    found.append(f"{parent}/{earlier}")
            return tuple(found)

        return await patiently(
            self._patience_s, reporter, lambda errand: errand.run(fetch, errand.watched(bytes_to(reporter)))
        )

    def _fetched(self, version: str, folder: Path, progress: Progress) -> bool:
        """Whether the version's profile is there, in the folder now."""
        request = dataset_service_pb2.GetStatisticsRequest(name=version)
        try:
            report = self._connection.call(self._datasets.GetStatistics, request).report
            if report:
                fetch_files(self._connection, report, emptied(folder), progress=progress)
        except (NotFound, DataLoss):
            shutil.rmtree(folder, ignore_errors=True)
            return False
        return bool(report)

    async def record_statistics(
        self, folder: Path, file: str, store: Callable[[str, Path], Awaitable[None]], reporter: Reporter
    ) -> None:
        """Store the output, then what its file `file` says."""
        show_stage(reporter, "registering")
        statistics = await asyncio.to_thread(_read, folder / file)
        statistics.dataset_version = self._work.dataset_version
        statistics.report = f"{self._work.job}/outputs/{OUTPUT}"
        await patiently(self._patience_s, reporter, lambda _: store(OUTPUT, folder))
        request = dataset_service_pb2.RecordStatisticsRequest(statistics=statistics)
        await patiently(
            self._patience_s,
            reporter,
            lambda errand: errand.run(self._connection.call, self._datasets.RecordStatistics, request),
            counts=True,
        )

    async def register(self, folder: Path, reporter: Reporter) -> str:
        """Make the folder a version of the job's dataset; answers the version's name."""
        show_stage(reporter, "registering")
        if not (folder / DESCRIPTION_FILE).is_file():
            raise AttemptFailed(
                FailureClass.USER_CODE, f"the answers do not describe themselves: they have no {DESCRIPTION_FILE}"
            )
        work, shown = self._work, bytes_to(reporter)
        labels = {"model": work.model_version, "dataset": work.dataset_version, "job": work.job}

        def register(progress: Progress) -> str:
            return push(self._connection, work.output_dataset, scan(folder), labels=labels, progress=progress).version

        # Once it is being verified it may become a version at any moment, so from there on it is seen through.
        return await patiently(
            self._patience_s,
            reporter,
            lambda errand: errand.run(register, errand.watched(shown, last="verifying")),
            counts=True,
        )


def _read(file: Path) -> statistics_pb2.Statistics:
    """What a process has written that reads strangers' data. Raises AttemptFailed."""
    try:
        if file.stat().st_size > MAX_STATISTICS_BYTES:
            raise ValueError(f"it has more than {MAX_STATISTICS_BYTES:,} bytes")
        return json_format.Parse(file.read_bytes(), statistics_pb2.Statistics(), max_recursion_depth=20)
    except (OSError, ValueError, json_format.ParseError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise AttemptFailed(
            FailureClass.USER_CODE, f"the job's statistics, {file.name[:200]}, can't be read: {str(problem)[:500]}"
        ) from error
