"""What `plain_templates.py` does, of sounds and of pictures with transcripts: a model, and examples to train and to
judge by."""

import csv
import importlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from modelyard.layouts import waves
from modelyard.templates.transcripts.alphabet import learn
from modelyard.templates.transcripts.ctc import compile_model

Values = dict[str, Any]
SPLITS = ("train", "validation")
PROMPTS_RATE, DIGITS_RATE, DIGITS_S = 8_000, 11_025, 4.0
PLATE = (32, 128, 1)
STEPS = 100_000
"""Of the learning rate's cosine: more than are measured."""


def prompts(network: str, folder: Path, values: Values) -> tuple[Any, Any, Any]:
    """WAV files in a folder a class."""
    names = sorted(each.name for each in (folder / "train").iterdir())
    samples = round(PROMPTS_RATE * values["seconds"])

    def read(split: str) -> tuple[Any, Any]:
        paths = sorted((folder / split).glob("*/*.wav"))
        heard = [waves.decode(path.read_bytes(), PROMPTS_RATE, samples) for path in paths]
        return np.stack(heard), np.array([names.index(path.parent.name) for path in paths])

    model = importlib.import_module("hearers").build(
        network,
        rate=PROMPTS_RATE,
        samples=samples,
        classes=len(names),
        augment=values["augment"] == "shift",
        seed=0,
        **{name: values[name] for name in ("bands", "dropout")},
    )
    rate = keras.optimizers.schedules.CosineDecay(values["learning_rate"], STEPS, alpha=0.01)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return model, *map(read, SPLITS)


def plates(network: str, folder: Path, values: Values) -> tuple[Any, Any, Any]:
    """A table of pictures and transcripts."""
    files = [_rows(folder, split) for split in SPLITS]
    alphabet = learn((text for _, text in files[0]), "", "train")
    model = importlib.import_module("plate_readers").build(
        network,
        PLATE,
        symbols=len(alphabet.symbols),
        augment=values["augment"] == "shift",
        seed=0,
        **{name: values[name] for name in ("units", "dropout")},
    )
    compile_model(model, values["learning_rate"], STEPS)
    return model, *(
        (
            np.stack([np.asarray(Image.open(path)).reshape(PLATE) for path, _ in rows]),
            alphabet.numbers([text for _, text in rows]),
        )
        for rows in files
    )


def digits(network: str, folder: Path, values: Values) -> tuple[Any, Any, Any]:
    """A table of sounds and transcripts."""
    files = [_rows(folder, split) for split in SPLITS]
    alphabet = learn((text for _, text in files[0]), "", "train")
    samples = round(DIGITS_RATE * DIGITS_S)
    model = importlib.import_module("speech_listeners").build(
        network,
        rate=DIGITS_RATE,
        samples=samples,
        symbols=len(alphabet.symbols),
        depth=values["layers"],
        augment=values["augment"] == "shift",
        seed=0,
        **{name: values[name] for name in ("bands", "units", "dropout")},
    )
    compile_model(model, values["learning_rate"], STEPS)
    return model, *(
        (
            np.stack([waves.decode(path.read_bytes(), DIGITS_RATE, samples) for path, _ in rows]),
            alphabet.numbers([text for _, text in rows]),
        )
        for rows in files
    )


def _rows(folder: Path, split: str) -> list[tuple[Path, str]]:
    with (folder / f"{split}.csv").open(encoding="utf-8") as file:
        return [(folder / path, text) for path, text in list(csv.reader(file))[1:]]


READERS = {"audio-classification": prompts, "text-recognition": plates, "speech-recognition": digits}
