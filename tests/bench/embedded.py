"""Benches run on the embedded store, wherever a MinIO is installed too."""

import os
from pathlib import Path

EMBEDDED = {
    "PATH": os.pathsep.join(
        place for place in os.environ["PATH"].split(os.pathsep) if not (Path(place) / "minio").exists()
    )
}
"""What to add to the environment of `modelyard up`."""
