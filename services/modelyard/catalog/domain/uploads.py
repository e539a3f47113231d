"""Uploads: packs that were declared, and whether a manifest fits them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from enum import StrEnum

from modelyard.catalog.domain.errors import PackWrong, TreeTooLarge, TreeWrong, UploadNotOpen
from modelyard.catalog.domain.kinds import PackageKind
from modelyard.catalog.domain.model_info import ModelInfo
from modelyard.catalog.domain.names import Target
from modelyard.foundation.errors import InvalidArgument, ModelyardError
from modelyard.tree import Entry

MIB = 1 << 20
PART_BYTES = 8 * MIB
MAX_PARTS = 10_000
MAX_PACK_BYTES = 5 << 40


class UploadState(StrEnum):
    OPEN = "OPEN"
    COMMITTING = "COMMITTING"
    COMMITTED = "COMMITTED"
    ABORTED = "ABORTED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Part:
    """A part as the store received it."""

    number: int
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Pack:
    """One object that an upload brings."""

    number: int
    size: int
    manifest: bool = False
    multipart_id: str = ""
    """The store's name for the multipart upload; empty until it is begun, and for an inline upload."""
    received: tuple[Part, ...] = ()

    @property
    def part_bytes(self) -> int:
        return part_bytes(self.size)

    @property
    def part_count(self) -> int:
        return -(-self.size // self.part_bytes)


@dataclass(frozen=True, slots=True)
class UploadError:
    """Why an upload failed; kept in SQL."""

    kind: str
    reason: str
    message: str
    field: str = ""
    facts: Mapping[str, str] = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upload:
    id: str
    project: str
    project_uid: str
    target: Target
    state: UploadState
    packs: tuple[Pack, ...]
    creator: str
    create_time: datetime
    expire_time: datetime
    base_version: str = ""
    base_tree: str = ""
    """The uid of the base's tree."""
    inline: bool = False
    package_kind: PackageKind = PackageKind.UNSAID
    labels: Mapping[str, str] = dataclass_field(default_factory=dict)
    info: ModelInfo | None = None
    verified_bytes: int = 0
    version: str = ""
    unchanged: bool = False
    error: UploadError | None = None

    @property
    def name(self) -> str:
        return f"projects/{self.project}/uploads/{self.id}"

    @property
    def total_bytes(self) -> int:
        """What has to be read back and hashed; the manifest is parsed instead."""
        return sum(pack.size for pack in self.packs if not pack.manifest)

    @property
    def manifest(self) -> Pack:
        return next(pack for pack in self.packs if pack.manifest)

    def pack_id(self, number: int) -> str:
        """The pack's name in canonical manifests and in the store."""
        return f"{self.id}-{number}"


def part_bytes(size: int) -> int:
    """8 MiB, or more where a pack would have more than 10,000 parts."""
    least = -(-size // MAX_PARTS)
    return max(PART_BYTES, -(-least // MIB) * MIB)


def validate_packs(packs: Sequence[Pack], *, max_packs: int, max_bytes: int, max_manifest_bytes: int) -> None:
    """Refuse packs that can't be stored, numbers that repeat, and anything but one manifest."""
    at = "upload.packs"
    if len(packs) > max_packs:
        raise InvalidArgument(f"{at} has {len(packs)} entries; at most {max_packs} are allowed in one upload", field=at)
    numbers: set[int] = set()
    for index, pack in enumerate(packs):
        if pack.number < 0 or pack.number in numbers:
            raise InvalidArgument(
                f"{at}[{index}].number is {pack.number}; numbers are not negative and occur once",
                field=f"{at}[{index}].number",
            )
        numbers.add(pack.number)
        if not 0 < pack.size <= MAX_PACK_BYTES:
            raise InvalidArgument(
                f"{at}[{index}].size_bytes is {pack.size}; a pack has 1 byte to 5 TiB",
                field=f"{at}[{index}].size_bytes",
            )
    manifests = [pack for pack in packs if pack.manifest]
    if len(manifests) != 1:
        raise InvalidArgument(f"{at} has {len(manifests)} manifests; mark exactly one pack as manifest", field=at)
    if manifests[0].size > max_manifest_bytes:
        raise TreeTooLarge(
            f"the manifest has {manifests[0].size} bytes; at most {max_manifest_bytes} are accepted. "
            "Put small files together, or push more datasets",
            field=at,
        )
    total = sum(pack.size for pack in packs)
    if total > max_bytes:
        raise TreeTooLarge(f"the upload has {total} bytes; at most {max_bytes} are accepted in one", field=at)


def check_open(upload: Upload) -> None:
    if upload.state is not UploadState.OPEN:
        raise UploadNotOpen(
            f"{upload.name} is {upload.state.lower()}; begin a new upload", resource=upload.name, state=upload.state
        )


def missing_part(pack: Pack, received: Iterable[Part]) -> int | None:
    """The first part number that the store lacks or has in another size than declared; None when all are there."""
    sizes = {part.number: part.size for part in received}
    for number in range(1, pack.part_count + 1):
        last = number == pack.part_count
        wanted = pack.size - pack.part_bytes * (pack.part_count - 1) if last else pack.part_bytes
        if sizes.get(number) != wanted:
            return number
    return None


Place = tuple[str, int, int, str]
"""(pack, offset, size, sha256): bytes with a name."""


def place(entry: Entry) -> Place:
    return (entry.pack, entry.offset, entry.size, entry.sha256)


def canonical_entries(upload: Upload, entries: Iterable[Entry], base: Collection[Place]) -> list[Entry]:
    """The client's entries with every pack of this upload by its lasting name; TreeWrong for one that lies elsewhere.

    An entry lies in a pack of this upload, named by its number, or at a place that the base's manifest names too.
    """
    packs = {str(pack.number): pack for pack in upload.packs if not pack.manifest}
    result: list[Entry] = []
    for entry in entries:
        pack = packs.get(entry.pack)
        if entry.size == 0:
            result.append(entry)
        elif pack is not None:
            if entry.offset + entry.size > pack.size:
                raise TreeWrong(
                    f"file {entry.path!r} ends at byte {entry.offset + entry.size} of pack {pack.number}, "
                    f"which has {pack.size}",
                    path=entry.path,
                )
            result.append(Entry(entry.path, entry.size, entry.sha256, upload.pack_id(pack.number), entry.offset))
        elif place(entry) in base:
            result.append(entry)
        else:
            where = "the base version" if upload.base_version else "there is no base version"
            raise TreeWrong(
                f"file {entry.path!r} claims to lie in pack {entry.pack!r}, which is neither one of this upload nor at "
                f"that place in the manifest of {upload.base_version or 'a base version'} ({where})",
                path=entry.path,
            )
    return result


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes [offset, offset + size) of a pack that must have this SHA-256; `path` is one file they belong to."""

    offset: int
    size: int
    sha256: str
    path: str


def spans_by_pack(entries: Iterable[Entry], pack_ids: Collection[str]) -> dict[str, list[Span]]:
    """What to hash in each of the packs, in the order of its bytes; every byte is hashed once.

    Files may share a place; TreeWrong when two overlap otherwise, or claim two hashes for one place.
    """
    found: dict[str, dict[tuple[int, int], Span]] = {pack: {} for pack in pack_ids}
    for entry in entries:
        spans = found.get(entry.pack)
        if spans is None or entry.size == 0:
            continue
        span = Span(entry.offset, entry.size, entry.sha256, entry.path)
        known = spans.setdefault((entry.offset, entry.size), span)
        if known.sha256 != entry.sha256:
            raise TreeWrong(
                f"files {known.path!r} and {entry.path!r} claim different hashes for the same bytes", path=entry.path
            )
    result: dict[str, list[Span]] = {}
    for pack, by_place in found.items():
        ordered = sorted(by_place.values(), key=lambda span: span.offset)
        end, path = 0, ""
        for span in ordered:
            if span.offset < end:
                raise TreeWrong(f"files {path!r} and {span.path!r} overlap in their pack", path=span.path)
            end, path = span.offset + span.size, span.path
        result[pack] = ordered
    return result


def check_stored(upload: Upload, pack: Pack, stored: int | None) -> None:
    """PackWrong unless the store holds the pack in the size that was declared."""
    if stored is None:
        raise PackWrong(f"pack {pack.number} of {upload.name} is not in the store", pack=str(pack.number))
    if stored != pack.size:
        raise PackWrong(
            f"pack {pack.number} of {upload.name} has {stored} bytes in the store; {pack.size} were declared",
            pack=str(pack.number),
        )


def failure(error: ModelyardError) -> UploadError:
    return UploadError(error.kind, error.reason, error.message, error.field, error.facts)
