"""What is served: who each user and item is, as tables, without the table of items and without what trained it."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from interactions import Interactions
from numpy.typing import NDArray
from towers import NEVER, Towers

AT_ONCE = 256
"""Users, or fewer where one of them has very many items."""
DEFAULT_K = 10
Names = NDArray[np.bytes_]


class Recommender(keras.Model):  # type: ignore[misc]
    """`recommend` and, with ratings, `score`."""

    def __init__(
        self, towers: Towers, train: Interactions, users: Names, items: Names, titles: Mapping[bytes, str]
    ) -> None:
        """`users` and `items`: by row, sorted; `titles`: what items are called, {} where nobody knows."""
        super().__init__(name="recommender")
        state = _state(towers, len(users))
        share = np.bincount(train.item, minlength=len(items)) / len(users)
        self.users, self.count = len(users), len(items)
        # The last row of each table is for whom or what is not known.
        self._keep("user_state", np.pad(state, ((0, 1), (0, 0))))
        self._keep("item_state", np.asarray(towers.item_side()))
        self._keep("usual", np.asarray(towers.usual))
        self._keep("popular", np.log(share + 1e-9).astype(np.float32))
        self._keep("seen", train.item)
        self._keep("starts", np.append(train.starts(len(users)), len(train)))
        self._keep("user_taste", np.pad(np.asarray(towers.user_taste), ((0, 1), (0, 0))))
        self._keep("item_taste", np.pad(np.asarray(towers.tastes()), ((0, 1), (0, 0))))
        self._keep("user_bias", np.pad(np.asarray(towers.user_bias), (0, 1)))
        self._keep("item_bias", np.pad(np.asarray(towers.item_bias), (0, 1)))
        self.mean = towers.mean
        self.rates = towers.rates
        self.names = tf.constant([*items.tolist(), b""])
        self.titles = tf.constant([*(titles.get(item, "") for item in items.tolist()), ""]) if titles else None
        self.user_place = _places(users)
        self.item_place = _places(items)
        self.built = True

    def _keep(self, name: str, values: NDArray[Any]) -> None:
        weight = self.add_weight(
            name=name, shape=values.shape, dtype=str(values.dtype), initializer="zeros", trainable=False
        )
        weight.assign(values)
        setattr(self, name, weight)

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        text = tf.TensorSpec((None,), tf.string)

        def recommend(user: Any, k: Any) -> dict[str, Any]:
            return self.recommend(user, k)

        def serving_default(user: Any) -> dict[str, Any]:
            return self.recommend(user, tf.constant(min(DEFAULT_K, self.count)))

        def score(user: Any, item: Any) -> dict[str, Any]:
            return self.score(user, item)

        found = {
            "serving_default": tf.function(serving_default, input_signature=[text]),
            "recommend": tf.function(recommend, input_signature=[text, tf.TensorSpec((), tf.int32)]),
        }
        return found | ({"score": tf.function(score, input_signature=[text, text])} if self.rates else {})

    def recommend(self, user: Any, k: Any) -> dict[str, Any]:
        """The `k` items that each user is likeliest to choose next, of those that it has not chosen, and their titles;
        where there are fewer, "" with a score of 0."""
        message = f"k is the number of items to recommend: 1 to {self.count:,}"
        fits = tf.debugging.Assert(tf.logical_and(k >= 1, k <= self.count), [message, "and not", k])
        with tf.control_dependencies([fits] if fits is not None else []):
            place = self.user_place.lookup(user)
        known = place < self.users
        wanted = (
            tf.matmul(
                tf.gather(tf.convert_to_tensor(self.user_state), place),
                tf.convert_to_tensor(self.item_state),
                transpose_b=True,
            )
            + self.usual
        )
        wanted = tf.where(known[:, tf.newaxis], wanted, tf.convert_to_tensor(self.popular))
        chosen = tf.gather(
            tf.RaggedTensor.from_row_splits(
                tf.convert_to_tensor(self.seen), tf.convert_to_tensor(self.starts), validate=False
            ),
            place,
        )
        pairs = tf.stack([chosen.value_rowids(), tf.cast(chosen.values, tf.int64)], axis=1)
        wanted = tf.tensor_scatter_nd_update(wanted, pairs, tf.fill([tf.shape(pairs)[0]], NEVER))
        best, places = tf.math.top_k(wanted, k)
        left = best > NEVER / 2
        likely = tf.exp(best - tf.reduce_logsumexp(wanted, axis=1, keepdims=True))
        places = tf.where(left, places, self.count)
        found = {
            "items": tf.gather(self.names, places),
            "scores": tf.where(left, likely, 0.0),
            "known": known,
        }
        return found if self.titles is None else found | {"titles": tf.gather(self.titles, places)}

    def score(self, user: Any, item: Any) -> dict[str, Any]:
        """What each user would rate the item: the mean, and what is known of the user and of the item."""
        who, what = self.user_place.lookup(user), self.item_place.lookup(item)
        product = tf.reduce_sum(
            tf.gather(tf.convert_to_tensor(self.user_taste), who)
            * tf.gather(tf.convert_to_tensor(self.item_taste), what),
            axis=1,
        )
        rating = (
            self.mean
            + tf.gather(tf.convert_to_tensor(self.user_bias), who)
            + tf.gather(tf.convert_to_tensor(self.item_bias), what)
            + product
        )
        known = tf.logical_and(who < self.users, what < self.count)
        return {"rating": rating, "known": known}

    def call(self, user: Any) -> dict[str, Any]:
        """As `serving_default`."""
        return self.recommend(user, tf.constant(min(DEFAULT_K, self.count)))


def _state(towers: Towers, users: int) -> NDArray[np.float32]:
    """Of each user: float32 [users, width]."""
    size, found = towers.together(AT_ONCE), []
    for start in range(0, users, size):
        some = tf.range(start, min(start + size, users))
        items, _, there = towers.histories(some)
        found.append(np.asarray(towers.user_side(some, items, there)))
    return np.concatenate(found)


def _places(names: Names) -> Any:
    """Name -> its row; the one behind the last for what is not known."""
    rows = tf.lookup.KeyValueTensorInitializer(tf.constant(names.tolist()), tf.range(len(names)))
    return tf.lookup.StaticHashTable(rows, len(names))
