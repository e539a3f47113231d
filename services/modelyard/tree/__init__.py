"""The one artifact model: a tree is an immutable set of files, its manifest and the packs that hold its bytes.

Pure and standard library only, so the SDK, the catalog and the workers read and write the same format.
"""

from modelyard.tree.diff import Diff, diff
from modelyard.tree.entries import Entry, File, digest, sort_entries
from modelyard.tree.errors import ManifestDamaged, PathInvalid, TreeError, TreeInvalid
from modelyard.tree.manifest import (
    PAGE_ENTRIES,
    Manifest,
    Page,
    encode_manifest,
    manifest_chunks,
)
from modelyard.tree.packs import PACK_BYTES, PackPlan, PlannedPack, plan_packs
from modelyard.tree.paths import validate_path, validate_paths

__all__ = [
    "PACK_BYTES",
    "PAGE_ENTRIES",
    "Diff",
    "Entry",
    "File",
    "Manifest",
    "ManifestDamaged",
    "PackPlan",
    "Page",
    "PathInvalid",
    "PlannedPack",
    "TreeError",
    "TreeInvalid",
    "diff",
    "digest",
    "encode_manifest",
    "manifest_chunks",
    "plan_packs",
    "sort_entries",
    "validate_path",
    "validate_paths",
]
