from pathlib import Path

import pytest

from modelyard.job.code import leaves_main


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("def main():\n    pass\n", True),
        ("def main(epochs=3):\n    pass\n", True),
        ("def main(model):\n    pass\n", False),
        ("def main():\n    pass\n\nif __name__ == '__main__':\n    main()\n", False),
        ("import sys\ndef main():\n    pass\n\nsys.exit(main())\n", False),
        ("def train():\n    pass\n", False),
        ("from modelyard.job import context\n", False),
    ],
)
def test_a_main_that_nothing_mentions_was_not_called(tmp_path: Path, text: str, left: bool) -> None:
    (tmp_path / "train.py").write_text(text)
    assert leaves_main(tmp_path / "train.py") is left
