import numpy as np

from modelyard.templates.evaluate.shuffling import GRID, PIECES, frames, of_texts, patches, pieces, words

RANDOM_SEED = 3


def test_shuffled_words_are_the_same_words_text_by_text() -> None:
    texts = np.array([b"one two three  four five six", b"", b"alone", "größer als sonst".encode()], object)
    found = words(texts, np.random.default_rng(RANDOM_SEED))
    assert [sorted(text.split()) for text in found] == [sorted(text.split()) for text in texts]
    assert found[0] != b"one two three four five six"
    assert found[2] == b"alone"
    assert texts[0] == b"one two three  four five six"


def test_texts_without_spaces_have_their_symbols_shuffled_and_others_their_words() -> None:
    for texts in (["我爱北京天安门", "今天天气很好。"], ["wonderful", "terrible", "not bad"], ["ฉันรักภาษาไทยมาก " * 3]):
        given = np.array([text.encode() for text in texts], object)
        what, shuffle = of_texts(given)
        found = [text.decode() for text in shuffle(given, np.random.default_rng(RANDOM_SEED))]
        assert what == "symbols"
        assert [sorted(text) for text in found] == [sorted(text) for text in texts]
        assert found[0] != texts[0]
    for texts in (["größer als sonst", "alone", ""], ["Donaudampfschifffahrt ist lang"], [""]):
        assert of_texts(np.array([text.encode() for text in texts], object)) == ("words", words)


def test_shuffled_patches_are_whole_patches_of_the_same_picture() -> None:
    images = np.arange(2 * 9 * 8 * 3, dtype=np.float32).reshape(2, 9, 8, 3)
    found = patches(images, np.random.default_rng(RANDOM_SEED))

    def cut(image: np.ndarray) -> set[bytes]:
        return {image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].tobytes() for y in range(GRID) for x in range(GRID)}

    for before, after in zip(images, found, strict=True):
        assert cut(before) == cut(after)
        assert not np.array_equal(before, after)
        np.testing.assert_array_equal(before[8], after[8])


def test_sounds_and_videos_keep_what_is_in_a_piece() -> None:
    sounds = np.arange(2 * (3 * PIECES + 1), dtype=np.float32).reshape(2, -1)
    found = pieces(sounds, np.random.default_rng(RANDOM_SEED))
    for before, after in zip(sounds, found, strict=True):
        cut = after[:-1].reshape(PIECES, 3)
        assert (np.diff(cut, axis=1) == 1).all()
        assert sorted(after) == before.tolist()
        assert after[-1] == before[-1]
    videos = np.arange(2 * 5 * 4, dtype=np.uint8).reshape(2, 5, 2, 2, 1)
    mixed = frames(videos, np.random.default_rng(RANDOM_SEED))
    for before, after in zip(videos, mixed, strict=True):
        assert sorted(frame.tobytes() for frame in after) == [frame.tobytes() for frame in before]
