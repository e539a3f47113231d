"""Settings of this service."""

from pydantic import Field

from modelyard.foundation.config import (
    FilePath,
    IdentitySettings,
    ListenSettings,
    ProcessSettings,
    Section,
    SqlSettings,
)
from modelyard.foundation.objectstore.s3 import S3Settings


class UploadSettings(Section):
    max_packs: int = Field(default=10_000, ge=1)
    """Packs in one upload."""
    max_bytes: int = Field(default=1 << 44, ge=1)
    """Bytes in one upload."""
    max_manifest_bytes: int = Field(default=512 << 20, ge=1)
    """Size of a manifest, which is read into memory: about 130 bytes a file."""
    ttl_s: float = Field(default=86_400, gt=0)
    """How long an upload may stay open."""
    url_ttl_s: int = Field(default=900, ge=10, le=604_800)
    """How long a signed part URL is valid."""


class CollectionSettings(Section):
    period_s: float = Field(default=60, gt=0)
    """Time between two rounds of garbage collection."""
    grace_s: float = Field(default=86_400, ge=0)
    """How long files outlive the last version that has them: longer than anybody reads by signed URLs."""


class CatalogSettings(ProcessSettings):
    """`python -m modelyard.catalog --config catalog.toml`."""

    server: ListenSettings
    identity: IdentitySettings
    signing_key_file: FilePath
    """The key that signs tokens of people and machines."""
    sql: SqlSettings
    s3: S3Settings
    public_endpoint: str = ""
    """Where clients reach the store, "http://host:port", when their call does not say under which name it came; by
    default s3.endpoint."""
    allowed_hosts: tuple[str, ...] = ()
    """Names ("host" or "host:port") for which URLs may be signed when a call came under them; loopback always is."""
    read_url_ttl_s: int = Field(default=3600, ge=10, le=604_800)
    """How long a signed URL for reading is valid."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Newest checkpoints that are kept of a job."""
    bootstrap_project: str = "default"
    """Made at the start of an installation without projects; "" makes none."""
    uploads: UploadSettings = UploadSettings()
    garbage: CollectionSettings = CollectionSettings()
