"""Layout table, described: CSV, JSONL and Parquet files whose rows are the examples.

A column may name files of the tree (images, sounds, videos). A table with a column of users and one of items is
interactions; another file that has the items' column describes the items.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from modelyard.layouts import media
from modelyard.layouts.chunks import Problems
from modelyard.layouts.columns import MAX_CATEGORIES, ColumnFacts
from modelyard.layouts.description import MEDIA, SPLITS, Description, Feature, Items, Split
from modelyard.layouts.errors import DataUnreadable, FileBroken, LayoutUnknown
from modelyard.layouts.files import Files
from modelyard.layouts.lines import splits_of_files
from modelyard.layouts.names import TABLES, feature_names, identifier, suffix
from modelyard.layouts.options import Findings, Options
from modelyard.layouts.parsing import MAX_CLASSES
from modelyard.layouts.rows import Shape, read_rows, read_shape
from modelyard.layouts.table_files import first_rows, main_tables
from modelyard.layouts.table_plan import ITEMS, Plan, is_interactions, make_plan

_TEXTS = frozenset({"text", "sentence", "summary", "answer", "response"})
_SPOKEN = frozenset({"transcript", "transcription"})
_CLASS_NAMES = frozenset({"label", "labels", "class", "category"})
_FEW_NUMBERS = 20
"""A target of at most so many different whole numbers is a category."""
_NO_NAMES = ("column 1", "column 2")
_ID_DTYPES = {"number": "float32", "time": "int64"}


def describe(files: Files, paths: Sequence[str], options: Options, findings: Findings) -> Description:
    """Raises LayoutUnknown (a sentence that says what was seen) and DataUnreadable."""
    main, shape, others = main_tables(files, sorted(paths), options)
    by_file = splits_of_files(main)
    plan = make_plan(shape.header, first_rows(files, main, shape), files, by_file, options)
    counts, facts, rows = _pass(files, main, by_file, shape, plan, findings.problems)
    infinite = _infinite_targets(plan, facts, findings)
    if infinite:
        # Who reads leaves out the rows whose target is infinite. Here they could not be told before all rows were seen.
        plan.kinds |= dict.fromkeys(infinite, "number")
        findings.problems = Problems()
        counts, facts, rows = _pass(files, main, by_file, shape, plan, findings.problems)
    _check_usable(rows, findings.problems)
    if not counts["train"]:
        raise LayoutUnknown(
            f"no row belongs to the split 'train' ({', '.join(main[:5])})", reason="NO_TRAINING_EXAMPLES"
        )
    features = _features(files, main[0], plan, facts, findings)
    items = None
    if "item" in plan.roles:
        items = _items(files, others, plan.header[plan.roles.index("item")], findings)
    if _modality(features, options) == "table" and not any(each.role == "target" for each in features):
        findings.notes.append("no column is the one to learn; --target COLUMN says which")
    unused = [path for path in others if items is None or path != items.file]
    if unused:
        findings.notes.append(f"not used: {', '.join(unused[:10])}")
    if not shape.table.header and options.header is None:
        findings.notes.append(
            f"the first row of {main[0]} is an example, so columns are called {shape.header[0]!r} and so on; "
            "--header says that it names them"
        )
    for name in shape.left_out:
        findings.notes.append(f"column {name!r} is left out: it holds lists, structures or bytes")
    return Description(
        modality=_modality(features, options),
        layout="table",
        features=features,
        splits=tuple(Split(name, counts[name]) for name in SPLITS if counts[name]),
        split_rule=plan.rule,
        files=by_file if plan.rule.by == "file" else dict.fromkeys(main, ""),
        table=shape.table,
        items=items,
    )


def _pass(
    files: Files, paths: Sequence[str], by_file: Mapping[str, str], shape: Shape, plan: Plan, problems: Problems
) -> tuple[Counter[str], list[ColumnFacts], int]:
    """The one pass over all rows: examples by split, what each column is, and how many rows there are.

    Raises FileBroken for a table without rows.
    """
    counts: Counter[str] = Counter()
    facts = [ColumnFacts(_most(plan, at)) for at in range(len(shape.header))]
    checks = plan.checks
    for path in paths:
        split = by_file[path] if plan.rule.by == "file" else ""
        before = counts.total() + problems.count
        for batch in read_rows(path, files[path], shape, problems):
            found = checks.usable(batch, split, files, problems)
            counts.update(found.splits)
            for at, column in enumerate(zip(*found.rows, strict=True)):
                facts[at].add(path, found.numbers, column)
        if counts.total() + problems.count == before:
            raise FileBroken(path, "has no rows under its header", reason="EMPTY")
    return counts, facts, counts.total() + problems.count


def _infinite_targets(plan: Plan, facts: Sequence[ColumnFacts], findings: Findings) -> list[int]:
    """The targets that turned out to be numbers, some of them infinite."""
    return [
        at
        for at, fact in enumerate(facts)
        if plan.roles[at] == "target" and at not in plan.kinds and fact.infinite and fact.are_numbers
        if _kind(plan, at, fact, findings) == "number"
    ]


def _most(plan: Plan, at: int) -> int:
    """How many different values of a column are of interest."""
    if plan.kinds.get(at) in ("id", *MEDIA, "text"):
        return 0
    return MAX_CLASSES if plan.kinds.get(at) == "category" else MAX_CATEGORIES


def _check_usable(rows: int, problems: Problems) -> None:
    if 2 * problems.count >= rows:
        first = problems.kept[0]
        raise DataUnreadable(
            f"{first.path}:{first.row}" if first.row else first.path,
            f"{first.reason} ({problems.count:,} of {rows:,} rows can't be used)",
            reason="ROWS_UNUSABLE",
        )


def _features(
    files: Files, path: str, plan: Plan, facts: Sequence[ColumnFacts], findings: Findings
) -> tuple[Feature, ...]:
    kinds = [plan.kinds.get(at) or _kind(plan, at, facts[at], findings) for at in range(len(plan.header))]
    names = feature_names(plan.header)
    inputs = [at for at, role in enumerate(plan.roles) if role == "input"]
    targets = [at for at, role in enumerate(plan.roles) if role == "target"]
    if not inputs and "user" not in plan.roles:
        raise LayoutUnknown(
            f"{path} has no column that a model could look at: {_shown_roles(plan)}", reason="NO_INPUTS"
        )
    if len(inputs) == len(targets) == 1 and kinds[inputs[0]] == kinds[targets[0]] == "text":
        others = {name for at, name in enumerate(names) if at not in (inputs[0], targets[0])}
        if not others & {"source", "target"}:
            names[inputs[0]], names[targets[0]] = "source", "target"
    elif len(names) == 2 and inputs and targets and kinds[inputs[0]] == "text" and tuple(plan.header) == _NO_NAMES:
        names[inputs[0]], names[targets[0]] = "text", "label"
    return tuple(_feature(files, path, plan, at, names[at], kinds[at], facts[at]) for at in range(len(names)))


def _shown_roles(plan: Plan) -> str:
    return ", ".join(f"{name} is {role}" for name, role in zip(plan.header[:10], plan.roles, strict=False))


def _kind(plan: Plan, at: int, facts: ColumnFacts, findings: Findings) -> str:
    """What the values of a column are."""
    header, is_target = identifier(plan.header[at]), plan.roles[at] == "target"
    if facts.present == 0:
        findings.notes.append(f"column {plan.header[at]!r} has no values; it is ignored")
        plan.roles[at] = "ignore"
        return "number"
    if not is_target and plan.roles[at] == "input" and header.endswith("_id"):
        if not facts.too_many and len(facts.names) < facts.present and facts.showable:
            return "category"
        plan.roles[at] = "ignore"
        findings.notes.append(
            f"column {plan.header[at]!r} is ignored: it is an id, with another value in nearly every row"
        )
        return "id"
    if is_target and header in _SPOKEN:
        return "text"
    if facts.are_numbers:
        few = facts.whole and not facts.too_many and (header in _CLASS_NAMES or len(facts.names) <= _FEW_NUMBERS)
        if is_target and few:
            return "category"
        if facts.may_be_times and any(word in ("time", "timestamp", "date", "ts") for word in header.split("_")):
            return "time"
        return "number"
    if facts.are_dates:
        return "time"
    if is_target and header in _CLASS_NAMES:
        kind = "text" if facts.too_many or not facts.showable else "category"
    elif is_target and header in _TEXTS:
        kind = "text"
    else:
        kind = "text" if facts.are_texts else "category"
    if facts.broke is not None:
        broke = facts.broke
        rows = f"{broke.before:,} row{'s' if broke.before != 1 else ''}"
        findings.notes.append(
            f"column {plan.header[at]!r} is a {kind}: it was a {broke.was} for {rows}, but {broke.path}:{broke.row} "
            f"has {broke.value!r}; write NA where there is no value"
        )
    return kind


def _feature(files: Files, table: str, plan: Plan, at: int, name: str, kind: str, facts: ColumnFacts) -> Feature:
    header, role = plan.header[at], plan.roles[at]
    column = header if header != name else ""
    if at in plan.media:
        place = plan.media[at]
        dtype = "uint8" if kind == "image" else "string"
        return Feature(
            name,
            kind,
            dtype,
            plan.shapes.get(at, (None, None, None)) if kind == "image" else (),
            role,
            _encoding(place.kind, files),
            column=column,
            folder=place.folder,
            suffix=place.suffix,
        )
    if kind == "category":
        classes = plan.classes.get(at) or facts.classes()
        if facts.too_many and at not in plan.classes:
            raise LayoutUnknown(
                f"column {header!r} of {table} has more than {MAX_CLASSES:,} different values; make it a text",
                reason="TOO_MANY_CLASSES",
            )
        if role == "target" and len(classes) < 2:
            raise LayoutUnknown(
                f"column {header!r} of {table}, the target, has one class only, {classes[0]!r}; it takes two",
                reason="ONE_CLASS",
            )
        return Feature(name, kind, "int64" if role == "target" else "string", (), role, classes=classes, column=column)
    return Feature(name, kind, _ID_DTYPES.get(kind, "string"), (), role, column=column)


def _encoding(kind: str, files: Files) -> str:
    """Of most files of the kind, by their endings."""
    known = media.SUFFIXES[kind]
    found = Counter(known[suffix(path)] for path in files if suffix(path) in known)
    return found.most_common(1)[0][0] if found else ""


def _modality(features: Sequence[Feature], options: Options) -> str:
    roles = {feature.role for feature in features}
    if "user" in roles and "item" in roles:
        return "interactions"
    inputs = [feature.kind for feature in features if feature.role == "input"]
    for kind in MEDIA:
        if kind in inputs:
            return kind
    if options.modality in ("text", "table"):
        return options.modality
    return "text" if inputs and set(inputs) == {"text"} else "table"


def _items(files: Files, others: Sequence[str], key: str, findings: Findings) -> Items | None:
    """The table that describes the items: it has their column, and nobody's else."""
    for path in others:
        shape = read_shape(path, files[path], TABLES[suffix(path)])
        keys = [name for name in shape.header if name == key] or [
            name for name in shape.header if identifier(name) == identifier(key)
        ]
        if not keys or is_interactions(shape.header) or len(shape.header) < 2 or _is_links(shape.header):
            continue
        plan = Plan(shape.header, ["input"] * len(shape.header))
        at = shape.header.index(keys[0])
        plan.roles[at], plan.kinds[at] = "item", "id"
        for place, name in enumerate(shape.header):
            if plan.roles[place] == "input" and identifier(name) in ITEMS:
                plan.roles[place], plan.kinds[place] = "ignore", "id"
        problems = Problems()
        _, facts, rows = _pass(files, [path], {path: ""}, shape, plan, problems)
        _check_usable(rows, problems)
        for problem in problems.kept:
            findings.problems.add(problem.path, problem.row, problem.reason)
        features = _features(files, path, plan, facts, findings)
        return Items(path, keys[0], features, shape.table)
    return None


def _is_links(header: Sequence[str]) -> bool:
    """Whether all columns are ids, such as in MovieLens' links.csv."""
    return all(identifier(name).endswith("id") for name in header)
