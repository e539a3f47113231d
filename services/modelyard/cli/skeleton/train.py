"""A small convolutional network for pictures of one thing each: the beginning of a package of your own."""

import keras

from modelyard.job import context


def build_model(shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Pictures as they are stored (uint8, 0 to 255) in, a probability for each class out."""
    return keras.Sequential(
        [
            keras.Input(shape, dtype="uint8", name="image"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(32, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Conv2D(64, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dropout(context.params.dropout),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def main() -> None:
    """What a job runs: `--entry train:main`."""
    params = context.params
    with context.strategy.scope():
        model = build_model(context.image_shape(), len(context.classes))
        model.compile(
            optimizer=keras.optimizers.Adam(params.lr),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    held_out = context.held_out
    model.fit(
        context.dataset("train", batch_size=params.batch_size),
        validation_data=context.dataset(held_out, batch_size=params.batch_size) if held_out else None,
        epochs=params.epochs,
    )
    context.report(weights=model.count_params())
    context.export(model)
