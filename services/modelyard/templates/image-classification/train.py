"""Image classification with a small convolutional network, for pictures of one thing each."""

import keras

from modelyard.job import context


def build_model(shape: tuple[int, int, int], classes: int) -> keras.Model:
    """uint8 [n, height, width, channels] -> probabilities [n, classes]; scaling to 0..1 is part of the model."""
    return keras.Sequential(
        [
            keras.Input(shape, dtype="uint8", name="image"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(32, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Conv2D(64, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export."""
    params = context.params
    data = {"batch_size": params.batch_size, "image_size": params.image_size}
    with context.strategy.scope():
        model = build_model(context.image_shape(params.image_size), len(context.classes))
        model.compile(
            optimizer=keras.optimizers.Adam(params.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    model.fit(
        context.dataset("train", **data),
        validation_data=context.dataset(context.held_out, **data) if context.held_out else None,
        epochs=params.epochs,
        callbacks=context.callbacks(),
        verbose=2,
    )
    context.export(model, image_size=params.image_size)
