"""Makes a prepared dataset of a tree's packs: `python -m modelyard.job.indexing <folder> <target>`.

`folder` has packs/ and tree.jsonl (an entry a line); `target` gets the index (see `modelyard.job.index`). The data is a
stranger's, and libraries in C read it: whoever needs the index runs this in a sandbox (`modelyard.job.prepared`).
Says JSON lines: `progress`, `problems`, and as the last one `done` or `failed`.
"""

import contextlib
import errno
import json
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modelyard.job.columns import is_array
from modelyard.job.errors import DatasetDescriptionWrong
from modelyard.job.index import INDEX_FILE, INDEX_FORMAT, ITEMS, PROBLEMS_FILE
from modelyard.job.messages import FailureClass
from modelyard.job.packs import PackFiles
from modelyard.job.writing import Places, SplitWriter
from modelyard.layouts import (
    DESCRIPTION_FILE,
    DataUnreadable,
    DecoderMissing,
    Description,
    DescriptionWrong,
    LayoutError,
    Split,
    parse_description,
    to_json,
)
from modelyard.layouts.chunks import Chunk, Problems
from modelyard.layouts.reading import read, read_items
from modelyard.tree import Entry

TREE_FILE = "tree.jsonl"
MAX_PROBLEMS = 10_000
"""So many are named; all are counted."""
SHOWN_PROBLEMS = 5
MAX_OPEN_FILES = 1 << 16
"""Every column of every split is written to two files."""
SAY_EVERY_S = 0.2
MAX_MESSAGE = 2000

Progress = Callable[[int, int], None]
"""Examples that are done, of how many."""


def raise_open_files() -> None:
    """Let this process have MAX_OPEN_FILES open, or as many as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def build_index(
    entries: Iterable[Entry], folder: Path, target: Path | None = None, progress: Progress = lambda done, total: None
) -> Problems:
    """Index the prepared dataset in `folder`, whose packs are there already; answers what could not be used.

    `entries` is the whole tree. The index file appears last and at once, so a folder that has it is complete. Raises
    DatasetDescriptionWrong, naming the file and what was found, and DecoderMissing.
    """
    raise_open_files()
    target = target or folder
    problems = Problems(MAX_PROBLEMS)
    with PackFiles(folder, entries) as files:
        try:
            description = _described(files)
            chunks = read(description, files, problems.add)
            items = read_items(description, files, problems.add) if description.items is not None else ()
            write_index(description, chunks, items, files, problems, folder, target, progress)
        except DataUnreadable as error:
            raise DatasetDescriptionWrong(error.path, error.problem) from error
        except DescriptionWrong as error:
            raise DatasetDescriptionWrong(DESCRIPTION_FILE, str(error)) from error
        except DecoderMissing:
            raise
        except LayoutError as error:
            raise DatasetDescriptionWrong("", error.message) from error
    return problems


def _described(files: PackFiles) -> Description:
    file = files.get(DESCRIPTION_FILE)
    if file is None:
        raise DatasetDescriptionWrong(
            DESCRIPTION_FILE, "is missing: the dataset does not describe itself; push it again"
        )
    return parse_description(file.read(0, file.size))


def write_index(
    description: Description,
    chunks: Iterable[Chunk],
    items: Iterable[Chunk],
    files: PackFiles,
    problems: Problems,
    folder: Path,
    target: Path,
    progress: Progress = lambda done, total: None,
) -> dict[str, int]:
    """Write what the chunks hold; examples by split."""
    places = Places(folder, target, files)
    splits = {split.name: SplitWriter(split.name, description.features, target, places) for split in description.splits}
    table = SplitWriter(ITEMS, description.items.features, target, places) if description.items is not None else None
    writers = (*splits.values(), *([table] if table is not None else []))
    done, total = 0, sum(split.examples for split in description.splits)
    with contextlib.ExitStack() as stack:
        for writer in writers:
            stack.callback(writer.close)
        for chunk in chunks:
            if chunk.split not in splits:
                raise DatasetDescriptionWrong(
                    chunk.origins[0], f"is of split {chunk.split!r}, which the description does not claim"
                )
            splits[chunk.split].append(chunk)
            done += len(chunk.origins)
            progress(done, total)
        for chunk in items:
            assert table is not None
            table.append(chunk)
    with (target / PROBLEMS_FILE).open("w", encoding="utf-8") as lines:
        for problem in problems.kept:
            lines.write(json.dumps(asdict(problem), ensure_ascii=False) + "\n")
    counts = {name: writer.count for name, writer in splits.items()}
    _check_counts(description, counts, problems)
    index = {
        "format": INDEX_FORMAT,
        "description": to_json(description),
        "features": {
            feature.name: {"storage": "array" if is_array(feature) else "ranges"} for feature in description.features
        },
        "splits": counts,
        "items": table.count if table is not None else 0,
        "files": places.listed,
        "problems": problems.count,
    }
    partial = target / f".{INDEX_FILE}"
    partial.write_text(json.dumps(index, indent=1, ensure_ascii=False), "utf-8")
    partial.replace(target / INDEX_FILE)
    return counts


def _check_counts(description: Description, found: Mapping[str, int], problems: Problems) -> None:
    left_out = f"; {problems.count} could not be used: {'; '.join(_shown(problems))}" if problems.count else ""
    for split in description.splits:
        if found[split.name] != split.examples:
            raise DatasetDescriptionWrong(
                _origin(description, split),
                f"split {split.name!r} has {found[split.name]} examples; the description claims {split.examples}"
                + left_out
                + f". If files have changed since it was written, remove {DESCRIPTION_FILE} and push them again",
            )
    if not sum(found.values()):
        raise DatasetDescriptionWrong(DESCRIPTION_FILE, f"claims no examples: there is nothing to learn from{left_out}")


def _shown(problems: Problems) -> list[str]:
    return [str(problem) for problem in problems.kept[:SHOWN_PROBLEMS]]


def _origin(description: Description, split: Split) -> str:
    """The file or folder to name when a split is not what is claimed."""
    if split.files:
        return split.files[0]
    named = [path for path, of in description.files.items() if of in (split.name, "")]
    if named:
        return named[0]
    return f"{split.name}/" if description.split_rule.by == "folder" else DESCRIPTION_FILE


def read_tree(folder: Path) -> list[Entry]:
    """The entries that `write_tree` has left."""
    with (folder / TREE_FILE).open(encoding="utf-8") as lines:
        return [Entry(*json.loads(line)) for line in lines]


def write_tree(folder: Path, entries: Iterable[Entry]) -> None:
    """For the process that makes the index."""
    with (folder / TREE_FILE).open("w", encoding="utf-8") as lines:
        for entry in entries:
            lines.write(json.dumps([entry.path, entry.size, entry.sha256, entry.pack, entry.offset]) + "\n")


def main(folder: Path, target: Path) -> int:
    """See the module's own text."""
    said_at = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= SAY_EVERY_S:
            said_at = time.monotonic()
            _say("progress", done=done, total=total)

    try:
        problems = build_index(read_tree(folder), folder, target, progress)
    except Exception as error:  # noqa: BLE001 - whatever it is, who waits for the index must hear of it
        traceback.print_exc()
        _say("failed", failure=_failure(error), message=str(error)[:MAX_MESSAGE])
        return 1
    if problems.count:
        _say("problems", count=problems.count, first=_shown(problems))
    _say("done")
    return 0


def _failure(error: Exception) -> FailureClass:
    if isinstance(error, DatasetDescriptionWrong):
        return FailureClass.INVALID_DATA
    if isinstance(error, MemoryError):
        return FailureClass.HOST_OOM
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return FailureClass.STORAGE if isinstance(error, OSError) and error.errno in full else FailureClass.INTERNAL


def _say(kind: str, **values: Any) -> None:
    print(json.dumps({kind: values}), flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
