"""The short way for the usual request: its tensor's bytes go into a batch without being decoded.

Clients repeat themselves: two requests of one client differ in the tensor's bytes and in nothing else. So a
request that was understood once is kept as a template (what stands before and after the bytes). A body of the same
length with the same beginning and end is the same request with other values, by protobuf's own rules: the
beginning ends with the length of the bytes.
"""

import asyncio
import math
from dataclasses import dataclass

from modelyard.modelserver import spans
from modelyard.modelserver.answers import AnswerWriter
from modelyard.modelserver.batching import BatchingEngine, Lane, Outcome
from modelyard.modelserver.models import Models, Wanted
from modelyard.modelserver.servable import DEFAULT_SIGNATURE, Servable
from modelyard.modelserver.tensors import NUMPY

_MAX_TEMPLATES = 512
_MAX_AROUND_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Route:
    """A lane for a shape of request."""

    lane: Lane
    writer: AnswerWriter
    rows: int


@dataclass(slots=True)
class Template:
    before: bytes
    after: bytes
    found: spans.Spans
    wanted: Wanted
    route: Route | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    route: Route
    future: asyncio.Future[tuple[Outcome, int]]

    async def answer(self) -> bytes:
        outcome, start = await self.future
        return self.route.writer.write(outcome, start, self.route.rows)


class FastPath:
    def __init__(self, models: Models, engine: BatchingEngine) -> None:
        self._models = models
        self._engine = engine
        self._templates: dict[int, list[Template]] = {}
        self._count = 0

    def submit(self, body: bytes) -> Submitted | None:
        """None: decode it. Raises what resolving the model raises, and QueueFull."""
        template = self._template(body)
        if template is None:
            return None
        servable = self._models.resolve(template.wanted)
        route = template.route
        if route is None or route.lane.servable is not servable:
            route = template.route = self._route(template.found, template.wanted)
            if route is None:
                return None
        content = body[template.found.start : template.found.end]
        return Submitted(route, route.lane.submit((content,), route.rows))

    def forget(self, servable: Servable) -> None:
        """Lets go of a version that no longer answers."""
        for templates in self._templates.values():
            for template in templates:
                if template.route is not None and template.route.lane.servable is servable:
                    template.route = None
        self._engine.forget(servable)

    def _template(self, body: bytes) -> Template | None:
        known = self._templates.get(len(body), ())
        for template in known:
            if body.startswith(template.before) and body.endswith(template.after):
                return template
        found = spans.read(body)
        if found is None:
            return None
        template = Template(body[: found.start], body[found.end :], found, Wanted(found.name, found.version))
        if len(body) - (found.end - found.start) <= _MAX_AROUND_BYTES:
            self._remember(len(body), template)
        return template

    def _remember(self, size: int, template: Template) -> None:
        if self._count >= _MAX_TEMPLATES:
            self._templates.clear()
            self._count = 0
        self._templates.setdefault(size, []).append(template)
        self._count += 1

    def _route(self, found: spans.Spans, wanted: Wanted) -> Route | None:
        servable = self._models.resolve(wanted)
        signature = servable.signatures.get(found.signature_name or DEFAULT_SIGNATURE)
        if signature is None or not signature.batchable or not AnswerWriter.fits(signature):
            return None
        spec = signature.inputs.get(found.key)
        dtype = NUMPY.get(found.dtype)
        if (
            spec is None
            or len(signature.inputs) != 1
            or dtype is None
            or dtype.hasobject
            or spec.dtype != found.dtype
            or not spec.accepts(found.shape)
            or not found.end > found.start
            or math.prod(found.shape) * dtype.itemsize != found.end - found.start
        ):
            return None
        lane = self._engine.lane(servable, signature, (found.shape[1:],))
        return Route(lane, AnswerWriter(servable, signature), found.shape[0])
