"""JobService."""

from collections.abc import AsyncIterator

from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Value

from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc, template_pb2
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.ids import parse
from modelyard.foundation.pages import PageTokens, clamp_page_size
from modelyard.foundation.rpc.shapes import Context
from modelyard.scheduler.domain.jobs import JobState
from modelyard.scheduler.domain.records import LogLine, MetricValue
from modelyard.scheduler.service.jobs import Jobs, NewJob
from modelyard.scheduler.service.ports import RequestKey
from modelyard.scheduler.service.reports import Reports
from modelyard.scheduler.service.workers import check_viewer
from modelyard.scheduler.servicers import messages
from modelyard.templates.parameters import Parameter
from modelyard.templates.specs import Template

JOB = "projects/{project}/jobs/{job}"


class JobServicer(job_service_pb2_grpc.JobServiceServicer):
    def __init__(self, jobs: Jobs, reports: Reports, pages: PageTokens) -> None:
        self._jobs = jobs
        self._reports = reports
        self._pages = pages

    async def CreateJob(self, request: job_service_pb2.CreateJobRequest, context: Context) -> job_pb2.Job:
        caller = current_identity()
        project = parse("projects/{project}", request.parent, "parent")["project"]
        job = request.job
        spec = messages.read_spec(job.spec)
        new = NewJob(project, request.job_id, spec, job.display_name, dict(job.labels))
        key = RequestKey(request.request_id, caller.subject, "CreateJob", request.SerializeToString(deterministic=True))
        return messages.job(await self._jobs.create(caller, new, key, validate_only=request.validate_only))

    async def GetJob(self, request: job_service_pb2.GetJobRequest, context: Context) -> job_pb2.Job:
        parse(JOB, request.name)
        return messages.job(await self._jobs.get(request.name))

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: Context
    ) -> job_service_pb2.ListJobsResponse:
        project = parse("projects/{project}", request.parent, "parent")["project"]
        states = [_state(state) for state in request.states]
        scope = {
            "method": "ListJobs",
            "parent": request.parent,
            "states": ",".join(sorted(states)),
            "profiles": str(request.show_profiles),
        }
        before = _position(self._pages, request.page_token, scope)
        views, more = await self._jobs.page(
            project, states, before, clamp_page_size(request.page_size), profiles=request.show_profiles
        )
        token = self._pages.encode([more], **scope) if more is not None else ""
        return job_service_pb2.ListJobsResponse(
            jobs=[messages.job(view, whole=False) for view in views], next_page_token=token
        )

    async def CancelJob(self, request: job_service_pb2.CancelJobRequest, context: Context) -> job_pb2.Job:
        parse(JOB, request.name)
        return messages.job(await self._jobs.cancel(current_identity(), request.name))

    async def DeleteJob(self, request: job_service_pb2.DeleteJobRequest, context: Context) -> Empty:
        parse(JOB, request.name)
        await self._jobs.delete(current_identity(), request.name)
        return Empty()

    async def WatchJob(self, request: job_service_pb2.WatchJobRequest, context: Context) -> AsyncIterator[job_pb2.Job]:
        parse(JOB, request.name)
        async for view in self._jobs.watch(request.name):
            yield messages.job(view)

    async def StreamLogs(
        self, request: job_service_pb2.StreamLogsRequest, context: Context
    ) -> AsyncIterator[job_pb2.LogEntry]:
        parse(JOB, request.name)
        lines: AsyncIterator[LogLine] = self._reports.logs(request.name, request.cursor, follow=request.follow)
        async for line in lines:
            yield messages.log_entry(line)

    async def StreamMetrics(
        self, request: job_service_pb2.StreamMetricsRequest, context: Context
    ) -> AsyncIterator[job_pb2.MetricPoint]:
        parse(JOB, request.name)
        points: AsyncIterator[MetricValue] = self._reports.metrics(request.name, request.cursor, follow=request.follow)
        async for point in points:
            yield messages.metric_point(point)

    async def ListAttempts(
        self, request: job_service_pb2.ListAttemptsRequest, context: Context
    ) -> job_service_pb2.ListAttemptsResponse:
        parse(JOB, request.parent, "parent")
        scope = {"method": "ListAttempts", "parent": request.parent}
        before = _position(self._pages, request.page_token, scope)
        attempts, more = await self._jobs.attempts(request.parent, before, clamp_page_size(request.page_size))
        token = self._pages.encode([more], **scope) if more is not None else ""
        shown = [messages.attempt(attempt, start_step) for attempt, start_step in attempts]
        return job_service_pb2.ListAttemptsResponse(attempts=shown, next_page_token=token)

    async def GetTemplate(self, request: job_service_pb2.GetTemplateRequest, context: Context) -> template_pb2.Template:
        check_viewer(current_identity())
        return _template(self._jobs.template(parse("templates/{template}", request.name)["template"]))

    async def ListTemplates(
        self, request: job_service_pb2.ListTemplatesRequest, context: Context
    ) -> job_service_pb2.ListTemplatesResponse:
        check_viewer(current_identity())
        scope = {"method": "ListTemplates"}
        position = self._pages.decode(request.page_token, **scope)
        after = str(position[0]) if position else ""
        size = clamp_page_size(request.page_size)
        templates = [template for template in self._jobs.templates() if template.name > after]
        token = self._pages.encode([templates[size - 1].name], **scope) if len(templates) > size else ""
        shown = [_template(template) for template in templates[:size]]
        return job_service_pb2.ListTemplatesResponse(templates=shown, next_page_token=token)


def _state(number: int) -> JobState:
    names: dict[int, str] = {number: name for name, number in job_pb2.Job.State.items()}
    name = names.get(number, "").removeprefix("STATE_")
    if name not in JobState.__members__:
        raise InvalidArgument("states has one that no job can be in", field="states")
    return JobState(name)


def _position(pages: PageTokens, token: str, scope: dict[str, str]) -> int | None:
    position = pages.decode(token, **scope)
    return int(position[0]) if position else None


def _template(template: Template) -> template_pb2.Template:
    return template_pb2.Template(
        name=f"templates/{template.name}",
        description=template.summary,
        modality=template.data.modalities[0] if len(template.data.modalities) == 1 else "",
        parameters=[_parameter(parameter) for parameter in template.parameters],
        metric=template.metric,
        kind=template_pb2.Template.Kind.Value(f"KIND_{template.kind.name}"),
        title=template.title,
        task=template.task,
        maximize=template.maximize and bool(template.metric),
        data=template_pb2.DataNeeds(
            required=template.data.required,
            modalities=template.data.modalities,
            layouts=template.data.layouts,
            splits=template.data.splits,
            inputs=template.data.inputs,
            targets=template.data.targets,
            roles=template.data.roles,
        ),
    )


def _parameter(parameter: Parameter) -> template_pb2.Parameter:
    default = Value()
    if isinstance(parameter.default, bool):
        default.bool_value = parameter.default
    elif isinstance(parameter.default, str):
        default.string_value = parameter.default
    else:
        default.number_value = parameter.default
    return template_pb2.Parameter(
        name=parameter.name,
        type=template_pb2.Parameter.Type.Value(f"TYPE_{parameter.type.upper()}"),
        default_value=default,
        description=parameter.help,
        minimum=parameter.min,
        maximum=parameter.max,
        choices=[str(choice) for choice in parameter.choices],
    )
