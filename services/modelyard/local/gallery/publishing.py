"""Writes what was reached into the file that ships."""

import os
from dataclasses import asdict
from pathlib import Path

import tomli_w

from modelyard.local.gallery.running import Reached
from modelyard.sdk.gallery.rows import PUBLISHED, Published, read_published, read_rows

_HEAD = "# What was reached, written by `make gallery PUBLISH=1`; rows.toml says what each row is.\n\n"


def publish(name: str, reached: Reached, path: Path = PUBLISHED) -> None:
    """Make it the row's figure; other rows stay as they are. The file is replaced whole."""
    cores = len(os.sched_getaffinity(0))
    published = Published(
        figure=round(reached.figure, 4),
        date=reached.date,
        minutes=round(reached.minutes, 1),
        cores=cores,
        dataset=reached.dataset,
        code=reached.code,
        other_seeds=[round(figure, 4) for figure in reached.other_seeds],
    )
    every = {**read_published(path), name: published}
    ordered = {each: asdict(every[each]) for each in read_rows() if each in every}
    new = path.with_suffix(".new")
    new.write_text(_HEAD + tomli_w.dumps(ordered), encoding="utf-8")
    new.replace(path)
