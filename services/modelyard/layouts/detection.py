"""Finds out how files are laid out, and describes them.

Layouts are tried in this order: IDX files, TFRecord, COCO's boxes, tables, parallel texts, folders of classes, lines of
text. `Options.layout` chooses one; what does not fit it is said.
"""

import re
from collections.abc import Callable, Mapping

from modelyard.layouts import class_folders, coco, idx, lines, media, parallel, table_files, tables, tfrecord
from modelyard.layouts.broken_files import Group, check_kinds, find_broken, left_out
from modelyard.layouts.class_folders import in_folders
from modelyard.layouts.description import DESCRIPTION_FILE, MAX_BYTES, MEDIA, MODALITIES, Description
from modelyard.layouts.encoding import to_bytes
from modelyard.layouts.errors import DescriptionWrong, FileBroken, LayoutUnknown
from modelyard.layouts.files import Files
from modelyard.layouts.media_folders import kind_of_files, kinds_there
from modelyard.layouts.names import SPLIT_ALIASES, TABLES, TEXTS, in_known_split, is_tfrecord, suffix, what_is_there
from modelyard.layouts.options import CHOICES, Detection, Findings, Options
from modelyard.layouts.parsing import parse_description

_FEW = 10
"""Files in folders that are fewer are notes, where there is a table."""
_NOTES = re.compile(
    r"((read[-_ ]?me|licen[cs]e|copying|notice|authors|citation|changelog)([-_.].*)?|about)\.\w+", re.IGNORECASE
)
EXPECTED = (
    "Expected class/image.png or train/class/image.png (images, sounds, videos or .txt), a table (.csv, .tsv, .jsonl, "
    ".parquet), lines of text (.txt), two files of parallel lines (train.en, train.it), COCO's JSON beside images, "
    "MNIST's IDX files, or .tfrecord with --features"
)
Describe = Callable[[Files, Options, Findings], Description]


def detect(files: Files, options: Options | None = None) -> Detection:
    """Describe files; tables and files of lines that can't be read are in `findings.left_out`, and in no description.

    Raises LayoutUnknown (a sentence that says what was seen), DataUnreadable and DecoderMissing.
    """
    options = options or Options()
    _check_options(options)
    layout = options.layout if options.layout != "auto" else _guess(files)
    try:
        findings = Findings()
        description = _DESCRIBE[layout](files, options, findings)
    except FileBroken:
        groups = _read_together(files, layout)
        if len(groups) < 2:
            raise
        broken = find_broken(files, groups, options.header)
        findings = Findings(left_out=left_out(broken))
        lost = {problem.path for problem in findings.left_out}
        description = _DESCRIBE[layout]({path: files[path] for path in files if path not in lost}, options, findings)
        check_kinds(broken, {path for group in groups for path in group} - lost, description.files)
    _check_description(description, options)
    if description.split_rule.held_out and len(description.splits) == 1:
        findings.notes.append("no example is held out: there are too few for ten percent by hash")
    return Detection(description, findings)


def with_known_splits(files: Files) -> dict[str, str]:
    """The path that each file gets: folders of splits take the names that readers know, `Val/` becomes `validation/`.

    Raises LayoutUnknown where two files would be one.
    """
    tops = {path.partition("/")[0] for path in in_folders(files)}
    if not all(top.lower() in SPLIT_ALIASES for top in tops):
        return {path: path for path in files}
    renamed: dict[str, str] = {}
    taken: set[str] = set()
    for path in files:
        known = in_known_split(path)
        if known in taken:
            raise LayoutUnknown(f"{path} and another file are both {known}; keep one folder for each split")
        renamed[path] = known
        taken.add(known)
    return renamed


def _check_options(options: Options) -> None:
    if options.layout not in CHOICES:
        raise LayoutUnknown(f"{options.layout!r} is no layout; there are {', '.join(CHOICES)}")
    if options.modality and options.modality not in MODALITIES:
        raise LayoutUnknown(f"{options.modality!r} is no modality; there are {', '.join(MODALITIES)}")


def _check_description(description: Description, options: Options) -> None:
    if options.modality and description.modality != options.modality:
        raise LayoutUnknown(
            f"this is {description.modality} in layout {description.layout}, not {options.modality}: "
            f"{', '.join(f'{feature.name} is {feature.kind}' for feature in description.features[:10])}",
            reason="OTHER_MODALITY",
        )
    if options.split_by and description.split_rule.by != "column":
        raise LayoutUnknown(
            f"--split-by {options.split_by}: layout {description.layout} has no columns", reason="NO_SUCH_COLUMN"
        )
    content = to_bytes(description)
    if len(content) > MAX_BYTES:
        raise LayoutUnknown(
            f"the description would take {len(content):,} bytes, more than {MAX_BYTES:,}: there are "
            f"{len(description.files):,} files and {sum(len(feature.classes) for feature in description.features):,} "
            "names of categories; join files, or make columns of kind text with --features",
            reason="DESCRIPTION_TOO_LARGE",
        )
    try:
        parse_description(content)
    except DescriptionWrong as error:
        raise LayoutUnknown(
            f"no description could hold this: {error.message}. Join files, give folders and columns other names, or "
            "say with --features what columns are",
            reason=error.reason,
        ) from None


def _guess(files: Files) -> str:
    if idx.idx_files(files):
        return "idx"
    if any(is_tfrecord(path) for path in _visible(files)):
        return "tfrecord"
    if coco.box_files(files):
        return "coco"
    kinds = kinds_there(in_folders(files))
    if _tables(files) and not _is_about_folders(files, kinds):
        return "table"
    if not kinds and parallel.pairs(files):
        return "parallel"
    if kinds:
        return "class_folders"
    return "lines" if _texts(files) else "class_folders"


def _is_about_folders(files: Files, kinds: Mapping[str, int]) -> bool:
    """Whether folders of classes hold the examples, and tables at the top are notes that no file of them names."""
    if not kinds or any("/" in path for path in _tables(files)):
        return False
    paths = [path for path in in_folders(files) if any(media.is_kind(kind, path) for kind in kinds)]
    classes = {path.split("/")[-2] for path in paths}
    if len(classes) < 2 or len(paths) < _FEW:
        # Such as docs/notes.txt and src/notes.txt.
        return False
    return not table_files.name_files(files, _tables(files))


def _visible(files: Files) -> list[str]:
    return sorted(path for path in files if not path.startswith(".") and path != DESCRIPTION_FILE)


def _tables(files: Files) -> list[str]:
    return [path for path in _visible(files) if suffix(path) in TABLES]


def _texts(files: Files) -> list[str]:
    return [path for path in _visible(files) if suffix(path) in TEXTS and not _NOTES.match(path.rpartition("/")[2])]


def _read_together(files: Files, layout: str) -> list[Group]:
    """Tables and files of lines, by what is read at once."""
    if layout == "parallel":
        return [tuple(pair.values()) for pair in parallel.pairs(files).values()]
    if layout == "lines":
        return [(path,) for path in _texts(files)]
    return [(path,) for path in _tables(files)] if layout in ("table", "interactions") else []


def _describe_folders(files: Files, options: Options, findings: Findings) -> Description:
    paths = in_folders(files)
    kind = kind_of_files(paths, files, options.modality)
    if not kind:
        loose = kind_of_files(_visible(files), files, options.modality)
        if loose and loose != "text":
            raise LayoutUnknown(
                f"the {class_folders.KINDS[loose].split()[1]}s lie in no folder; put each into a folder of its class, "
                f"class/{loose}{next(iter(media.SUFFIXES[loose]))}, or add a table that names each file "
                "and its label"
            )
        arrays = "; of JSON, one object a line is read: jq -c '.[]' a.json > a.jsonl" if _has_json(files) else ""
        raise LayoutUnknown(
            f"there is no data in this folder: {what_is_there(files)}. {EXPECTED}{arrays}", reason="NO_EXAMPLES"
        )
    unused = _tables(files)
    if unused:
        findings.notes.append(
            f"not used: {', '.join(unused[:10])}; --layout table takes tables for the examples, not the folders"
        )
    return class_folders.describe(files, kind, findings)


def _has_json(files: Files) -> bool:
    return any(suffix(path) == ".json" for path in _visible(files))


def _describe_tables(files: Files, options: Options, findings: Findings) -> Description:
    found = _tables(files)
    if not found:
        raise LayoutUnknown(
            f"there is no table in this folder: {what_is_there(files)}. Tables are {', '.join(TABLES)}",
            reason="NO_EXAMPLES",
        )
    description = tables.describe(files, found, options, findings)
    unused = [path for path in in_folders(files) if any(media.is_kind(kind, path) for kind in media.SUFFIXES)]
    if unused and not any(feature.kind in MEDIA for feature in description.features):
        more = f" and {len(unused) - 1:,} more" if len(unused) > 1 else ""
        findings.notes.append(f"not used: {unused[0]}{more}, which no column names")
    return description


def _describe_lines(files: Files, options: Options, findings: Findings) -> Description:
    found = _texts(files)
    if not found:
        raise LayoutUnknown(
            f"there is no text in this folder: {what_is_there(files)}. Texts are .txt", reason="NO_EXAMPLES"
        )
    return lines.describe(files, found, findings)


_DESCRIBE: Mapping[str, Describe] = {
    "class_folders": _describe_folders,
    "idx": lambda files, options, findings: idx.describe(files),
    "table": _describe_tables,
    "interactions": _describe_tables,
    "lines": _describe_lines,
    "parallel": parallel.describe,
    "coco": coco.describe,
    "tfrecord": tfrecord.describe,
}
