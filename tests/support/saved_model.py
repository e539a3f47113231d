"""A small classifier as a model version's files, made by TensorFlow in a process of its own.

`python -m tests.support.saved_model FOLDER` writes a SavedModel (uint8 images [-1, 4, 4, 1] -> 3 probabilities) with
golden answers, as `modelyard.job.export` does.
"""

import subprocess
import sys
from pathlib import Path


def saved_model(folder: Path) -> dict[str, bytes]:
    """Path in the tree -> bytes; TensorFlow runs for some ten seconds."""
    subprocess.run(
        [sys.executable, "-m", "tests.support.saved_model", str(folder)],
        check=True,
        cwd=Path(__file__).parents[2],
        capture_output=True,
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write(folder: Path) -> None:
    import numpy as np
    import tensorflow as tf

    class Classifier(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(tf.reshape(tf.linspace(-1.0, 1.0, 48), (16, 3)))

        @tf.function(input_signature=[tf.TensorSpec((None, 4, 4, 1), tf.uint8, "image")])  # type: ignore[untyped-decorator]
        def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
            flat = tf.reshape(tf.cast(image, tf.float32) / 255.0, (-1, 16))
            return {"probabilities": tf.nn.softmax(tf.matmul(flat, self.weights))}

    model = Classifier()
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serve})
    images = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4, 1)
    golden = {
        "serving_default/inputs/image": images,
        "serving_default/outputs/probabilities": model.serve(tf.constant(images))["probabilities"].numpy(),
    }
    with (folder / "golden.npz").open("wb") as file:
        np.savez(file, **golden)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
