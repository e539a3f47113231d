"""The catalog put together: use cases, loops and servicers on a database and a store."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelyard.api.catalog.v1 import (
    dataset_service_pb2_grpc,
    file_service_pb2_grpc,
    lineage_service_pb2_grpc,
    model_service_pb2_grpc,
    package_service_pb2_grpc,
    project_service_pb2_grpc,
    token_service_pb2_grpc,
    upload_service_pb2_grpc,
)
from modelyard.catalog.adapters.minter import KeyMinter
from modelyard.catalog.adapters.sql_catalog import SqlCatalog
from modelyard.catalog.domain.names import Collection
from modelyard.catalog.origins import Origins
from modelyard.catalog.service.artifacts import ArtifactService
from modelyard.catalog.service.commits import Committer
from modelyard.catalog.service.evaluations import EvaluationService
from modelyard.catalog.service.files import FileService, TreeReader
from modelyard.catalog.service.garbage import Collector
from modelyard.catalog.service.inline import InlineService
from modelyard.catalog.service.lineage import LineageService
from modelyard.catalog.service.projects import ProjectService
from modelyard.catalog.service.statistics import StatisticsService
from modelyard.catalog.service.tokens import TokenService
from modelyard.catalog.service.uploads import UploadLimits, UploadService
from modelyard.catalog.servicers.datasets import DatasetServicer
from modelyard.catalog.servicers.files import FileServicer
from modelyard.catalog.servicers.lineage import LineageServicer
from modelyard.catalog.servicers.models import ModelServicer
from modelyard.catalog.servicers.packages import PackageServicer
from modelyard.catalog.servicers.projects import ProjectServicer
from modelyard.catalog.servicers.tokens import TokenServicer
from modelyard.catalog.servicers.uploads import UploadServicer
from modelyard.catalog.settings import CatalogSettings
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.objectstore.store import ObjectStore
from modelyard.foundation.pages import PageTokens
from modelyard.foundation.rpc.server import Server
from modelyard.foundation.sync.loop import Loop

COMMIT_PERIOD_S = 2.0
"""Commits are woken by CommitUpload; this finds those that another catalog left behind."""


@dataclass(frozen=True, slots=True)
class Services:
    projects: ProjectService
    tokens: TokenService
    datasets: ArtifactService
    models: ArtifactService
    packages: ArtifactService
    evaluations: EvaluationService
    statistics: StatisticsService
    uploads: UploadService
    inline: InlineService
    files: FileService
    lineage: LineageService
    committer: Committer
    collector: Collector
    loops: tuple[Loop, ...]


def build(
    settings: CatalogSettings, catalog: SqlCatalog, store: ObjectStore, key: Ed25519PrivateKey, clock: Clock
) -> Services:
    reader = TreeReader(store)
    committer = Committer(catalog, store, reader, clock, keep_checkpoints=settings.keep_checkpoints)
    collector = Collector(catalog, store, clock, timedelta(seconds=settings.garbage.grace_s))
    commits = Loop("commits", committer.step, period_s=COMMIT_PERIOD_S, expected=(ModelyardError,))
    garbage = Loop("garbage", collector.step, period_s=settings.garbage.period_s, expected=(ModelyardError,))
    limits = UploadLimits(
        max_packs=settings.uploads.max_packs,
        max_bytes=settings.uploads.max_bytes,
        max_manifest_bytes=settings.uploads.max_manifest_bytes,
        ttl=timedelta(seconds=settings.uploads.ttl_s),
        url_ttl=timedelta(seconds=settings.uploads.url_ttl_s),
    )

    def committing() -> None:
        commits.nudge()
        committer.wake()

    uploads = UploadService(catalog, store, clock, limits, committing=committing, ended=garbage.nudge)
    return Services(
        projects=ProjectService(catalog, clock),
        tokens=TokenService(catalog, KeyMinter(key), clock),
        datasets=ArtifactService(Collection.DATASETS, catalog, clock),
        models=ArtifactService(Collection.MODELS, catalog, clock),
        packages=ArtifactService(Collection.PACKAGES, catalog, clock),
        evaluations=EvaluationService(catalog, clock),
        statistics=StatisticsService(catalog, clock),
        uploads=uploads,
        inline=InlineService(uploads, committer, store),
        files=FileService(catalog, store, reader, clock, timedelta(seconds=settings.read_url_ttl_s)),
        lineage=LineageService(catalog, clock),
        committer=committer,
        collector=collector,
        loops=(commits, garbage),
    )


def serve(server: Server, services: Services, settings: CatalogSettings, key: Ed25519PrivateKey) -> None:
    """Adds the eight services to the server."""
    # All catalogs of an installation and all their runs read each other's page tokens: they share the key.
    pages = PageTokens(hashlib.sha256(b"page tokens" + key.private_bytes_raw()).digest())
    origin = Origins(settings.public_endpoint or settings.s3.endpoint, settings.allowed_hosts).origin
    projects = ProjectServicer(services.projects, pages)
    tokens = TokenServicer(services.tokens, pages)
    datasets = DatasetServicer(services.datasets, services.files, services.statistics, pages)
    models = ModelServicer(services.models, services.evaluations, pages)
    packages = PackageServicer(services.packages, services.files, pages)
    uploads = UploadServicer(services.uploads, services.inline, origin)
    files = FileServicer(services.files, origin, pages)
    lineage = LineageServicer(services.lineage, pages)
    server.add(project_service_pb2_grpc.add_ProjectServiceServicer_to_server, projects)
    server.add(token_service_pb2_grpc.add_TokenServiceServicer_to_server, tokens)
    server.add(dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server, datasets)
    server.add(model_service_pb2_grpc.add_ModelServiceServicer_to_server, models)
    server.add(package_service_pb2_grpc.add_PackageServiceServicer_to_server, packages)
    server.add(upload_service_pb2_grpc.add_UploadServiceServicer_to_server, uploads)
    server.add(file_service_pb2_grpc.add_FileServiceServicer_to_server, files)
    server.add(lineage_service_pb2_grpc.add_LineageServiceServicer_to_server, lineage)
