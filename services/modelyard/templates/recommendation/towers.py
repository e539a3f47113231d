"""Two towers: what stands for a user, of who it is and of what it chose, and what stands for an item, of which it is
and of the table of items. How well they go together is their product.

Of each user some items are hidden and found among all others by what is left: the multinomial likelihood of Liang et
al. 2018, arXiv:1802.05814. Ratings are mean + user + item + product, of vectors of their own.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from interactions import Interactions
from keras import layers, ops
from numpy.typing import NDArray

RECALL_AT, GAIN_AT = 50, 10
NEVER = -1e9
"""Of an item that is no candidate."""
READ_BYTES = 1 << 30
"""Of what is read of users' items together, where nothing of them is left out."""


class Towers(keras.Model):  # type: ignore[misc]
    """Trained on users' numbers, judged on interactions: {"user", "item", "rating"} by example."""

    def __init__(
        self, train: Interactions, users: int, items: int, described: NDArray[np.float32] | None, params: Any
    ) -> None:
        super().__init__(name="towers")
        self._history, self._keep = int(params.history), 1 - float(params.hidden)
        self._penalty = float(params.penalty)
        starts = train.starts(users)
        self._longest = int(np.diff(starts).max())
        self._chosen = tf.RaggedTensor.from_row_splits(train.item, starts)
        self._ratings = tf.RaggedTensor.from_row_splits(train.rating, starts)
        rated = train.rating[np.isfinite(train.rating)]
        self.rates = bool(len(rated))
        self.mean = float(rated.mean()) if len(rated) else 0.0
        self._described = None if described is None else tf.constant(described)
        width, rating = int(params.units), int(params.rating_units)
        self._width = width
        counts = np.bincount(train.item, minlength=items)
        self._of_item = tf.constant(1 / np.maximum(counts, 1), tf.float32)
        self._of_user = tf.constant(1 / np.maximum(np.diff(starts), 1), tf.float32)

        def table(name: str, shape: tuple[int, ...], first: Any = None) -> Any:
            # Each has an initializer of its own: one alone gives the same numbers every time.
            return self.add_weight(name=name, shape=shape, initializer=first or keras.initializers.RandomNormal(0.05))

        self.who = table("who", (users, width))
        self.read = table("read", (items, width))
        self.found = table("found", (items, width))
        self.usual = table("usual", (items,), "zeros")
        self.usual.assign(np.log(counts + 1).astype(np.float32))
        self.user_taste = table("user_taste", (users, rating))
        self.item_taste = table("item_taste", (items, rating))
        self.user_bias = table("user_bias", (users,), "zeros")
        self.item_bias = table("item_bias", (items,), "zeros")
        if described is not None:
            self.read_table = table("read_table", (described.shape[1], width))
            self.found_table = table("found_table", (described.shape[1], width))
            self.taste_table = table("taste_table", (described.shape[1], rating))
        self.normal = layers.LayerNormalization()
        self.normal.build((None, width))
        self.hidden_layer = layers.Dense(width, activation="relu")
        self.hidden_layer.build((None, width))
        self.last_layer = layers.Dense(width)
        self.last_layer.build((None, width))
        self.drop = layers.Dropout(float(params.dropout))
        self.drop.build((None, width))
        self.chance = keras.random.SeedGenerator()
        self.shown = {
            name: keras.metrics.Mean(name=name) for name in ("loss", f"recall_at_{RECALL_AT}", f"ndcg_at_{GAIN_AT}")
        }
        if self.rates:
            self.shown["rmse"] = keras.metrics.RootMeanSquaredError(name="rmse")
        self.built = True

    @property
    def metrics(self) -> list[Any]:
        """What Keras begins anew with each epoch."""
        return list(self.shown.values())

    # The towers.

    def _with_table(self, own: Any, kernel: str) -> Any:
        whole = ops.convert_to_tensor(own)
        return whole if self._described is None else whole + ops.matmul(self._described, getattr(self, kernel))

    def user_side(self, users: Any, items: Any, read: Any, training: bool = False) -> Any:
        """int32 [n], what is read of each as int32 [n, h] and a mask of it -> float32 [n, width]."""
        table = self._with_table(self.read, "read_table")
        mask = ops.expand_dims(ops.cast(read, "float32"), -1)
        total = ops.sum(ops.take(table, items, axis=0) * mask, axis=1)
        state = total / ops.sqrt(ops.maximum(ops.sum(mask, axis=1), 1.0)) + ops.take(self.who, users, axis=0)
        state = self.drop(self.normal(state), training=training)
        return self.last_layer(self.hidden_layer(state)) + state

    def item_side(self) -> Any:
        """float32 [items, width]."""
        return self._with_table(self.found, "found_table")

    def tastes(self) -> Any:
        """Of items, for ratings: float32 [items, rating units]."""
        return self._with_table(self.item_taste, "taste_table")

    def histories(self, users: Any) -> tuple[Any, Any, Any]:
        """Items int32, ratings float32 and a mask, each [n, h]: all that each user has, or `history` of it."""
        items = tf.gather(self._chosen, users).to_tensor(0)
        ratings = tf.gather(self._ratings, users).to_tensor(np.nan)
        lengths = tf.gather(self._chosen, users).row_lengths()
        return items, ratings, tf.sequence_mask(lengths, tf.shape(items)[1])

    def together(self, most: int) -> int:
        """How many users are read at once with all that they have, of at most `most`: each takes as much as the one
        that has most items, whose vectors are there twice."""
        each = 2 * 4 * self._width * self._longest
        return max(1, min(most, READ_BYTES // max(1, each)))

    def _drawn(self, users: Any) -> tuple[Any, Any, Any]:
        items, ratings, there = self.histories(users)
        order = ops.where(there, keras.random.uniform(tf.shape(items), seed=self.chance), -1.0)
        _, places = tf.math.top_k(order, tf.minimum(self._history, tf.shape(items)[1]))
        return tuple(tf.gather(each, places, batch_dims=1) for each in (items, ratings, there))

    def call(self, users: Any, training: bool = False) -> Any:
        """int32 [n] -> how much each wants each item, float32 [n, items]; what it has chosen is NEVER."""
        items, _, there = self.histories(users)
        return self._wanted(users, items, there, training)

    def _wanted(self, users: Any, items: Any, read: Any, training: bool) -> Any:
        state = self.user_side(users, items, read, training)
        logits = ops.matmul(state, ops.transpose(self.item_side())) + self.usual
        where = tf.where(read)
        pairs = tf.stack([where[:, 0], tf.cast(tf.gather_nd(items, where), tf.int64)], axis=1)
        return tf.tensor_scatter_nd_update(logits, pairs, tf.fill([tf.shape(pairs)[0]], NEVER))

    # Training.

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step for a batch of users."""
        users = keras.utils.unpack_x_y_sample_weight(data)[0]
        with tf.GradientTape() as tape:
            items, ratings, there = self._drawn(users)
            loss = self._choice_loss(users, items, there)
            if self.rates:
                loss += self._rating_loss(users, items, ratings, there)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.shown["loss"].update_state(loss)
        return {"loss": self.shown["loss"].result()}

    def _choice_loss(self, users: Any, items: Any, there: Any) -> Any:
        keep = keras.random.uniform(tf.shape(items), seed=self.chance) < self._keep
        read = tf.logical_and(there, keep)
        hidden = ops.cast(tf.logical_and(there, tf.logical_not(keep)), "float32")
        likely = tf.nn.log_softmax(self._wanted(users, items, read, training=True))
        each = tf.gather(likely, items, batch_dims=1) * hidden
        per_user = ops.sum(each, axis=1) / ops.maximum(ops.sum(hidden, axis=1), 1.0)
        return -ops.mean(per_user)

    def _rating_loss(self, users: Any, items: Any, ratings: Any, there: Any) -> Any:
        rated = tf.logical_and(there, tf.math.is_finite(ratings))
        mask = ops.cast(rated, "float32")
        mine = ops.take(self.user_taste, users, axis=0)[:, tf.newaxis]
        theirs = ops.take(self.tastes(), items, axis=0)
        bias = ops.take(self.user_bias, users, axis=0)[:, tf.newaxis] + ops.take(self.item_bias, items, axis=0)
        error = ops.where(rated, ratings, self.mean) - self.mean - bias - ops.sum(mine * theirs, axis=-1)
        # Over all ratings each user and each item is penalised once: one of few ratings stays near the mean.
        size = self._size(self.user_taste, self.user_bias, self._of_user, users)[:, tf.newaxis]
        size += self._size(self.item_taste, self.item_bias, self._of_item, items)
        return ops.sum((ops.square(error) + self._penalty * size) * mask) / ops.maximum(ops.sum(mask), 1.0)

    def _size(self, taste: Any, bias: Any, part: Any, which: Any) -> Any:
        """Of what is learnt of each, by its number of ratings: float32 of `which`'s shape."""
        squares = ops.sum(ops.square(taste), axis=-1) + ops.square(bias)
        return ops.take(squares * part, which, axis=0)

    def rated(self, users: Any, items: Any) -> Any:
        """int32 [n] each -> float32 [n]."""
        product = ops.sum(ops.take(self.user_taste, users, axis=0) * ops.take(self.tastes(), items, axis=0), axis=-1)
        return self.mean + ops.take(self.user_bias, users, axis=0) + ops.take(self.item_bias, items, axis=0) + product

    # Judging.

    def test_step(self, data: Any) -> dict[str, Any]:
        """Where each held-out item is among those that its user has not chosen."""
        given = keras.utils.unpack_x_y_sample_weight(data)[0]
        users, items, ratings = given["user"], given["item"], given["rating"]
        wanted = self(users)
        mine = tf.gather(wanted, items, batch_dims=1)
        before = ops.cast(ops.sum(ops.cast(wanted > mine[:, tf.newaxis], "int32"), axis=1), "float32")
        gain = ops.where(before < GAIN_AT, np.log(2.0) / ops.log(before + 2.0), 0.0)
        self.shown["loss"].update_state(-tf.gather(tf.nn.log_softmax(wanted), items, batch_dims=1))
        self.shown[f"recall_at_{RECALL_AT}"].update_state(ops.cast(before < RECALL_AT, "float32"))
        self.shown[f"ndcg_at_{GAIN_AT}"].update_state(gain)
        if self.rates:
            known = tf.math.is_finite(ratings)
            answered = self.rated(users, items)
            self.shown["rmse"].update_state(
                ops.where(known, ratings, 0.0), answered, sample_weight=ops.cast(known, "float32")
            )
        return {name: metric.result() for name, metric in self.shown.items()}
