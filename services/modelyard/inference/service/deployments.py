"""What people do with deployments."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import InvalidArgument, Kind, ModelyardError
from modelyard.foundation.ids import new_uid, parse, project_of
from modelyard.foundation.pages import PageTokens, clamp_page_size
from modelyard.inference.domain.deployments import (
    DEPLOYMENT,
    Deployment,
    ModelVersion,
    ModelVersionNotFound,
    check_etag,
    deployment_name,
    not_found,
    retarget,
    take_down,
    taken,
    validate_display_name,
    validate_labels,
    validate_model_version,
)
from modelyard.inference.domain.hosts import Served
from modelyard.inference.service.bulletin import Bulletin
from modelyard.inference.service.ports import Audit, Catalog, Records, Request

UPDATABLE = ("model_version", "display_name", "labels")
_VERSION_FIELD = "deployment.model_version"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request says of a deployment."""

    model_version: str
    display_name: str
    labels: Mapping[str, str]
    etag: str = ""


class Deployments:
    def __init__(
        self, records: Records, catalog: Catalog, bulletin: Bulletin, clock: Clock, tokens: PageTokens
    ) -> None:
        self._records = records
        self._catalog = catalog
        self._bulletin = bulletin
        self._clock = clock
        self._tokens = tokens
        self.nudge: Callable[[], object] = lambda: None
        """Asks for the fleet to be settled soon."""

    async def create(
        self, parent: str, deployment_id: str, wish: Wish, request: Request, by: Identity, *, validate_only: bool
    ) -> Deployment:
        name = deployment_name(parent, deployment_id)
        now = self._clock.now()
        deployment = Deployment(
            name=name,
            uid=new_uid(),
            etag=new_uid(),
            display_name=validate_display_name(wish.display_name),
            labels=validate_labels(wish.labels),
            target=await self._resolve(wish.model_version, name),
            creator=by.subject,
            create_time=now,
            update_time=now,
            message="waits for a host",
        )
        if validate_only:
            await self._check_free(name)
            return deployment
        audit = Audit(now, by.subject, by.token_id, "CreateDeployment", name)
        created = await self._records.create(deployment, request, audit)
        self.nudge()
        return created

    async def get(self, name: str) -> Deployment:
        parse(DEPLOYMENT, name)
        return await self._records.get(name)

    async def page(self, parent: str, page_size: int, page_token: str) -> tuple[list[Deployment], str]:
        project = parse("projects/{project}", parent, "parent")["project"]
        size = clamp_page_size(page_size)
        position = self._tokens.decode(page_token, parent=parent)
        after = str(position[0]) if position else ""
        found = await self._records.page(project, after, size + 1)
        more = len(found) > size
        return found[:size], self._tokens.encode([found[size - 1].name], parent=parent) if more else ""

    async def update(self, name: str, wish: Wish, paths: list[str], by: Identity) -> Deployment:
        parse(DEPLOYMENT, name, "deployment.name")
        self._check_paths(paths)
        await self._records.get(name)
        target = await self._resolve(wish.model_version, name) if "model_version" in paths else None

        def change(known: Deployment) -> Deployment:
            if known.deleting:
                raise not_found(name)
            check_etag(known, wish.etag, "deployment.etag")
            if target is not None:
                known = retarget(known, target)
            if "display_name" in paths:
                known = replace(known, display_name=validate_display_name(wish.display_name))
            if "labels" in paths:
                known = replace(known, labels=validate_labels(wish.labels))
            return replace(known, etag=new_uid(), update_time=self._clock.now())

        audit = Audit(self._clock.now(), by.subject, by.token_id, "UpdateDeployment", name)
        changed = await self._records.change(name, change, audit)
        self.nudge()
        return changed

    async def delete(self, name: str, etag: str, by: Identity) -> None:
        """Done when it is durable that it shall go; the model servers stop after that."""
        parse(DEPLOYMENT, name)

        def change(known: Deployment) -> Deployment:
            if known.deleting:
                return known
            check_etag(known, etag, "etag")
            return replace(take_down(known), etag=new_uid(), update_time=self._clock.now())

        audit = Audit(self._clock.now(), by.subject, by.token_id, "DeleteDeployment", name)
        await self._records.change(name, change, audit)
        self.nudge()

    async def watch(self, name: str) -> AsyncIterator[Deployment]:
        """The deployment now and whenever it changes, until it is gone."""
        parse(DEPLOYMENT, name)
        sent = first = await self._records.get(name)
        yield first
        while True:
            news = self._bulletin.news
            newest = self._bulletin.newest.deployments.get(name)
            if newest is None or newest.uid != first.uid:
                # A deployment made a moment ago is not in the bulletin yet, one deleted is no longer.
                try:
                    newest = await self._records.get(name)
                except ModelyardError as error:
                    if error.kind is Kind.NOT_FOUND:
                        return
                    raise
                if newest.uid != first.uid:
                    return
            if newest != sent and newest.update_time >= sent.update_time:
                sent = newest
                yield newest
            await news.wait()

    async def served(self, name: str) -> list[tuple[str, Served]]:
        """What runs for a deployment, with its host."""
        await self.get(name)
        return [
            (host.name, served)
            for host in self._bulletin.newest.hosts.values()
            for served in host.served
            if served.deployment == name
        ]

    async def _resolve(self, model_version: str, deployment: str) -> ModelVersion:
        validate_model_version(model_version, project_of(deployment), _VERSION_FIELD)
        try:
            return await self._catalog.model_version(model_version)
        except ModelyardError as error:
            if error.kind is Kind.NOT_FOUND:
                raise ModelVersionNotFound(
                    f"{model_version} does not exist; list the model's versions to see which do",
                    field=_VERSION_FIELD,
                    resource=model_version,
                ) from None
            error.field = _VERSION_FIELD if error.kind is Kind.PRECONDITION else error.field
            raise

    async def _check_free(self, name: str) -> None:
        try:
            existing = await self._records.get(name)
        except ModelyardError as error:
            if error.kind is Kind.NOT_FOUND:
                return
            raise
        raise taken(existing)

    def _check_paths(self, paths: list[str]) -> None:
        if not paths:
            raise InvalidArgument(f"update_mask is empty; list some of {', '.join(UPDATABLE)}", field="update_mask")
        for path in paths:
            if path not in UPDATABLE:
                raise InvalidArgument(
                    f"update_mask names {path[:100]!a}; only {', '.join(UPDATABLE)} can be changed", field="update_mask"
                )
