import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.layouts import DataUnreadable, Description, LayoutUnknown, SplitRule, from_json
from modelyard.layouts.detection import with_known_splits
from modelyard.layouts.splitting import HELD_OUT, hash_split
from tests.support.pictures import picture
from tests.support.sounds import wav
from tests.support.trees import described, detected, read_back, tree, whole


def pictures(**counts: int) -> dict[str, str | bytes]:
    """`{"cat": 3}`; a double underline is a slash."""
    return {
        f"{name.replace('__', '/')}/{number:04}.png": picture(number)
        for name in counts
        for number in range(counts[name])
    }


def test_files_are_split_by_the_hash_of_their_paths() -> None:
    files = pictures(cat=30, dog=20)
    description, rows, problems = whole(files)
    assert (description.modality, description.layout) == ("image", "class_folders")
    assert description.split_rule == SplitRule("hash", held_out={"test": 10})
    image, label = description.features
    assert (image.kind, image.dtype, image.shape, image.encoding) == ("image", "uint8", (6, 8, 1), "png")
    assert (label.kind, label.role, label.classes) == ("category", "target", ("cat", "dog"))
    assert rows["test"].origins == [path for path in sorted(files) if hash_split(path, HELD_OUT) == "test"]
    assert 0 < len(rows["test"].origins) < 15
    assert problems == []


def test_each_example_is_a_file_and_its_folder() -> None:
    files = pictures(train__a=3, train__b=2, test__a=1, validation__b=1)
    description, rows, _ = whole(files)
    assert description.split_rule == SplitRule("folder")
    assert rows["train"].columns["label"] == [0, 0, 0, 1, 1]
    assert rows["train"].columns["image"] == [files[path] for path in rows["train"].origins]
    assert rows["validation"].origins == ["validation/b/0000.png"]


def test_folders_of_splits_are_known_by_their_other_names_beside_a_folder_that_is_none() -> None:
    files = pictures(Train__a=3, Train__b=2, val__a=1, val__b=1) | {"docs/paper.pdf": "%PDF"}
    assert set(with_known_splits(tree(files)).values()) == set(files)
    description, rows, problems = whole(files)
    assert description.split_rule == SplitRule("folder")
    assert {name: found.columns["label"] for name, found in rows.items()} == {
        "train": [0, 0, 0, 1, 1],
        "validation": [0, 1],
    }
    assert problems == ["docs/paper.pdf: is no image; images are .png, .jpg, .jpeg, .gif, .bmp, .webp"]


def test_images_of_different_sizes_have_no_fixed_height_and_width() -> None:
    files = pictures(a=2, b=1) | {"a/large.png": picture(9, size=(8, 20), mode="RGB")}
    assert described(files).features[0].shape == (None, 8, None)


def test_the_encoding_is_that_of_the_majority() -> None:
    files = pictures(a=1) | {f"b/{number}.jpg": picture(number, format="JPEG") for number in range(3)}
    assert described(files).features[0].encoding == "jpeg"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_every_format_of_images_is_taken(format: str) -> None:
    suffix = {"JPEG": "jpg"}.get(format, format.lower())
    files: dict[str, str | bytes] = {
        f"{name}/{number}.{suffix}": picture(number, mode="RGB", format=format) for name in "ab" for number in range(9)
    }
    image = described(files).features[0]
    assert (image.kind, image.shape, image.encoding) == ("image", (6, 8, 3), format.lower())


def test_hidden_folders_and_files_at_the_top_are_no_examples() -> None:
    files = pictures(a=2, b=2) | {".thumbnails/x.png": picture(), "preview.png": picture(), "licence.txt": "mine"}
    description, rows, _ = whole(files)
    assert description.classes == ("a", "b")
    assert sum(len(split.origins) for split in rows.values()) == 4


def test_sounds_in_folders() -> None:
    files: dict[str, str | bytes] = {f"{name}/{number}.wav": wav(100) for name in ("no", "yes") for number in range(20)}
    description, rows, _ = whole(files)
    audio = description.features[0]
    assert (description.modality, audio.kind, audio.dtype, audio.encoding) == ("audio", "audio", "string", "wav")
    assert rows["train"].columns["audio"][0] == files[rows["train"].origins[0]]


def moving(frames: int) -> bytes:
    pictures = [picture(number, size=(16, 12)) for number in range(frames)]
    from PIL import Image

    images = [Image.open(io.BytesIO(each)) for each in pictures]
    out = io.BytesIO()
    images[0].save(out, "GIF", save_all=True, append_images=images[1:])
    return out.getvalue()


def test_gifs_that_move_are_videos_and_others_images() -> None:
    still: dict[str, str | bytes] = {f"{name}/{n}.gif": moving(1) for name in "ab" for n in range(9)}
    clips: dict[str, str | bytes] = {f"{name}/{n}.gif": moving(3) for name in "ab" for n in range(9)}
    assert described(still).modality == "image"
    assert described(clips).modality == "video"
    assert described(clips, modality="image").modality == "image"


def test_texts_in_folders_are_utf_8_whatever_mark_they_begin_with() -> None:
    files: dict[str, str | bytes] = {
        f"{name}/{n}.txt": f"{name} číslo {n}\n" for name in ("neg", "pos") for n in range(9)
    }
    files["pos/marked.txt"] = "\ufeffčtyři".encode()
    files["pos/wide.txt"] = "šest".encode("utf-16")
    _, rows, problems = whole(files)
    texts = dict(zip(rows["train"].origins, rows["train"].columns["text"], strict=True))
    assert texts["pos/marked.txt"] == "čtyři".encode()
    assert texts["pos/wide.txt"] == "šest".encode()
    assert problems == []


def test_files_that_cannot_be_used_are_named_and_the_rest_goes_on() -> None:
    files: dict[str, str | bytes] = {f"{name}/{number}.txt": "good" for name in "ab" for number in range(9)}
    files |= {"a/empty.txt": "", "b/latin.txt": b"line one\ncaf\xe9"}
    _, _, problems = whole(files)
    assert problems == [
        "a/empty.txt: is empty",
        "b/latin.txt: is no UTF-8: byte 0xe9 at 12, in line 2; convert it, such as with iconv -f WINDOWS-1252 -t UTF-8",
    ]


@pytest.mark.parametrize(
    ("names", "reason", "said"),
    [
        ([], "NO_EXAMPLES", "it is empty"),
        (["a/one.xyz", "a/two.xyz", "b/x.pdf"], "NO_EXAMPLES", "it has 2 × .xyz, 1 × .pdf"),
        (["one.png", "two.png"], "LAYOUT_UNKNOWN", "put each into a folder of its class"),
        (["a/1.png", "a/2.png"], "ONE_CLASS", "one class only, 'a'"),
        (["a/1.png", "b/deep/2.png"], "LAYOUT_UNKNOWN", "1 folders deep (1) and 2 folders deep (1), such as 'b/deep/2"),
        (["test/a/1.png", "test/b/1.png"], "NO_TRAINING_EXAMPLES", "split 'train'"),
        (["train/1.png", "test/2.png"], "LAYOUT_UNKNOWN", "in a split but in no class"),
        (
            ["a/1.png", "b/2.png", "b/c.doc", "b/d.doc"],
            "NOT_AN_IMAGE",
            "'b/c.doc' and 1 more beside 2 others is no image",
        ),
    ],
)
def test_what_is_no_data_set_says_what_was_seen(names: list[str], reason: str, said: str) -> None:
    with pytest.raises(LayoutUnknown) as refused:
        detected({name: picture() for name in names})
    assert refused.value.reason == reason
    assert said in refused.value.message


def test_a_note_among_the_images_is_left_out_and_the_rest_goes_on() -> None:
    images = {f"{name}/{number}.png": picture() for name in "ab" for number in range(9)}
    _, _, problems = whole({**images, "b/notes.txt": "of 2019"})
    assert problems == ["b/notes.txt: is no image; images are .png, .jpg, .jpeg, .gif, .bmp, .webp"]


def test_where_half_of_the_files_are_broken_the_first_is_named() -> None:
    with pytest.raises(DataUnreadable, match=r"^b/2\.png is not an image that can be read: it ends after 15 bytes"):
        detected({"a/1.png": picture(), "b/2.png": b"\x89PNG\r\n\x1a\nnothing"})


def claimed(**changes: object) -> Description:
    return from_json(
        {
            "format": 1,
            "layout": "class_folders",
            "modality": "image",
            "split_rule": "folder",
            "features": {
                "image": {"dtype": "uint8", "shape": [6, 8, 1], "encoding": "png"},
                "label": {"dtype": "int64", "classes": ["ant", "bee"]},
            },
            "splits": {"train": {"examples": 1}},
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("path", "size", "said"),
    [
        ("train/dog/1.png", (8, 6), "is in folder 'dog', which is no class; the description claims ant, bee"),
        ("train/bee/1.png", (8, 5), "is 5 pixels high; the description claims 6"),
        ("bee/1.png", (8, 6), "is not under train/, validation/ or test/"),
        ("test/bee/1.png", (8, 6), "is of split 'test', which the description does not claim"),
    ],
)
def test_what_is_not_as_claimed_is_named(path: str, size: tuple[int, int], said: str) -> None:
    files = tree({"train/ant/1.png": picture(), path: picture(size=size)})
    with pytest.raises(DataUnreadable) as refused:
        read_back(claimed(), files)
    assert (refused.value.path, said in refused.value.message) == (path, True)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b", "c d"]), st.from_regex(r"[a-z0-9]{1,8}\.txt", fullmatch=True)),
        st.binary(max_size=6),
        min_size=4,
        max_size=40,
    )
)
def test_who_describes_and_who_reads_agree_on_any_files(found: dict[tuple[str, str], bytes]) -> None:
    files: dict[str, str | bytes] = {f"{folder}/{name}": content for (folder, name), content in found.items()}
    try:
        detected(files)
    except (LayoutUnknown, DataUnreadable):
        return
    whole(files)
