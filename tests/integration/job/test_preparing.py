"""The process apart that makes a dataset's index."""

import json
from pathlib import Path

import pytest

from modelyard.foundation.sandbox.policy import Tier
from modelyard.job.index import Index
from modelyard.job.indexing import TREE_FILE
from modelyard.job.messages import FailureClass
from modelyard.job.packs import PACKS_FOLDER, pack_path
from modelyard.job.preparing import NotIndexed, index_apart
from modelyard.layouts import DESCRIPTION_FILE
from modelyard.tree import Entry

TEXTS = b"".join(b'{"text": "number %d", "label": "%s"}\n' % (n, b"odd" if n % 2 else b"even") for n in range(60))
BROKEN = TEXTS + b"{no json\n"


def tree(folder: Path, examples: int, texts: bytes) -> list[Entry]:
    text = {"kind": "text", "dtype": "string", "shape": [], "role": "input"}
    label = {"kind": "category", "dtype": "int64", "shape": [], "role": "target", "classes": ["even", "odd"]}
    described = {
        "format": 2,
        "modality": "text",
        "layout": "table",
        "features": {"text": text, "label": label},
        "split_rule": {"by": "file"},
        "splits": {"train": {"examples": examples}},
        "files": {"train.jsonl": "train"},
        "table": {"format": "jsonl"},
    }
    data = json.dumps(described).encode()
    (folder / PACKS_FOLDER).mkdir()
    pack_path(folder, "p").write_bytes(data + texts)
    return [
        Entry(DESCRIPTION_FILE, len(data), "0" * 64, "p", 0),
        Entry("train.jsonl", len(texts), "0" * 64, "p", len(data)),
    ]


@pytest.mark.parametrize("tier", list(Tier))
async def test_the_index_is_made_in_each_sandbox_and_nothing_else_is_left(tmp_path: Path, tier: Tier) -> None:
    said: list[str] = []
    shown: list[tuple[int, int]] = []
    await index_apart(
        tmp_path, tree(tmp_path, 60, BROKEN), tier, said=said.append, progress=lambda *part: shown.append(part)
    )
    train = Index(tmp_path).split("train")
    assert train.column("text").gather([0, 59]).tolist() == [b"number 0", b"number 59"]
    assert said[0] == "1 example of the dataset can't be used and is left out:"
    assert "train.jsonl:61" in said[1]
    assert shown[-1][0] == shown[-1][1] > 0
    left = _names(tmp_path)
    assert left == {"packs", "columns", "origins", "unpacked", "problems.jsonl", "index.json"}
    assert TREE_FILE not in left


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_data_that_is_not_what_is_claimed_is_invalid_and_named(tmp_path: Path) -> None:
    with pytest.raises(NotIndexed, match=r"train\.jsonl: split 'train' has 60 examples") as caught:
        await index_apart(tmp_path, tree(tmp_path, 61, TEXTS), Tier.FOREIGN)
    assert caught.value.failure is FailureClass.INVALID_DATA
    assert not (tmp_path / "index.json").exists()
