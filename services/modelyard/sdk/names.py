"""Names as people write them: `mnist`, `mnist@3`, `mnist@latest`, or the full resource name."""

import re


def in_project(project: str, collection: str, name: str) -> str:
    """`mnist` -> `projects/{project}/datasets/mnist`; a full name stays."""
    return name if name.startswith("projects/") else f"projects/{project}/{collection}/{name}"


def version_in_project(project: str, collection: str, name: str) -> str:
    """`mnist@3` -> `…/datasets/mnist/versions/3`; without `@` the latest; a full version name stays."""
    if name.startswith("projects/") and "/versions/" in name:
        return name
    short, _, version = name.partition("@")
    return f"{in_project(project, collection, short)}/versions/{version or 'latest'}"


def id_for(path: str) -> str:
    """An id from the name of a file or folder: `My Package` -> `my-package`; `package` where nothing is left."""
    stem = path.rstrip("/").rpartition("/")[2].partition(".")[0].lower()
    plain = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")
    return re.sub(r"^[0-9-]+", "", plain)[:63].rstrip("-") or "package"


def short(name: str) -> str:
    """The last segment; of a version `mnist@3`."""
    parts = name.split("/")
    if len(parts) >= 4 and parts[-2] == "versions":
        return f"{parts[-3]}@{parts[-1]}"
    return parts[-1]
