"""What `plain_templates.py` does, of pictures: a model, examples to train and to judge by, and what else is called when
an epoch ends."""

import importlib
import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from modelyard.templates.picture_changes import Changes

Values = dict[str, Any]
SPLITS = ("train", "validation")


def pictures(network: str, folder: Path, values: Values) -> tuple[Any, Any, Any]:
    """The same of pictures in IDX files."""
    networks = importlib.import_module("picture_networks")
    (train, classes), held_out = (idx(folder, prefix) for prefix in ("train", "t10k"))
    shape = train.shape[1:]
    make = networks.founding if network == "cnn" else networks.residual
    model = networks.augmented(make(shape, int(classes.max()) + 1), shape, "none" if network == "cnn" else "shift", 0)
    model.compile(
        keras.optimizers.Adam(values["learning_rate"]), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model, (train, classes), held_out


def idx(folder: Path, prefix: str) -> tuple[Any, Any]:
    """Images uint8 [n, 28, 28, 1] and labels int64 [n]."""
    images = np.fromfile(folder / f"{prefix}-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return images, np.fromfile(folder / f"{prefix}-labels-idx1-ubyte", np.uint8, offset=8).astype(np.int64)


def scenes(network: str, folder: Path, values: Values) -> tuple[Any, ...]:
    """Pictures with COCO's boxes."""
    detector, serving, judging = (
        importlib.import_module(name) for name in ("detector", "detection_serving", "detection_judging")
    )
    train, held_out = (coco(folder, split) for split in SPLITS)
    shape, classes = train[0].shape[1:], int(train[1]["labels"].max()) + 1
    net = detector.network(shape, classes, values["width"])
    model = detector.Detector(net, classes, ("boxes", "labels"), Changes(0, mirror=False))
    model.compile(
        keras.optimizers.AdamW(values["learning_rate"], weight_decay=values["weight_decay"]), jit_compile=False
    )
    finding = serving.Finding(net, [*map(str, range(classes))], least=values["score"], shared=values["overlap"])
    batches = tf.data.Dataset.from_tensor_slices(held_out).batch(values["batch_size"])
    return model, train, held_out, judging.Judging(finding, batches, ("boxes", "labels"), classes)


def coco(folder: Path, split: str) -> tuple[Any, dict[str, Any]]:
    """Pictures, and what is on them, filled up with -1."""
    said = json.loads((folder / f"{split}.json").read_text())
    on: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for each in said["annotations"]:
        on[each["image_id"]].append(each)
    most = max(map(len, on.values()))
    numbers = {each["id"]: number for number, each in enumerate(said["categories"])}
    boxes = np.full((len(said["images"]), most, 4), -1, np.float32)
    labels = np.full((len(said["images"]), most), -1, np.int64)
    for row, image in enumerate(said["images"]):
        for place, each in enumerate(on[image["id"]]):
            x, y, width, height = each["bbox"]
            boxes[row, place] = x, y, x + width, y + height
            labels[row, place] = numbers[each["category_id"]]
    files = [Image.open(folder / image["file_name"]).convert("RGB") for image in said["images"]]
    return np.stack([np.asarray(file) for file in files]), {"boxes": boxes, "labels": labels}


def identities(network: str, folder: Path, values: Values) -> tuple[Any, ...]:
    """Pictures in a folder an identity."""
    embedder, data, judging = (
        importlib.import_module(name) for name in ("embedder", "identity_pictures", "embedding_judging")
    )

    def read(split: str) -> Any:
        paths = sorted((folder / split).glob("*/*"))
        names = sorted({path.parent.name for path in paths})
        side = values["image_size"]
        pixels = [np.asarray(Image.open(path).convert("RGB").resize((side, side))) for path in paths]
        numbers = np.array([names.index(path.parent.name) for path in paths])
        return data.Pictures(np.stack(pixels), numbers, np.arange(len(paths)))

    train = read("train")
    net = embedder.network(train.pixels.shape[1:], values["width"], values["units"])
    model = embedder.Embedder(net, train, SimpleNamespace(**values), Changes(0, mirror=False, tinted=0.1))
    model.compile(
        keras.optimizers.AdamW(values["learning_rate"], weight_decay=values["weight_decay"]), jit_compile=False
    )
    numbers = np.arange(len(train.starts) - 1)
    return model, (numbers, numbers), None, judging.Judging(net, read("validation"))


READERS = {"image-classification": pictures, "object-detection": scenes, "image-embedding": identities}
