"""Tables and files of lines of which some can't be read: these are left out where others of the same kind remain."""

from collections.abc import Collection, Mapping, Sequence

from modelyard.layouts.chunks import Problems
from modelyard.layouts.errors import FileBroken, Problem
from modelyard.layouts.files import Files
from modelyard.layouts.names import TABLES, split_of_name, suffix
from modelyard.layouts.rows import read_rows, read_shape
from modelyard.layouts.text_files import lines

Group = Sequence[str]
"""Files that are read together: one table or text, or the two sides of parallel texts."""


def find_broken(files: Files, groups: Sequence[Group], header: bool | None) -> dict[Group, FileBroken]:
    """Reads every file to its end. Raises FileBroken where none remains of the split that a broken one's name says."""
    broken: dict[Group, FileBroken] = {}
    for group in groups:
        try:
            for path in group:
                _read(path, files, header)
        except FileBroken as error:
            broken[group] = error
    splits = {split_of_name(group[0]) for group in groups if group not in broken}
    for group in broken:
        if split_of_name(group[0]) not in splits:
            raise _refusal(group, "no other file is of its split" if splits else "no other file can be read", broken)
    return broken


def check_kinds(broken: Mapping[Group, FileBroken], left: Collection[str], used: Collection[str]) -> None:
    """Raises FileBroken where the tables that are `left` are of several kinds, some of them not `used` for examples, so
    that nobody knows of which kind a broken one was; its split is known by its name."""
    for group in broken:
        if not set(left) <= set(used) and not split_of_name(group[0]):
            raise _refusal(group, "it may be of another kind than the tables beside it", broken)


def left_out(broken: Mapping[Group, FileBroken]) -> list[Problem]:
    """Each file of these with its reason."""
    found = []
    for group, error in broken.items():
        for path in group:
            found.append(Problem(path, 0, error.problem if path == error.path else f"belongs to {error.path}"))
    return found


def _read(path: str, files: Files, header: bool | None) -> None:
    problems = Problems(0)
    if suffix(path) in TABLES:
        shape = read_shape(path, files[path], TABLES[suffix(path)], header)
        count = sum(len(batch.rows) for batch in read_rows(path, files[path], shape, problems))
    else:
        count = sum(bool(line.text.strip()) for line in lines(path, files[path], problems))
    if not count and not problems.count:
        raise FileBroken(path, "has no rows under its header" if suffix(path) in TABLES else "is empty", reason="EMPTY")


def _refusal(group: Group, why: str, broken: Mapping[Group, FileBroken]) -> FileBroken:
    error = broken[group]
    more = [each.message for other, each in broken.items() if other != group]
    said = f". Besides, {'; '.join(more[:10])}" if more else ""
    return FileBroken(
        error.path, f"{error.problem}; {why}, so mend it, or remove it from the folder{said}", reason=error.reason
    )
