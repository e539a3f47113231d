"""What can be wrong with a tree.

TreeError (ValueError)
├── PathInvalid      a path that no tree may hold
├── TreeInvalid      entries that do not make a tree together
└── ManifestDamaged  bytes that are not a manifest
"""


class TreeError(ValueError):
    """The reader is a client as often as a service, so these are plain values without a status."""

    reason = "TREE_INVALID"


class PathInvalid(TreeError):
    """A path that no tree may hold; `path` is the one at fault."""

    reason = "PATH_INVALID"

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"path {path!r} {problem}")
        self.path = path


class TreeInvalid(TreeError):
    """Entries that are wrong by themselves or do not fit together; `path` is the first at fault."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"file {path!r} {problem}")
        self.path = path


class ManifestDamaged(TreeError):
    """Bytes that are not a whole manifest of a format this version reads."""

    reason = "MANIFEST_DAMAGED"
