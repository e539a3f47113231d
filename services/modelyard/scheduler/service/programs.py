"""What a job runs: a template that comes with modelyard, or a package of one's own with its entry."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from modelyard.foundation.errors import InvalidArgument, ModelyardError
from modelyard.scheduler.domain.records import JobSpec
from modelyard.scheduler.service.ports import Catalog, Package
from modelyard.templates.parameters import ParameterInvalid, TemplateInvalid, Value, check_size, check_untyped
from modelyard.templates.specs import Kind, Template, TemplateUnknown, get_template, list_templates, parse_template

SPEC = "job.spec"
ENTRY_FIELD = f"{SPEC}.entry"
MAX_ENTRY_CHARACTERS = 256
_ENTRY = re.compile(r"[A-Za-z_]\w*(:[A-Za-z_]\w*)?", re.ASCII)
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    """The template's or the package's ID."""
    kind: Kind
    described: Template | None
    """None: a package without a template.toml."""
    package_version: str = ""
    """Resolved."""
    entry: str = ""
    """A package's."""

    def complete(self, values: Mapping[str, object]) -> dict[str, Value]:
        """The parameters with their types and defaults. Raises ParameterInvalid with the field's whole path."""
        try:
            return check_untyped(values) if self.described is None else self.described.complete(values)
        except ParameterInvalid as error:
            error.field = f"{SPEC}.{error.field}"
            raise


class Programs:
    def __init__(self, catalog: Catalog, templates: Path) -> None:
        self._catalog = catalog
        self._folder = templates

    def templates(self) -> tuple[Template, ...]:
        return list_templates(self._folder)

    def template(self, name: str) -> Template:
        """Raises TemplateUnknown, with the nearest name."""
        return get_template(name, self._folder)

    async def find(self, spec: JobSpec) -> Program:
        if spec.template and spec.package_version:
            raise InvalidArgument(
                f"{SPEC}.template and {SPEC}.package_version are both set; a job runs the one or the other",
                field=f"{SPEC}.package_version",
            )
        return await self._package(spec) if spec.package_version else self._template(spec)

    def _template(self, spec: JobSpec) -> Program:
        field = f"{SPEC}.template"
        if not spec.template:
            names = ", ".join(template.name for template in self.templates())
            raise InvalidArgument(
                f"{field} is empty; there is {names}; or set {SPEC}.package_version to run code of your own",
                field=field,
            )
        try:
            template = get_template(spec.template, self._folder)
        except TemplateUnknown as error:
            error.field = field
            raise
        if spec.entry:
            raise InvalidArgument(
                f"{ENTRY_FIELD} is for packages; template {template.name} has its own", field=ENTRY_FIELD
            )
        return Program(template.name, template.kind, template)

    async def _package(self, spec: JobSpec) -> Program:
        field = f"{SPEC}.package_version"
        try:
            package = await self._catalog.package(spec.package_version)
        except ModelyardError as error:
            error.field = field
            raise
        name = package.version.split("/")[3]
        described = _described(package, name) if package.template_toml else None
        entry = _entry(spec.entry, package, described)
        return Program(name, Kind.TRAINING, described, package.version, entry)


def check_parameters(values: Mapping[str, object]) -> None:
    """Refuses too many of them, before anything else is looked at."""
    try:
        check_size(values)
    except ParameterInvalid as error:
        error.field = f"{SPEC}.{error.field}"
        raise


def _described(package: Package, name: str) -> Template:
    try:
        return parse_template(package.template_toml, name)
    except TemplateInvalid as error:
        error.facts |= {"key": error.field} if error.field else {}
        error.field, error.resource = f"{SPEC}.package_version", package.version
        raise


def _entry(asked: str, package: Package, described: Template | None) -> str:
    """Where the package's code begins; its module must be there."""
    said = asked or (described.entry if described else "")
    where = ENTRY_FIELD if asked else "entry in its template.toml"
    if not package.modules:
        raise InvalidArgument(
            f"{package.version} has no Python module at its root; push a folder with a file such as train.py in it",
            field=f"{SPEC}.package_version",
            resource=package.version,
        )
    if not said:
        if len(package.modules) == 1:
            return package.modules[0]
        raise InvalidArgument(
            f"{ENTRY_FIELD} is empty, and the package has several modules: {_listed(package.modules)}; "
            "say which one to run (`--entry train:main`), or write entry into its template.toml",
            field=ENTRY_FIELD,
        )
    if len(said) > MAX_ENTRY_CHARACTERS or not _ENTRY.fullmatch(said):
        raise InvalidArgument(
            f"{where} is {said[:80]!a}; it must be module:function, or module for a script, of a module at the "
            f"package's root{_instead(said, package)}",
            field=ENTRY_FIELD,
        )
    module = said.partition(":")[0]
    if module not in package.modules:
        near = get_close_matches(module, package.modules, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {_listed(package.modules)}"
        error = InvalidArgument(
            f"{where} is {said!a}, and {package.version} has no module {module!r}; {hint}", field=ENTRY_FIELD
        )
        error.facts |= {"did_you_mean": near[0]} if near else {}
        raise error
    return said


def _instead(said: str, package: Package) -> str:
    """What somebody means who names the file."""
    file, _, function = said.partition(":")
    module = file.removeprefix("./").removesuffix(".py")
    meant = f"{module}:{function}" if _ENTRY.fullmatch(f"{module}:{function}") else module
    return f"; did you mean {meant!r}?" if module in package.modules else ""


def _listed(modules: Sequence[str]) -> str:
    more = len(modules) - _SHOWN
    return ", ".join(modules[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
