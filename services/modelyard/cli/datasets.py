"""`modelyard datasets …`"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.cli.bars import byte_bars
from modelyard.cli.failures import FAILED
from modelyard.cli.globals import settings
from modelyard.cli.output import age, bytes_text, console, print_json, show_all, show_facts, to_json
from modelyard.cli.places import check_place, save
from modelyard.cli.profiles import find_profile, missing_facts, save_page, show_profile
from modelyard.cli.pushes import show_pushed
from modelyard.cli.suggest import suggesting
from modelyard.cli.versions import FILES, Noun, add_alias, add_delete, add_pull, add_versions, files_row
from modelyard.layouts import CHOICES, Options
from modelyard.layouts.description import MODALITIES
from modelyard.sdk.names import short

NOUN = Noun("dataset", "files", lambda client: client.datasets)
names = NOUN.names
app = typer.Typer(help="Datasets: push, import, list, show, pull, delete.", no_args_is_help=True)


@app.command()
def push(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The dataset's name, such as `digits`.")],
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder or a file: class/image.png (also sounds, videos, .txt), a table, lines of text, COCO, IDX."
        ),
    ],
    layout: Annotated[str, typer.Option(help=f"{', '.join(CHOICES)}.")] = "auto",
    target: Annotated[str, typer.Option(help="The column to learn, by its name in the table.")] = "",
    split_by: Annotated[
        str, typer.Option(help="The column whose values are not to be in two splits, such as a family or a speaker.")
    ] = "",
    features: Annotated[
        Path | None, typer.Option(help="JSON that says what columns, or TFRecord's features, are: kind, role, classes.")
    ] = None,
    modality: Annotated[str, typer.Option(help=f"{', '.join(MODALITIES)}: what it has to be.")] = "",
    header: Annotated[
        bool | None, typer.Option(help="Whether the first row of a CSV file names the columns; found out by default.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="key=value, kept with the version.")] = None,
) -> None:
    """Make a folder, or a file, the next version of a dataset; only what is new is sent."""
    if layout not in CHOICES:
        raise typer.BadParameter(f"{layout!r} is none of {', '.join(CHOICES)}", param_hint="--layout")
    if modality and modality not in MODALITIES:
        raise typer.BadParameter(f"{modality!r} is none of {', '.join(MODALITIES)}", param_hint="--modality")
    from modelyard.sdk.describing import read_features

    options = Options(layout, target, split_by, read_features(features) if features else None, modality, header)
    with settings(context).client() as client, byte_bars(quiet=settings(context).json) as progress:
        labels = dict(_pair(each) for each in label or ())
        pushed = client.datasets.push(name, folder, options=options, labels=labels, progress=progress)
    show_pushed(pushed, as_json=settings(context).json)


@app.command("import")
def import_(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A set of the gallery, such as `mnist`; without one, what there is.")
    ] = "",
    dataset: Annotated[str, typer.Option("--as", help="The dataset's name; by default the set's.")] = "",
    listing: Annotated[bool, typer.Option("--list", help="What there is; nothing is brought.")] = False,
) -> None:
    """Bring a set from the gallery: licence shown, digest pinned, split fixed."""
    # The gallery's sets are twenty modules, which no other command needs.
    from modelyard.cli.galleries import show_gallery, show_set
    from modelyard.sdk import gallery

    as_json = settings(context).json
    if listing or not name:
        show_gallery(as_json=as_json)
        return
    chosen = gallery.find(name)
    if not as_json:
        show_set(chosen)
    with settings(context).client() as client, byte_bars(quiet=as_json) as progress:
        pushed = chosen.bring(client, dataset or chosen.name, progress)
    show_pushed(pushed, as_json=as_json)


@app.command("list")
def list_(context: typer.Context) -> None:
    """The project's datasets."""
    with settings(context).client() as client:
        show_all(
            client.datasets.list(),
            ("NAME", "LATEST", "ALIASES", "UPDATED"),
            lambda each: (
                short(each.name),
                str(each.latest_version or "–"),
                " ".join(f"{alias}={version}" for alias, version in sorted(each.aliases.items())),
                age(each.update_time),
            ),
            as_json=settings(context).json,
            empty="there is no dataset yet; bring one: modelyard datasets import mnist",
        )


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="`mnist`, `mnist@3`, `mnist@latest`.")],
    html: Annotated[Path | None, typer.Option(help="Save the page with examples and histograms as this file.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the version has been profiled; status 1 where it could not be.")
    ] = False,
) -> None:
    """A version: what an example looks like, splits, classes, size, and what was found in it."""
    as_json = settings(context).json
    if html is not None:
        check_place(html, "--html")
    with settings(context).client() as client, suggesting("dataset", name, lambda: names(client)):
        version = client.datasets.version(name)
        spec = client.datasets.input_spec(version.name)
        profile = find_profile(client, version.name, wait=wait, quiet=as_json)
        if html is not None:
            save_page(client, profile, html)
    if as_json:
        print_json(
            {
                "version": to_json(version),
                "input_spec": to_json(spec),
                "statistics": to_json(profile.statistics) if profile.statistics is not None else None,
                "statistics_missing": missing_facts(profile),
            }
        )
    else:
        _show_version(version, spec)
        show_profile(profile, spec, short(version.name), waited=wait)
        if html is not None:
            console().print(f"the page is {html}")
    if wait and profile.statistics is None:
        raise typer.Exit(FAILED)


@app.command("export")
def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="`mnist`, `mnist@3`.")],
    croissant: Annotated[Path, typer.Option(help="Write Croissant JSON-LD into this file.")],
    licence: Annotated[str, typer.Option(help="The data's licence, as an SPDX name or an address.")] = "",
) -> None:
    """Describe a version for other tools."""
    check_place(croissant, "--croissant")
    with settings(context).client() as client, suggesting("dataset", name, lambda: names(client)):
        described = client.datasets.croissant(name, licence=licence)
    save(croissant, f"{json.dumps(described, indent=2, ensure_ascii=False)}\n".encode())
    if settings(context).json:
        print_json(described)
    else:
        console().print(f"{described['name']} is described in {croissant}")


add_versions(app, NOUN, FILES, files_row)
add_pull(app, NOUN)
add_alias(app, NOUN, lambda client: client.datasets, "mnist stable 3")
add_delete(app, NOUN)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"{text!r} is not key=value", param_hint="--label")
    return key, value


def _show_version(version: dataset_pb2.DatasetVersion, spec: dataset_pb2.InputSpec) -> None:
    facts = [
        ("name", short(version.name)),
        ("digest", version.digest),
        ("files", f"{version.file_count:,}, {bytes_text(version.size_bytes)}"),
        ("layout", f"{spec.modality}, {spec.layout}"),
        ("splits", ", ".join(f"{split.name} {split.example_count:,}" for split in spec.splits)),
    ]
    if spec.HasField("split_rule"):
        facts.append(("split by", _split_rule(spec.split_rule)))
    if spec.generated_by:
        facts.append(("generated", f"by {spec.generated_by}"))
    facts += [(feature.name, _feature(feature)) for feature in spec.features]
    facts += [(f"item {feature.name}", _feature(feature)) for feature in spec.item_features]
    facts += [(key, value) for key, value in sorted(version.labels.items())]
    facts.append(("created", f"{age(version.create_time)} by {version.creator}"))
    show_facts(facts)


def _split_rule(rule: dataset_pb2.SplitRule) -> str:
    """How examples came into their splits."""
    held_out = " and ".join(f"{percent} % {name}" for name, percent in sorted(rule.held_out.items()))
    said = {
        "folder": "folder",
        "file": "file",
        "split_column": f"column {rule.column}",
        "column": f"hash of column {rule.column}: {held_out}",
        "hash": f"hash: {held_out}",
    }
    return said.get(rule.by, rule.by)


def _feature(feature: dataset_pb2.Feature) -> str:
    shape = " × ".join("any" if size < 0 else str(size) for size in feature.shape)
    words = [_word(dataset_pb2.Feature.Kind, feature.kind), feature.dtype, shape, feature.encoding]
    role = _word(dataset_pb2.Feature.Role, feature.role)
    said = [" ".join(filter(None, words))]
    if role not in ("", "input"):
        said.append(role)
    if feature.column:
        said.append(f"column {feature.column}")
    if feature.classes:
        some = ", ".join(feature.classes[:12]) + (" …" if len(feature.classes) > 12 else "")
        said.append(f"{len(feature.classes):,} classes: {some}")
    return "; ".join(said)


def _word(enum: Any, value: int) -> str:
    """`text` for KIND_TEXT; nothing for what a server before this one does not say."""
    return "" if value == 0 else str(enum.Name(value)).partition("_")[2].lower()
