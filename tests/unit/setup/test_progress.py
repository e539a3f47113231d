"""How far an installer is, told from outside while it works."""

import shutil
import threading
from pathlib import Path

from deploy.prepare import progress


def test_folders_that_the_installer_removes_meanwhile_do_not_matter(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"pip-unpack-{number}").mkdir()
        (tmp_path / f"pip-unpack-{number}" / "a.whl").write_bytes(b"x" * 10)

    def remove() -> None:
        for folder in list(tmp_path.iterdir()):
            shutil.rmtree(folder)

    removing = threading.Thread(target=remove)
    removing.start()
    while removing.is_alive():
        assert progress.bytes_in(tmp_path) <= 3000
    assert progress.bytes_in(tmp_path) == 0
