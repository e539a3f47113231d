"""An evaluation's report: the output `report` of the job that made it."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from modelyard.sdk import Client
from modelyard.sdk.errors import DataLoss, InvalidArgument
from modelyard.sdk.progress import Progress, silent

PAGE, DOCUMENT = "report.html", "evaluation.json"
FORMAT = 1


def save_page(client: Client, report: str, file: Path, progress: Progress = silent) -> None:
    """Write the report's page into a file; what was in it is replaced."""
    with tempfile.TemporaryDirectory(prefix="modelyard-") as folder:
        client.lineage.pull_output(report, Path(folder) / "report", progress=progress)
        try:
            shutil.copyfile(Path(folder) / "report" / PAGE, file)
        except OSError as error:
            raise InvalidArgument(f"{file} can't be written: {error.strerror}", reason="FILE_UNWRITABLE") from error


def read_document(client: Client, report: str) -> dict[str, Any]:
    """What the report says for machines."""
    with tempfile.TemporaryDirectory(prefix="modelyard-") as folder:
        client.lineage.pull_output(report, Path(folder) / "report", progress=silent)
        found: dict[str, Any] = json.loads((Path(folder) / "report" / DOCUMENT).read_text())
    if found.get("format") != FORMAT:
        raise DataLoss(
            f"{report} has format {found.get('format')}; this modelyard reads {FORMAT}", reason="REPORT_FORMAT_UNKNOWN"
        )
    return found
