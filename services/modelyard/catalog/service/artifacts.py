"""Datasets, models and packages: one set of use cases for all."""

from dataclasses import replace

from modelyard.catalog.domain.artifacts import (
    Artifact,
    Profile,
    Version,
    check_etag,
    updated_profile,
    validate_mask,
    validate_profile,
)
from modelyard.catalog.domain.errors import AliasMoved, StillNeeded, not_found
from modelyard.catalog.domain.names import ArtifactName, Collection, VersionName, validate_alias
from modelyard.catalog.service.audit import audit_row
from modelyard.catalog.service.existing import existing_artifact, existing_project, existing_version
from modelyard.catalog.service.ports import Catalog, RequestKey, Transaction
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.ids import new_uid, validate_id


class ArtifactService:
    def __init__(self, collection: Collection, catalog: Catalog, clock: Clock) -> None:
        self._collection = collection
        self._catalog = catalog
        self._clock = clock

    async def create(
        self, caller: Identity, project: str, artifact_id: str, profile: Profile, key: RequestKey
    ) -> Artifact:
        validate_id(artifact_id, f"{self._collection.singular}_id")
        profile = validate_profile(profile, self._collection.singular)
        name = ArtifactName(project, self._collection, artifact_id)

        def work(tx: Transaction) -> Artifact:
            now = self._clock.now()

            def create() -> str:
                owner = existing_project(tx, project, lock=True)
                tx.artifacts.insert(Artifact(new_uid(), owner.uid, name, new_uid(), profile, now, now))
                tx.audit(audit_row(caller, f"Create{self._noun}", name, now, key.request_id))
                return str(name)

            tx.once(key, now, create)
            return existing_artifact(tx, name)

        return await self._catalog.run(work)

    async def get(self, name: ArtifactName) -> Artifact:
        return await self._catalog.read(lambda tx: existing_artifact(tx, name))

    async def page(self, project: str, after: str, limit: int) -> list[Artifact]:
        def work(tx: Transaction) -> list[Artifact]:
            return tx.artifacts.page(existing_project(tx, project).uid, self._collection, after, limit)

        return await self._catalog.read(work)

    async def update(
        self, caller: Identity, name: ArtifactName, profile: Profile, paths: list[str], etag: str
    ) -> Artifact:
        validate_mask(paths)

        def work(tx: Transaction) -> Artifact:
            old = existing_artifact(tx, name, lock=True)
            check_etag(str(name), old.etag, etag)
            changed = updated_profile(old.profile, profile, paths, self._collection.singular)
            now = self._clock.now()
            new = replace(old, profile=changed, etag=new_uid(), update_time=now)
            tx.artifacts.update(new)
            tx.audit(audit_row(caller, f"Update{self._noun}", name, now))
            return new

        return await self._catalog.run(work)

    async def delete(self, caller: Identity, name: ArtifactName, etag: str) -> None:
        def work(tx: Transaction) -> None:
            artifact = existing_artifact(tx, name, lock=True)
            check_etag(str(name), artifact.etag, etag)
            tx.versions.lock(artifact)
            _refuse_held(str(name), tx.versions.holders(artifact, None))
            tx.artifacts.delete(artifact)
            tx.audit(audit_row(caller, f"Delete{self._noun}", name, self._clock.now()))

        await self._catalog.run(work)

    async def get_version(self, name: VersionName) -> Version:
        return await self._catalog.read(lambda tx: existing_version(tx, name))

    async def page_versions(self, name: ArtifactName, before: int | None, limit: int) -> list[Version]:
        return await self._catalog.read(lambda tx: tx.versions.page(existing_artifact(tx, name), before, limit))

    async def delete_version(self, caller: Identity, name: VersionName) -> None:
        if name.number is None:
            raise InvalidArgument(
                f"name must end in a version's number, so that the right one goes; got {name.reference!r}", field="name"
            )

        def work(tx: Transaction) -> None:
            artifact = existing_artifact(tx, name.artifact, lock=True)
            tx.versions.lock(artifact)
            version = existing_version(tx, name)
            aliases = [f"alias {alias}" for alias, number in artifact.aliases.items() if number == version.number]
            _refuse_held(str(name), [*tx.versions.holders(artifact, version.number), *aliases])
            tx.versions.delete(version)
            tx.audit(audit_row(caller, f"Delete{self._noun}Version", name, self._clock.now()))

        await self._catalog.run(work)

    async def set_alias(
        self, caller: Identity, name: ArtifactName, alias: str, number: int, expected: int | None
    ) -> Artifact:
        validate_alias(alias)
        if number < 1:
            raise InvalidArgument("version must be a number from 1", field="version")

        def work(tx: Transaction) -> Artifact:
            artifact = existing_artifact(tx, name, lock=True)
            existing_version(tx, VersionName(name, str(number)))
            _check_alias(artifact, alias, expected)
            tx.artifacts.set_alias(artifact, alias, number)
            return self._touched(tx, caller, f"Set{self._noun}Alias", artifact)

        return await self._catalog.run(work)

    async def delete_alias(self, caller: Identity, name: ArtifactName, alias: str, expected: int | None) -> Artifact:
        validate_alias(alias)

        def work(tx: Transaction) -> Artifact:
            artifact = existing_artifact(tx, name, lock=True)
            _check_alias(artifact, alias, expected)
            if alias not in artifact.aliases:
                raise not_found(f"{name}/versions/{alias}", field="alias")
            tx.artifacts.delete_alias(artifact, alias)
            return self._touched(tx, caller, f"Delete{self._noun}Alias", artifact)

        return await self._catalog.run(work)

    def _touched(self, tx: Transaction, caller: Identity, action: str, artifact: Artifact) -> Artifact:
        now = self._clock.now()
        tx.artifacts.update(replace(artifact, etag=new_uid(), update_time=now))
        tx.audit(audit_row(caller, action, artifact.name, now))
        return existing_artifact(tx, artifact.name)

    @property
    def _noun(self) -> str:
        return self._collection.singular.capitalize()


def _check_alias(artifact: Artifact, alias: str, expected: int | None) -> None:
    current = artifact.aliases.get(alias, 0)
    if expected is not None and expected != current:
        points = f"points to version {current}" if current else "does not exist"
        raise AliasMoved(
            f"alias {alias} of {artifact.name} {points}, not to {expected}; get it again and retry",
            resource=str(artifact.name),
            version=str(current),
        )


def _refuse_held(name: str, holders: list[str]) -> None:
    if holders:
        shown = ", ".join(holders[:10]) + (", …" if len(holders) > 10 else "")
        raise StillNeeded(
            f"{name} is still needed by {shown}; end or change them first",
            resource=name,
            holders=", ".join(holders[:100]),
        )
