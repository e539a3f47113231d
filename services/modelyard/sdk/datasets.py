"""Datasets."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelyard.api.catalog.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    statistics_pb2,
)
from modelyard.layouts import DESCRIPTION_FILE, Options
from modelyard.sdk import croissant
from modelyard.sdk.connection import Connection
from modelyard.sdk.describing import describe, read_description
from modelyard.sdk.download import fetch_files, read_file, read_head, read_manifest, signed_reads
from modelyard.sdk.errors import NotFound
from modelyard.sdk.folder import Sources, scan, scan_file
from modelyard.sdk.names import in_project, version_in_project
from modelyard.sdk.pages import every, lister
from modelyard.sdk.progress import Progress, silent
from modelyard.sdk.store import Store
from modelyard.sdk.upload import Pushed, push


class Datasets:
    """A project's datasets and their versions."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._stub = dataset_service_pb2_grpc.DatasetServiceStub(connection.channel)

    def push(
        self,
        name: str,
        folder: Path | str,
        *,
        options: Options | None = None,
        labels: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> Pushed:
        """Make a folder, or a file, the next version of a dataset; only what its latest version lacks is sent.

        How it is laid out is found out, unless `options` say it.
        """
        path = Path(folder)
        sources = scan_file(path) if path.is_file() else scan(path)
        return self.push_sources(name, sources, options=options, labels=labels, progress=progress)

    def push_sources(
        self,
        name: str,
        sources: Sources,
        *,
        options: Options | None = None,
        generated: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> Pushed:
        """The same for files that need not lie in one folder.

        `generated` says what made them, {"by": …, "seed": …}, where nobody collected them.
        """
        target = in_project(self._project, "datasets", name)
        described = describe(sources, options, generated=generated)
        base = f"{target}/versions/latest"
        pushed = push(self._connection, target, described.sources, base=base, labels=labels, progress=progress)
        problems = described.findings.problems
        notes = list(described.findings.notes)
        if pushed.unchanged and labels and not labels.items() <= self.version(pushed.version).labels.items():
            notes.append("labels belong to a version, and this one was there already: it keeps its own")
        return replace(
            pushed,
            left_out=tuple(map(str, described.findings.left_out)),
            notes=tuple(notes),
            problems=tuple(map(str, sorted(problems.kept, key=lambda each: (each.path, each.row)))),
            problem_count=problems.count,
        )

    def pull(self, version: str, folder: Path | str, *, progress: Progress = silent) -> None:
        """Write a version's files into a new folder, verified."""
        name = version_in_project(self._project, "datasets", version)
        fetch_files(self._connection, name, Path(folder), progress=progress)

    def get(self, name: str) -> dataset_pb2.Dataset:
        """A dataset by its name."""
        full = in_project(self._project, "datasets", name)
        return self._connection.call(self._stub.GetDataset, dataset_service_pb2.GetDatasetRequest(name=full))

    def version(self, name: str) -> dataset_pb2.DatasetVersion:
        """A version: `mnist@3`, `mnist@latest`, `mnist`."""
        full = version_in_project(self._project, "datasets", name)
        return self._connection.call(
            self._stub.GetDatasetVersion, dataset_service_pb2.GetDatasetVersionRequest(name=full)
        )

    def input_spec(self, name: str) -> dataset_pb2.InputSpec:
        """What an example of a version looks like."""
        full = version_in_project(self._project, "datasets", name)
        return self._connection.call(self._stub.GetInputSpec, dataset_service_pb2.GetInputSpecRequest(name=full))

    def statistics(self, name: str) -> statistics_pb2.Statistics:
        """What the profile job has found in a version.

        Raises NotFound: reason STATISTICS_PENDING while that job has not ended, STATISTICS_NOT_AVAILABLE when it has
        ended without them; `facts["job"]` names it, where it has been made.
        """
        full = version_in_project(self._project, "datasets", name)
        return self._connection.call(self._stub.GetStatistics, dataset_service_pb2.GetStatisticsRequest(name=full))

    def profile_page(self, statistics: statistics_pb2.Statistics) -> bytes:
        """The page that the profile job has made. Raises NotFound where it is gone, as with its job."""
        if not statistics.report:
            raise NotFound(f"{statistics.dataset_version} has no page", reason="REPORT_NOT_FOUND")
        # Beside it there are hashes of all examples, which are as many.
        store, reads = Store(self._connection.access.ca_file), signed_reads(self._connection, statistics.report)
        return read_file(store, reads, read_manifest(store, reads), "page.html")

    def croissant(self, name: str, *, licence: str = "") -> dict[str, Any]:
        """A version described in Croissant 1.0: JSON-LD by which other tools load data sets.

        Paths in it are relative to the folder that `pull` writes.

        `licence` by default is what the label `licence` of the version says. Raises FailedPrecondition, reason
        CROISSANT_CANNOT_SAY, for CSV with other than commas or tabs, without a header, in UTF-16 or gzip, with quotes
        that are part of its texts, or with columns that have no name or blanks around it.
        """
        version = self.version(name)
        # By the version's own name: another one may have become the latest meanwhile.
        spec = self.input_spec(version.name)
        store, reads = Store(self._connection.access.ca_file), signed_reads(self._connection, version.name)
        entries = read_manifest(store, reads)
        description = read_description(version.name, read_file(store, reads, entries, DESCRIPTION_FILE))
        return croissant.describe(
            version,
            spec,
            description,
            entries,
            licence or version.labels.get("licence", ""),
            lambda entry: read_head(store, reads, entry, croissant.HEAD_BYTES),
        )

    def list(self) -> Iterator[dataset_pb2.Dataset]:
        """Every dataset of the project."""
        request = dataset_service_pb2.ListDatasetsRequest(parent=f"projects/{self._project}")
        return every(lister(self._connection.call, self._stub.ListDatasets, request, "datasets"))

    def versions(self, name: str) -> Iterator[dataset_pb2.DatasetVersion]:
        """Every version of a dataset, newest first."""
        request = dataset_service_pb2.ListDatasetVersionsRequest(parent=in_project(self._project, "datasets", name))
        return every(lister(self._connection.call, self._stub.ListDatasetVersions, request, "dataset_versions"))

    def create(self, name: str, dataset: dataset_pb2.Dataset | None = None) -> dataset_pb2.Dataset:
        """An empty dataset."""
        request = dataset_service_pb2.CreateDatasetRequest(
            parent=f"projects/{self._project}", dataset_id=name, dataset=dataset, request_id=str(uuid.uuid4())
        )
        return self._connection.call(self._stub.CreateDataset, request)

    def set_alias(
        self, name: str, alias: str, version: int, expected_version: int | None = None
    ) -> dataset_pb2.Dataset:
        """Point an alias to a version, if it still points to `expected_version`."""
        request = dataset_service_pb2.SetDatasetAliasRequest(
            name=in_project(self._project, "datasets", name),
            alias=alias,
            version=version,
            expected_version=expected_version,
        )
        return self._connection.call(self._stub.SetDatasetAlias, request)

    def delete(self, name: str) -> None:
        """Delete a dataset with all versions, or with `name@3` that version."""
        if "@" in name or "/versions/" in name:
            full = version_in_project(self._project, "datasets", name)
            version_request = dataset_service_pb2.DeleteDatasetVersionRequest(name=full)
            self._connection.call(self._stub.DeleteDatasetVersion, version_request)
        else:
            request = dataset_service_pb2.DeleteDatasetRequest(name=in_project(self._project, "datasets", name))
            self._connection.call(self._stub.DeleteDataset, request)
