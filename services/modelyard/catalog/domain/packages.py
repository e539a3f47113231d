"""What a package says of itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from modelyard.catalog.domain.errors import PackageSpecWrong

SPEC_FILE = "template.toml"
MAX_SPEC_BYTES = 64 << 10
REQUIREMENTS_FILE = "requirements.txt"
MAX_MODULES = 1000


@dataclass(frozen=True, slots=True)
class PackageSpec:
    version: str
    """The version's name, resolved."""
    digest: str
    template_toml: str
    """"" where there is none."""
    has_requirements: bool
    modules: tuple[str, ...]


def check_spec_size(version: str, size: int) -> None:
    if size > MAX_SPEC_BYTES:
        raise PackageSpecWrong(
            f"{SPEC_FILE} of {version} has {size} bytes; at most {MAX_SPEC_BYTES} are read", resource=version
        )


def spec_text(version: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise PackageSpecWrong(f"{SPEC_FILE} of {version} is not UTF-8; save it again", resource=version) from None


def modules_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The modules at the root, sorted: what `python -c "import …"` finds in `{name}.py` there."""
    found = {path.removesuffix(".py") for path in paths if path.endswith(".py") and "/" not in path}
    return tuple(sorted(name for name in found if name.isidentifier() and name != "__init__"))[:MAX_MODULES]
