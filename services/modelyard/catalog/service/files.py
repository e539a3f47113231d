"""The files of a version: listed from its manifest, read by signed URLs, described by themselves."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from modelyard.catalog.domain import descriptions
from modelyard.catalog.domain.artifacts import Tree
from modelyard.catalog.domain.descriptions import read_description
from modelyard.catalog.domain.errors import NoDescription, ObjectLost
from modelyard.catalog.domain.names import Readable, VersionName
from modelyard.catalog.domain.packages import (
    REQUIREMENTS_FILE,
    SPEC_FILE,
    PackageSpec,
    check_spec_size,
    modules_of,
    spec_text,
)
from modelyard.catalog.service.access import check_may_read
from modelyard.catalog.service.existing import existing_job_tree, existing_project, existing_version
from modelyard.catalog.service.keys import manifest_key, pack_key
from modelyard.catalog.service.ports import Catalog, StoredPack, Transaction
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.clock import Clock
from modelyard.foundation.objectstore.store import ObjectMissing, ObjectStore
from modelyard.layouts.description import MAX_BYTES, Description
from modelyard.tree import Entry, Manifest, TreeError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SignedReads:
    """URLs from which one version is read."""

    name: str
    digest: str
    manifest_url: str
    packs: tuple[tuple[StoredPack, str], ...]
    expire_time: datetime


class TreeReader:
    """Reads manifests from the store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def manifest(self, tree: Tree) -> bytes:
        """The whole manifest, checked against the hash by which it is stored."""
        key = manifest_key(tree.project_uid, tree.manifest_sha256)
        try:
            data = await self._store.read(key)
        except ObjectMissing:
            raise _lost(tree) from None
        if (await asyncio.to_thread(hashlib.sha256, data)).hexdigest() != tree.manifest_sha256:
            raise _lost(tree)
        return data

    async def entries(self, tree: Tree, after: str, limit: int) -> list[Entry]:
        """The first `limit` entries behind the path `after`: the index, then only the pages it takes."""

        def read(manifest: Manifest) -> list[Entry]:
            return [entry for entry, _ in zip(manifest.entries(after), range(limit), strict=False)]

        return await self._with_manifest(tree, read)

    async def find(self, tree: Tree, path: str) -> Entry | None:
        return await self._with_manifest(tree, lambda manifest: manifest.find(path))

    async def root_files(self, tree: Tree) -> dict[str, Entry]:
        """The files that lie in no folder, by name: reads the whole manifest."""

        def read(manifest: Manifest) -> dict[str, Entry]:
            return {entry.path: entry for entry in manifest.entries() if "/" not in entry.path}

        return await self._with_manifest(tree, read)

    async def content(self, tree: Tree, entry: Entry) -> bytes:
        """A file's bytes, checked; for small ones."""
        if entry.size == 0:
            return b""
        try:
            data = await self._store.read(pack_key(tree.project_uid, entry.pack), entry.offset, entry.size)
        except ObjectMissing:
            raise _lost(tree) from None
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise _lost(tree)
        return data

    async def _with_manifest(self, tree: Tree, work: Callable[[Manifest], T]) -> T:
        """`work` on a thread, where the manifest reads only the ranges that it needs."""
        loop = asyncio.get_running_loop()
        key = manifest_key(tree.project_uid, tree.manifest_sha256)

        def read(offset: int, length: int) -> bytes:
            return asyncio.run_coroutine_threadsafe(self._store.read(key, offset, length), loop).result()

        try:
            return await asyncio.to_thread(lambda: work(Manifest(read, tree.manifest_bytes)))
        except (ObjectMissing, TreeError):
            raise _lost(tree) from None


class FileService:
    def __init__(
        self, catalog: Catalog, store: ObjectStore, reader: TreeReader, clock: Clock, read_ttl: timedelta
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._reader = reader
        self._clock = clock
        self._read_ttl = read_ttl

    async def page(self, caller: Identity, name: Readable, after: str, limit: int) -> tuple[list[Entry], Tree]:
        """Files in the order of their paths, from the first behind `after`."""
        _, tree = await self._catalog.read(lambda tx: _readable(tx, caller, name))
        return await self._reader.entries(tree, after, limit), tree

    async def sign_reads(self, caller: Identity, name: Readable, origin: str) -> SignedReads:
        def work(tx: Transaction) -> tuple[str, Tree, list[StoredPack]]:
            resolved, tree = _readable(tx, caller, name)
            return resolved, tree, tx.trees.packs(tree)

        resolved, tree, packs = await self._catalog.read(work)
        expire_time = self._clock.now() + self._read_ttl
        return SignedReads(
            resolved,
            tree.digest,
            self._signed(manifest_key(tree.project_uid, tree.manifest_sha256), origin),
            tuple((pack, self._signed(pack_key(tree.project_uid, pack.id), origin)) for pack in packs),
            expire_time,
        )

    async def input_spec(self, caller: Identity, name: VersionName) -> tuple[str, Description]:
        """The version's resolved name and what it says of itself."""
        resolved, tree = await self._catalog.read(lambda tx: _readable(tx, caller, name))
        entry = await self._reader.find(tree, descriptions.PATH)
        if entry is None:
            raise NoDescription(
                f"{resolved} has no file {descriptions.PATH}; push it with the SDK or CLI, which write one",
                resource=resolved,
            )
        if entry.size > MAX_BYTES:
            raise descriptions.wrong(resolved, f"it has {entry.size:,} bytes, more than {MAX_BYTES:,}")
        data = await self._reader.content(tree, entry)
        return resolved, await asyncio.to_thread(read_description, data, resolved)

    async def package_spec(self, caller: Identity, name: VersionName) -> PackageSpec:
        version, tree = await self._catalog.read(lambda tx: _readable(tx, caller, name))
        paths = await self._reader.root_files(tree)
        template = ""
        if SPEC_FILE in paths:
            check_spec_size(version, paths[SPEC_FILE].size)
            template = spec_text(version, await self._reader.content(tree, paths[SPEC_FILE]))
        return PackageSpec(version, tree.digest, template, REQUIREMENTS_FILE in paths, modules_of(paths))

    def _signed(self, key: str, origin: str) -> str:
        return self._store.sign_read(key, origin=origin, ttl_s=int(self._read_ttl.total_seconds()))


def _readable(tx: Transaction, caller: Identity, name: Readable) -> tuple[str, Tree]:
    """The version's name with an alias resolved, and its tree; refused where a role alone is not enough."""
    if not isinstance(name, VersionName):
        project = existing_project(tx, name.project)
        check_may_read(tx, caller, name, project.uid)
        return str(name), existing_job_tree(tx, project.uid, name)
    project = existing_project(tx, name.artifact.project)
    version = existing_version(tx, name)
    check_may_read(tx, caller, version.name, project.uid)
    return str(version.name), version.tree


def _lost(tree: Tree) -> ObjectLost:
    return ObjectLost(
        f"the store no longer holds the files of tree {tree.digest} as they were stored; restore it from a backup",
        digest=tree.digest,
    )
