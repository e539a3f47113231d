"""The catalog's tables. Times are microseconds since the epoch, UTC."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from modelyard.foundation.sql.requests import requests_table
from modelyard.foundation.sql.types import UtcTime, json_type, row_id

metadata = MetaData()

projects = Table(
    "projects",
    metadata,
    Column("uid", String(32), primary_key=True),
    Column("id", String(63), nullable=False, unique=True),
    Column("etag", String(32), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("labels", json_type(), nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("update_time", UtcTime, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("uid", String(32), primary_key=True),
    Column("project_uid", String(32), ForeignKey("projects.uid"), nullable=False),
    Column("collection", String(16), nullable=False),
    Column("id", String(63), nullable=False),
    Column("etag", String(32), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("labels", json_type(), nullable=False),
    Column("last_number", BigInteger, nullable=False),
    # Of a package: what it holds, "" while nobody has said it.
    Column("kind", String(16), nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("update_time", UtcTime, nullable=False),
    UniqueConstraint("project_uid", "collection", "id"),
)

last_numbers = Table(
    "last_numbers",
    metadata,
    # Its ID: a project made again goes on with the numbers too.
    Column("project", String(63), primary_key=True),
    Column("collection", String(16), primary_key=True),
    Column("id", String(63), primary_key=True),
    # The highest version number that was given under this name, of what was deleted.
    Column("last_number", BigInteger, nullable=False),
)

trees = Table(
    "trees",
    metadata,
    Column("uid", String(32), primary_key=True),
    Column("project_uid", String(32), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("manifest_sha256", String(64), nullable=False),
    Column("manifest_bytes", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("file_count", BigInteger, nullable=False),
    # Since when nothing uses it, as garbage collection saw it.
    Column("unused_time", UtcTime),
    # Out of reach; its manifest is being deleted.
    Column("condemned", Boolean, nullable=False),
    UniqueConstraint("project_uid", "manifest_sha256"),
)

versions = Table(
    "versions",
    metadata,
    Column("uid", String(32), primary_key=True),
    Column("artifact_uid", String(32), ForeignKey("artifacts.uid"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("tree_uid", String(32), ForeignKey("trees.uid"), nullable=False, index=True),
    Column("labels", json_type(), nullable=False),
    Column("creator", Text, nullable=False),
    # The job that made it: at most one version of a model for each.
    Column("job", Text),
    Column("info", json_type()),
    Column("create_time", UtcTime, nullable=False),
    UniqueConstraint("artifact_uid", "number"),
    UniqueConstraint("artifact_uid", "job"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("artifact_uid", String(32), ForeignKey("artifacts.uid"), primary_key=True),
    Column("alias", String(63), primary_key=True),
    Column("number", BigInteger, nullable=False),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project_uid", String(32), nullable=False),
    Column("target", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("creator", Text, nullable=False),
    Column("base_version", Text, nullable=False),
    Column("base_tree", String(32), nullable=False),
    # The tree it is about to publish.
    Column("tree_uid", String(32), nullable=False),
    Column("inline", Boolean, nullable=False),
    Column("package_kind", String(16), nullable=False),
    Column("labels", json_type(), nullable=False),
    Column("info", json_type()),
    Column("verified_bytes", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("unchanged", Boolean, nullable=False),
    Column("error", json_type()),
    Column("create_time", UtcTime, nullable=False),
    Column("expire_time", UtcTime, nullable=False),
    Index("uploads_under_way", "state", "create_time"),
)

packs = Table(
    "packs",
    metadata,
    # `{upload}-{number}`, as manifests name it.
    Column("id", String(48), primary_key=True),
    Column("project_uid", String(32), nullable=False),
    Column("upload_id", String(32), ForeignKey("uploads.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("manifest", Boolean, nullable=False),
    Column("multipart_id", Text, nullable=False),
)

tree_packs = Table(
    "tree_packs",
    metadata,
    Column("tree_uid", String(32), ForeignKey("trees.uid"), primary_key=True),
    Column("pack_id", String(48), ForeignKey("packs.id"), primary_key=True, index=True),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("project_uid", String(32), primary_key=True),
    Column("job", Text, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("tree_uid", String(32), ForeignKey("trees.uid"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("create_time", UtcTime, nullable=False),
)

outputs = Table(
    "outputs",
    metadata,
    Column("project_uid", String(32), primary_key=True),
    Column("job", Text, primary_key=True),
    Column("id", String(63), primary_key=True),
    Column("tree_uid", String(32), ForeignKey("trees.uid"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("create_time", UtcTime, nullable=False),
)

evaluations = Table(
    "evaluations",
    metadata,
    # Counts up: the order in which they were recorded.
    Column("sequence", row_id(), primary_key=True, autoincrement=True),
    Column("version_uid", String(32), ForeignKey("versions.uid"), nullable=False),
    Column("job", Text, nullable=False),
    # What it was judged on, which may be gone.
    Column("dataset", Text, nullable=False),
    Column("dataset_uid", String(32), nullable=False),
    Column("dataset_digest", String(80), nullable=False),
    Column("split", String(63), nullable=False),
    Column("example_count", BigInteger, nullable=False),
    Column("metrics", json_type(), nullable=False),
    Column("report", Text, nullable=False),
    Column("creator", Text, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    UniqueConstraint("version_uid", "job"),
)

profiles = Table(
    "profiles",
    metadata,
    # Counts up: the order in which dataset versions were made.
    Column("sequence", row_id(), primary_key=True, autoincrement=True),
    Column("version_uid", String(32), ForeignKey("versions.uid"), nullable=False, unique=True),
    # Which profiles it; "" while none was made for it.
    Column("job", Text, nullable=False),
    # Which has recorded what was found.
    Column("found_by", Text, nullable=False),
    Column("found", json_type()),
    Column("report", Text, nullable=False),
    Column("create_time", UtcTime),
    Index("profiles_by_job", "job", "sequence"),
)

executions = Table(
    "executions",
    metadata,
    Column("uid", String(32), primary_key=True),
    Column("project_uid", String(32), nullable=False),
    Column("consumer", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("requested", json_type(), nullable=False),
    # The dataset that it makes a version of, "" if none.
    Column("output_dataset", Text, nullable=False),
    # Its inputs may be deleted while it is open.
    Column("weak", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    # Why it ended badly.
    Column("message", Text, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("end_time", UtcTime),
    Index("executions_by_consumer", "project_uid", "consumer", "create_time"),
)
Index(
    "executions_one_open",
    executions.c.project_uid,
    executions.c.consumer,
    unique=True,
    sqlite_where=text("state = 'OPEN'"),
    postgresql_where=text("state = 'OPEN'"),
)

execution_versions = Table(
    "execution_versions",
    metadata,
    Column("execution_uid", String(32), ForeignKey("executions.uid"), primary_key=True),
    # input or output
    Column("role", String(8), primary_key=True),
    Column("version_uid", String(32), primary_key=True, index=True),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False, index=True),
    Column("digest", String(80), nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("subject", Text, nullable=False),
    Column("projects", json_type(), nullable=False),
    Column("create_time", UtcTime, nullable=False, index=True),
    Column("expire_time", UtcTime, nullable=False),
)

revocations = Table(
    "revocations",
    metadata,
    Column("token_id", String(128), primary_key=True),
    # Counts up in the order of commits: the cursor of ListRevocations.
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("revoke_time", UtcTime, nullable=False),
    # None for a token that this catalog has not made: it is remembered for ever.
    Column("expire_time", UtcTime),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("time", UtcTime, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("resource", Text, nullable=False),
    Column("request_id", String(64), nullable=False),
)

requests = requests_table(metadata)
