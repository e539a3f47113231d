"""Jobs."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.struct_pb2 import Struct

from modelyard.api.scheduler.v1 import device_pb2, job_pb2, job_service_pb2, job_service_pb2_grpc, template_pb2
from modelyard.sdk.connection import Connection
from modelyard.sdk.names import in_project, version_in_project
from modelyard.sdk.pages import every, lister

State = job_pb2.Job.State
ENDED = frozenset({State.STATE_SUCCEEDED, State.STATE_FAILED, State.STATE_CANCELLED, State.STATE_EXPIRED})


class Jobs:
    """A project's jobs, and the templates that they run."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._stub = job_service_pb2_grpc.JobServiceStub(connection.channel)

    def create(
        self,
        template: str = "",
        dataset: str = "",
        *,
        package: str = "",
        entry: str = "",
        model_version: str = "",
        source: str = "",
        parameters: Mapping[str, Any] | None = None,
        model: str = "",
        output_dataset: str = "",
        job_id: str = "",
        devices: device_pb2.DeviceRequest | None = None,
        priority: int = 0,
        max_attempts: int = 0,
        labels: Mapping[str, str] | None = None,
        validate_only: bool = False,
    ) -> job_pb2.Job:
        """Create a job, of a template or of a package of one's own.

            create("image-classification", "mnist", parameters={"epochs": 3})
            create(package="mine", entry="train:main", dataset="mnist")
            create("import-model", source="files-of-it", model="theirs")
            create("evaluate", "mnist@2", model_version="mine@4")
            create("predict", "mnist@2", model_version="mine@4", output_dataset="answers")

        Versions are written `name`, `name@3` or `name@latest`.
        """
        values = Struct()
        values.update(dict(parameters or {}))
        spec = job_pb2.JobSpec(
            template=template,
            dataset_version=self._version("datasets", dataset),
            package_version=self._version("packages", package),
            entry=entry,
            model_version=self._version("models", model_version),
            source_version=self._version("packages", source),
            parameters=values,
            model=in_project(self._project, "models", model) if model else "",
            output_dataset=in_project(self._project, "datasets", output_dataset) if output_dataset else "",
            devices=devices,
            priority=priority,
            max_attempts=max_attempts,
        )
        request = job_service_pb2.CreateJobRequest(
            parent=f"projects/{self._project}",
            job_id=job_id,
            job=job_pb2.Job(spec=spec, labels=labels or {}),
            request_id=str(uuid.uuid4()),
            validate_only=validate_only,
        )
        return self._connection.call(self._stub.CreateJob, request)

    def get(self, name: str) -> job_pb2.Job:
        """A job by its name."""
        return self._connection.call(self._stub.GetJob, job_service_pb2.GetJobRequest(name=self._full(name)))

    def list(self, states: Sequence[State.ValueType] = (), *, profiles: bool = False) -> Iterator[job_pb2.Job]:
        """Every job of the project, newest first; those that profile dataset versions only if they are asked for."""
        request = job_service_pb2.ListJobsRequest(
            parent=f"projects/{self._project}", states=states, show_profiles=profiles
        )
        return every(lister(self._connection.call, self._stub.ListJobs, request, "jobs"))

    def cancel(self, name: str) -> job_pb2.Job:
        """Call a job off."""
        return self._connection.call(self._stub.CancelJob, job_service_pb2.CancelJobRequest(name=self._full(name)))

    def delete(self, name: str) -> None:
        """Delete a job that has ended."""
        self._connection.call(self._stub.DeleteJob, job_service_pb2.DeleteJobRequest(name=self._full(name)))

    def watch(self, name: str) -> Iterator[job_pb2.Job]:
        """The job now and whenever it changes, until it has ended."""
        return self._connection.follow(self._stub.WatchJob, job_service_pb2.WatchJobRequest(name=self._full(name)))

    def logs(self, name: str, *, cursor: int = 0, follow: bool = False) -> Iterator[job_pb2.LogEntry]:
        """A job's log lines after `cursor`."""
        request = job_service_pb2.StreamLogsRequest(name=self._full(name), cursor=cursor, follow=follow)
        return self._connection.follow(self._stub.StreamLogs, request)

    def metrics(self, name: str, *, cursor: int = 0, follow: bool = False) -> Iterator[job_pb2.MetricPoint]:
        """A job's metric values after `cursor`."""
        request = job_service_pb2.StreamMetricsRequest(name=self._full(name), cursor=cursor, follow=follow)
        return self._connection.follow(self._stub.StreamMetrics, request)

    def attempts(self, name: str) -> Iterator[job_pb2.Attempt]:
        """A job's attempts, newest first."""
        request = job_service_pb2.ListAttemptsRequest(parent=self._full(name))
        return every(lister(self._connection.call, self._stub.ListAttempts, request, "attempts"))

    def templates(self) -> Iterator[template_pb2.Template]:
        """The packages that come with modelyard."""
        request = job_service_pb2.ListTemplatesRequest()
        return every(lister(self._connection.call, self._stub.ListTemplates, request, "templates"))

    def template(self, name: str) -> template_pb2.Template:
        """One of them by its name."""
        full = name if name.startswith("templates/") else f"templates/{name}"
        return self._connection.call(self._stub.GetTemplate, job_service_pb2.GetTemplateRequest(name=full))

    def _full(self, name: str) -> str:
        return in_project(self._project, "jobs", name)

    def _version(self, collection: str, name: str) -> str:
        return version_in_project(self._project, collection, name) if name else ""
