"""A training loop of one's own: what `fit` does by itself in a job, a loop asks for with three calls."""

import keras
import tensorflow as tf

from modelyard.job import context

model = keras.Sequential(
    [
        keras.Input(context.image_shape()),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(len(context.classes), activation="softmax"),
    ]
)
optimizer = keras.optimizers.Adam(0.003)
mean = keras.metrics.Mean()


def train_step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, model(images, training=True)))
    weights = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    mean.update_state(loss)
    return loss


train_fast = tf.function(train_step)
# What a checkpoint keeps. After a crash it is restored here, and the loop goes on at the very next batch.
done = context.resume(model, optimizer, mean)
print("steps done", done)
for epoch in context.epochs(context.params.get("epochs", 3)):
    for images, labels in context.dataset("train", batch_size=16):
        context.checkpoint(loss=train_fast(images, labels))
    print("epoch", epoch, "is done")
    context.report(mean_loss=mean.result())
    mean.reset_state()
context.export(model, prepare=lambda images: images)
