"""What of a folder is code: caches, environments and hidden files stay behind, and what is large is named."""

import os
from collections.abc import Mapping
from pathlib import Path

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.folder import Source, Sources, scan

MAX_CODE_BYTES = 100 << 20
MAX_CODE_FILES = 10_000
_CACHES = frozenset({"__pycache__", "node_modules"})
_SHOWN = 5


def code_sources(path: Path) -> tuple[Sources, tuple[str, ...]]:
    """The files of a code folder, or one Python file, by their paths in the tree; and what was left out of it.

    Raises InvalidArgument: NO_CODE where nothing is Python, CODE_TOO_LARGE and TOO_MANY_FILES with the files that make
    it so, and what `scan` raises.
    """
    if path.is_file():
        if path.suffix != ".py":
            raise InvalidArgument(f"{path} is no Python file; give a .py file or a folder of code", reason="NO_CODE")
        sources: Mapping[str, Source] = file_source(path)
        skipped: list[str] = []
    else:
        skipped = []
        sources = scan(path, skip=_is_no_code, skipped=skipped)
        if not any(name.endswith(".py") for name in sources):
            raise InvalidArgument(f"{path} holds no .py file; give the folder that holds the code", reason="NO_CODE")
    _check_size(path, sources)
    return sources, tuple(skipped)


def file_source(path: Path) -> dict[str, Source]:
    """One file as a tree of its own, under its own name."""
    if not path.is_file():
        raise InvalidArgument(f"{path} does not exist; give a folder or a file", reason="NO_SUCH_FILE")
    return {path.name: Source(path.stat().st_size, path)}


def _is_no_code(entry: os.DirEntry[str]) -> bool:
    """Caches, byte code, hidden files, and virtual environments by the file that marks them."""
    if entry.name.startswith(".") or entry.name.endswith((".pyc", ".pyo")):
        return True
    if not entry.is_dir(follow_symlinks=False):
        return False
    return entry.name in _CACHES or Path(entry.path, "pyvenv.cfg").exists()


def _check_size(path: Path, sources: Mapping[str, Source]) -> None:
    total = sum(source.size for source in sources.values())
    if total > MAX_CODE_BYTES:
        largest = sorted(sources, key=lambda name: sources[name].size, reverse=True)[:_SHOWN]
        raise InvalidArgument(
            f"{path} has {_mib(total)} of files; code may have {_mib(MAX_CODE_BYTES)}. The largest are "
            + ", ".join(f"{name} ({_mib(sources[name].size)})" for name in largest)
            + ": push data as a dataset (modelyard datasets push) and keep it out of the folder",
            reason="CODE_TOO_LARGE",
        )
    if len(sources) > MAX_CODE_FILES:
        counts: dict[str, int] = {}
        for name in sources:
            top = f"{name.partition('/')[0]}/" if "/" in name else "the folder itself"
            counts[top] = counts.get(top, 0) + 1
        fullest = sorted(counts, key=lambda top: counts[top], reverse=True)[:_SHOWN]
        biggest = sorted(sources, key=lambda name: sources[name].size, reverse=True)[:_SHOWN]
        raise InvalidArgument(
            f"{path} has {len(sources)} files; code may have {MAX_CODE_FILES}. Most lie in "
            + ", ".join(f"{top} ({counts[top]})" for top in fullest)
            + "; the biggest are "
            + ", ".join(f"{name} ({_mib(sources[name].size)})" for name in biggest)
            + ": keep them out of the folder",
            reason="TOO_MANY_FILES",
        )


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
