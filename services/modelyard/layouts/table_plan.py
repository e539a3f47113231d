"""What the columns of a table are for, as far as their names, the first rows and whoever pushes say it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modelyard.layouts import values
from modelyard.layouts.columns import ColumnFacts
from modelyard.layouts.description import KINDS, MEDIA, ROLES, SplitRule
from modelyard.layouts.errors import LayoutUnknown
from modelyard.layouts.file_columns import ENDINGS, FileColumn, MediaFiles, place_of_files
from modelyard.layouts.files import Files
from modelyard.layouts.media_folders import kind_of_files
from modelyard.layouts.names import SPLIT_ALIASES, identifier, suffix
from modelyard.layouts.options import Options
from modelyard.layouts.row_checks import ImageShape, RowChecks
from modelyard.layouts.rows import Batch
from modelyard.layouts.splitting import HELD_OUT

TARGETS = ("label", "labels", "target", "class", "y", "transcript", "transcription", "category")
"""Columns of these names are what is to be learned; the first of them that there is."""
USERS = frozenset({"user", "userid", "user_id", "uid", "customer", "customerid", "customer_id", "visitorid"})
ITEMS = frozenset(
    {"item", "itemid", "item_id", "iid", "movie", "movieid", "movie_id", "product", "productid", "product_id", "asin"}
    | {"isbn", "book", "bookid", "book_id", "song", "songid", "song_id", "track", "trackid", "track_id", "parent_asin"}
)
RATINGS = frozenset({"rating", "ratings", "score", "stars", "rate", "overall", "book_rating"})
TIMES = frozenset({"time", "timestamp", "date", "datetime", "ts", "unixreviewtime"})
_IDS = frozenset({"id", "row", "rowid", "row_id", "rownames", "uuid", "guid", "unnamed_0", "sample_id", "origin"})
_SPLIT_COLUMNS = frozenset({"split", "subset"})
_SAMPLE = 50


@dataclass
class Plan:
    """Columns by their places."""

    header: Sequence[str]
    roles: list[str]
    kinds: dict[int, str] = field(default_factory=dict)
    """Of columns that are not to be found out."""
    media: dict[int, FileColumn] = field(default_factory=dict)
    classes: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Given ones."""
    shapes: dict[int, ImageShape] = field(default_factory=dict)
    """Of the images that a column names, once the rows were looked at."""
    rule: SplitRule = field(default_factory=lambda: SplitRule("hash", held_out=HELD_OUT))

    @property
    def checks(self) -> RowChecks:
        """What a row needs."""
        needed = ("target", "user", "item", "rating")
        return RowChecks(
            self.header,
            self.rule,
            required=[at for at, role in enumerate(self.roles) if role in needed and at not in self.media],
            numbers=[at for at, kind in self.kinds.items() if kind == "number"],
            times=[at for at, kind in self.kinds.items() if kind == "time"],
            known={at: frozenset(classes) for at, classes in self.classes.items()},
            media=self.media,
            shapes=self.shapes,
        )


def is_interactions(header: Iterable[str]) -> bool:
    """Whether there is a column of users and one of items."""
    names = {identifier(name) for name in header}
    return bool(names & USERS) and bool(names & ITEMS)


def make_plan(
    header: Sequence[str], sample: Batch | None, files: Files, by_file: Mapping[str, str], options: Options
) -> Plan:
    """Raises LayoutUnknown for columns that are asked for and not there."""
    plan = Plan(header, ["input"] * len(header))
    rows = sample.rows if sample else []
    _plan_ids(plan)
    if options.layout == "interactions" or (options.layout == "auto" and is_interactions(header)):
        _plan_interactions(plan, options)
    if sample is not None:
        _plan_media(plan, sample, files, options)
    _plan_target(plan, rows, options)
    _plan_splits(plan, rows, by_file, options)
    _plan_given(plan, options)
    return plan


def place_of(header: Sequence[str], name: str, option: str) -> int:
    """Raises LayoutUnknown where there is no such column."""
    if name in header:
        return header.index(name)
    near = [at for at, each in enumerate(header) if identifier(each) == identifier(name)]
    if len(near) == 1:
        return near[0]
    raise LayoutUnknown(
        f"{option} {name!r}: there is no such column; there are {', '.join(header[:20])}"
        f"{f' and {len(header) - 20} more' if len(header) > 20 else ''}",
        reason="NO_SUCH_COLUMN",
    )


def _plan_ids(plan: Plan) -> None:
    for at, name in enumerate(plan.header):
        if identifier(name) in _IDS:
            plan.roles[at], plan.kinds[at] = "ignore", "id"
    # pandas and R write the rows' numbers before the rest, under no name; where the second has none there is no header.
    if len(plan.header) > 1 and plan.header[0] == "column 1" and plan.header[1] != "column 2":
        plan.roles[0], plan.kinds[0] = "ignore", "id"


def _plan_interactions(plan: Plan, options: Options) -> None:
    for role, names in (("user", USERS), ("item", ITEMS), ("rating", RATINGS), ("time", TIMES)):
        found = [at for at, name in enumerate(plan.header) if identifier(name) in names and plan.roles[at] == "input"]
        if found:
            plan.roles[found[0]] = role
            plan.kinds[found[0]] = {"rating": "number", "time": "time"}.get(role, "id")
        elif role in ("user", "item"):
            raise LayoutUnknown(
                f"interactions have a column of users and one of items, called such as user_id and item_id; "
                f"there are {', '.join(plan.header[:20])}",
                reason="NO_SUCH_COLUMN",
            )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A column whose values are names of files, perhaps by chance."""

    at: int
    place: FileColumn
    doubt: int
    """0: with their endings, or whoever pushes says so; 1: without; 2: they are whole numbers, as labels may be."""
    different: int
    """As many of the values that were looked at differ."""


def _plan_media(plan: Plan, sample: Batch, files: Files, options: Options) -> None:
    """Finds the columns whose values are files of the tree."""
    there = MediaFiles.among(files)
    are_files = _said_to_be_files(plan.header, options)
    candidates = []
    for at, name in enumerate(plan.header):
        found = [row[at].strip() for row in sample.rows if not values.is_missing(row[at])][:_SAMPLE]
        if not found or not are_files.get(at, True) or plan.roles[at] not in ("input", "ignore"):
            continue
        place = place_of_files(sample.path, found, there, files) if there.folders else None
        if place is None:
            looks_so = sum(suffix(value) in ENDINGS for value in found) * 2 > len(found)
            if looks_so and plan.kinds.get(at) != "id":
                raise LayoutUnknown(
                    f"column {name!r} of {sample.path} names files such as {found[0]!r}, which are not in the folder",
                    reason="FILES_MISSING",
                )
            continue
        paths = [path for path in (place.find(sample.path, value, files) for value in found) if path in files]
        kind = kind_of_files(paths, files, options.modality)
        doubt = 0 if at in are_files or not place.suffix else 1 + all(map(str.isdecimal, found))
        column = FileColumn(kind, place.folder, place.suffix)
        candidates.append(_Candidate(at, column, doubt, len(set(found))))
    for each in _without_chance(plan, candidates):
        plan.roles[each.at] = "input"
        plan.kinds[each.at] = each.place.kind
        plan.media[each.at] = each.place


def _said_to_be_files(header: Sequence[str], options: Options) -> dict[int, bool]:
    """What whoever pushes says of some columns: the target names none."""
    kinds = {
        place_of(header, name, "--features"): given["kind"]
        for name, given in (options.features or {}).items()
        if given.get("kind") is not None
    }
    said = {at: kind in MEDIA for at, kind in kinds.items()}
    return said | ({place_of(header, options.target, "--target"): False} if options.target else {})


def _without_chance(plan: Plan, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Beside names such as 7.png, the 7 of another column names no image; of several columns of numbers, those do that
    differ most."""
    kept = [each for each in candidates if each.doubt < 2]
    kinds = {each.place.kind for each in kept}
    numbers = [each for each in candidates if each.doubt == 2 and each.place.kind not in kinds]
    how = [(plan.kinds.get(each.at) == "id", each.different) for each in numbers]
    return kept + [each for each, rank in zip(numbers, how, strict=True) if rank == max(how)]


def _plan_target(plan: Plan, rows: Sequence[Sequence[str]], options: Options) -> None:
    if options.target:
        plan.roles[place_of(plan.header, options.target, "--target")] = "target"
        return
    if "user" in plan.roles:
        return
    names = [identifier(name) for name in plan.header]
    free = [at for at, role in enumerate(plan.roles) if role == "input" and at not in plan.media]
    for name in TARGETS:
        # Beside a z, a y is one of the sides.
        if name in names and names.index(name) in free and not (name == "y" and "z" in names):
            plan.roles[names.index(name)] = "target"
            return
    if len(plan.media) == 1 and len(free) == 1:
        plan.roles[free[0]] = "target"
    elif len(free) == 2 and not plan.media:
        _plan_two(plan, free, rows)


def _plan_two(plan: Plan, free: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
    """Of a text and something else, the other is the target; of two texts, the second."""
    texts = []
    for at in free:
        facts = ColumnFacts()
        facts.add("", range(len(rows)), [row[at] for row in rows])
        if not facts.are_numbers and not facts.are_dates and facts.are_texts:
            texts.append(at)
    if texts:
        plan.roles[free[1] if len(texts) == 2 or texts[0] == free[0] else free[0]] = "target"


def _plan_splits(plan: Plan, rows: Sequence[Sequence[str]], by_file: Mapping[str, str], options: Options) -> None:
    if options.split_by:
        at = place_of(plan.header, options.split_by, "--split-by")
        if plan.roles[at] in ("input", "ignore"):
            plan.roles[at] = "group"
        plan.rule = SplitRule("column", plan.header[at], HELD_OUT)
        return
    if any(by_file.values()):
        plan.rule = SplitRule("file")
        return
    for at, name in enumerate(plan.header):
        if identifier(name) not in _SPLIT_COLUMNS or plan.roles[at] != "input":
            continue
        known = [row[at].strip().lower() in SPLIT_ALIASES for row in rows]
        if sum(known) * 2 > len(known):
            plan.roles[at], plan.kinds[at] = "ignore", "category"
            plan.rule = SplitRule("split_column", plan.header[at])
            return


def _plan_given(plan: Plan, options: Options) -> None:
    """What the file of `--features` says."""
    for name, given in (options.features or {}).items():
        at = place_of(plan.header, name, "--features")
        kind, role, classes = given.get("kind"), given.get("role"), given.get("classes")
        if kind is not None:
            if kind not in KINDS or kind == "boxes" or (kind in MEDIA and at not in plan.media):
                raise LayoutUnknown(f"--features: column {name!r} can't be of kind {kind!r}", reason="FEATURES_WRONG")
            plan.kinds[at] = kind
            if at in plan.media and kind not in MEDIA:
                del plan.media[at]
        if role is not None:
            if role not in ROLES:
                raise LayoutUnknown(
                    f"--features: {name!r} can't have role {role!r}; roles are {', '.join(ROLES)}",
                    reason="FEATURES_WRONG",
                )
            plan.roles[at] = role
        if classes is not None:
            if not isinstance(classes, list) or not all(isinstance(each, str) and each for each in classes):
                raise LayoutUnknown(
                    f"--features: the classes of {name!r} are no list of names", reason="FEATURES_WRONG"
                )
            plan.kinds[at], plan.classes[at] = "category", tuple(classes)
