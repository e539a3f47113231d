"""`modelyard datasets import`: what the gallery has."""

from modelyard.cli.output import bytes_text, console, print_json, show_table
from modelyard.sdk import gallery


def show_gallery(*, as_json: bool) -> None:
    """Every set: what it is, how large, which program brings it, and its licence."""
    sets = gallery.SETS.values()
    if as_json:
        print_json({"sets": [_facts(each) for each in sets]})
        return
    show_table(
        ("NAME", "MODALITY", "SIZE", "NEEDS", "LICENCE", "WHAT"),
        [
            (each.name, each.modality, bytes_text(each.size), ", ".join(each.clients), each.licence, _what(each))
            for each in sets
        ],
    )
    console().print("bring one: modelyard datasets import NAME")


def show_set(chosen: gallery.Set) -> None:
    """What is about to be brought, and its licence."""
    console().print(f"{_what(chosen)}\nlicence: {chosen.licence}\norigin: {chosen.origin}")


def _what(each: gallery.Set) -> str:
    return each.title if each.seed is None else f"{each.title} (generated, seed {each.seed})"


def _facts(each: gallery.Set) -> dict[str, object]:
    return {
        "name": each.name,
        "modality": each.modality,
        "title": each.title,
        "licence": each.licence,
        "origin": each.origin,
        "size_bytes": each.size,
        "download_bytes": each.download_size,
        "needs": list(each.clients),
        "digest": f"sha256:{each.digest}",
        "generated": each.seed is not None,
        "seed": each.seed,
    }
