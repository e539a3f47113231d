"""Projects: the boundary of every permission."""

from modelyard.catalog.domain.artifacts import Profile, Project, check_etag, validate_profile
from modelyard.catalog.domain.errors import StillNeeded
from modelyard.catalog.service.audit import audit_row
from modelyard.catalog.service.existing import existing_project
from modelyard.catalog.service.ports import AuditRow, Catalog, RequestKey, Transaction
from modelyard.foundation.auth.identity import INSTALLATION_PROJECT, Identity
from modelyard.foundation.clock import Clock
from modelyard.foundation.ids import new_uid, validate_id


class ProjectService:
    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def create(self, caller: Identity, project_id: str, profile: Profile, key: RequestKey) -> Project:
        validate_id(project_id, "project_id")
        profile = validate_profile(profile, "project")

        def work(tx: Transaction) -> Project:
            now = self._clock.now()

            def create() -> str:
                tx.projects.insert(
                    Project(new_uid(), project_id, new_uid(), profile.display_name, profile.labels, now, now)
                )
                tx.audit(audit_row(caller, "CreateProject", f"projects/{project_id}", now, key.request_id))
                return project_id

            return existing_project(tx, tx.once(key, now, create))

        return await self._catalog.run(work)

    async def bootstrap(self, project_id: str) -> None:
        """Makes the first project of a new installation."""

        def work(tx: Transaction) -> None:
            if tx.projects.count() == 0:
                now = self._clock.now()
                tx.projects.insert(Project(new_uid(), project_id, new_uid(), "", {}, now, now))
                tx.audit(AuditRow(now, "services/catalog", "", "CreateProject", f"projects/{project_id}"))

        await self._catalog.run(work)

    async def get(self, project: str) -> Project:
        return await self._catalog.read(lambda tx: existing_project(tx, project))

    async def page(self, caller: Identity, after: str, limit: int) -> list[Project]:
        """Those in which the caller has a role; all for whoever has one in the installation."""
        only = None if INSTALLATION_PROJECT in caller.projects else frozenset(caller.projects)
        return await self._catalog.read(lambda tx: tx.projects.page(after, limit, only))

    async def delete(self, caller: Identity, project_id: str, etag: str) -> None:
        def work(tx: Transaction) -> None:
            project = existing_project(tx, project_id)
            tx.projects.lock(project)
            check_etag(project.name, project.etag, etag)
            contents = tx.projects.contents(project)
            if contents:
                raise StillNeeded(
                    f"{project.name} is not empty; delete first: {', '.join(contents[:10])}",
                    resource=project.name,
                    holders=", ".join(contents[:10]),
                )
            tx.projects.delete(project)
            tx.audit(audit_row(caller, "DeleteProject", project.name, self._clock.now()))

        await self._catalog.run(work)
