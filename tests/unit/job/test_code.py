import sys
from pathlib import Path

import pytest

from modelyard.job.code import leaves_main, run


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


@pytest.mark.parametrize("entry", ["train", "train:main"])
def test_a_script_with_argparse_gets_its_defaults(tmp_path: Path, entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["modelyard.job", "job.json", "--code", "."])
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "train.py").write_text(
        "import argparse, pathlib, sys\n"
        "def main():\n"
        "    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('--epochs', type=int, default=3)\n"
        "    pathlib.Path(__file__).with_name('said').write_text(f'{sys.argv} {parser.parse_args().epochs}')\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    run(tmp_path, entry)
    assert (tmp_path / "said").read_text() == f"{[str(tmp_path / 'train.py')]} 3"
