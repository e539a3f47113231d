"""How people lay out data, and what is in it: detected when it is pushed, described, and read where it is used."""

from modelyard.layouts.description import (
    DESCRIPTION_FILE,
    FORMAT,
    Description,
    Feature,
    Items,
    Split,
    SplitRule,
    Table,
)
from modelyard.layouts.encoding import to_bytes, to_json
from modelyard.layouts.errors import (
    DataUnreadable,
    DecoderMissing,
    DescriptionWrong,
    LayoutError,
    LayoutUnknown,
    Problem,
)
from modelyard.layouts.files import File, Files, Range
from modelyard.layouts.options import CHOICES, Detection, Findings, Options
from modelyard.layouts.parsing import from_json, parse_description

__all__ = [
    "CHOICES",
    "DESCRIPTION_FILE",
    "FORMAT",
    "DataUnreadable",
    "DecoderMissing",
    "Description",
    "DescriptionWrong",
    "Detection",
    "Feature",
    "File",
    "Files",
    "Findings",
    "Items",
    "LayoutError",
    "LayoutUnknown",
    "Options",
    "Problem",
    "Range",
    "Split",
    "SplitRule",
    "Table",
    "from_json",
    "parse_description",
    "to_bytes",
    "to_json",
]
