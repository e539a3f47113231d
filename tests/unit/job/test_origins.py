"""Where examples come from, line by line."""

from pathlib import Path

import pytest

from modelyard.job import origins
from modelyard.job.origins import Origins


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_each_line_is_found_whatever_was_asked_before(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "STRIDE", 4)
    monkeypatch.setattr(origins, "_BLOCK_BYTES", block)
    lines = [f"ordner/für {number}.csv:{number * number}" for number in range(23)]
    (tmp_path / "train.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    found = Origins(tmp_path / "train.txt")
    assert [found[number] for number in range(23)] == lines
    assert [found[number] for number in (22, 0, 11, 3, 4)] == [lines[number] for number in (22, 0, 11, 3, 4)]
