"""What is served: `generate` writes on behind a prompt, `continue` goes on with what it has written, `score` says how
many bits a text costs."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

LENGTH, TEMPERATURE, SEED = 200, 0.8, 0
"""Of `serving_default`, which takes nothing but a prompt."""
LONGEST, HOTTEST = 10_000, 10.0
UNKNOWN = 0
"""The number of all symbols that training has not seen; none is written."""


class Writer(keras.Model):
    """Each symbol is drawn with a random number that depends on the seed and its place alone: the same seed writes the
    same text, in one piece or in several, alone or beside others."""

    def __init__(self, network: keras.Model, symbols: list[int]) -> None:
        """`symbols`: code points by their number, behind UNKNOWN's."""
        super().__init__(name="writer")
        self.network = network
        numbers = tf.range(1, len(symbols) + 1, dtype=tf.int64)
        rows = tf.lookup.KeyValueTensorInitializer(tf.constant(symbols, tf.int64), numbers)
        self.numbers = tf.lookup.StaticHashTable(rows, UNKNOWN)
        self.known = tf.constant([0xFFFD, *symbols], tf.int32)
        self.count = len(symbols) + 1
        self.first = symbols.index(10) + 1 if 10 in symbols else 1
        """What is read before a text: a line's end."""
        self.built = True

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        text, whole = tf.TensorSpec((None,), tf.string), tf.TensorSpec((), tf.int32)
        number = tf.TensorSpec((), tf.float32)

        def serving_default(prompt: Any) -> dict[str, Any]:
            return self.generate(prompt, tf.constant(LENGTH), tf.constant(TEMPERATURE), tf.constant(SEED))

        def generate(prompt: Any, length: Any, temperature: Any, seed: Any) -> dict[str, Any]:
            return self.generate(prompt, length, temperature, seed)

        def proceed(prompt: Any, so_far: Any, length: Any, temperature: Any, seed: Any) -> dict[str, Any]:
            return self.proceed(prompt, so_far, length, temperature, seed)

        def score(text: Any) -> dict[str, Any]:
            return self.score(text)

        return {
            "serving_default": tf.function(serving_default, input_signature=[text]),
            "generate": tf.function(generate, input_signature=[text, whole, number, whole]),
            "continue": tf.function(proceed, input_signature=[text, text, whole, number, whole]),
            "score": tf.function(score, input_signature=[text]),
        }

    def generate(self, prompt: Any, length: Any, temperature: Any, seed: Any) -> dict[str, Any]:
        """`text`: so many symbols behind each prompt."""
        return self.proceed(prompt, tf.fill(tf.shape(prompt), ""), length, temperature, seed)

    def proceed(self, prompt: Any, so_far: Any, length: Any, temperature: Any, seed: Any) -> dict[str, Any]:
        """`text`: the next symbols behind prompt and what was written so far, which is as long in all rows."""
        points = _points(prompt)
        done = _points(so_far).row_lengths()
        checks = self._checks(points, done, length, temperature)
        with tf.control_dependencies([each for each in checks if each is not None]):
            given = tf.strings.join([prompt, so_far])
            length = tf.identity(length)
        numbers = self._numbers(_points(given))
        lengths = tf.cast(numbers.row_lengths(), tf.int32)
        logits, state = self.network.remember(numbers.to_tensor(), lengths)
        written = self._write(logits, state, length, temperature, seed, tf.cast(tf.reduce_max(done), tf.int32))
        return {"text": tf.strings.unicode_encode(tf.gather(self.known, written), "UTF-8")}

    def _write(self, logits: Any, state: Any, length: Any, temperature: Any, seed: Any, start: Any) -> Any:
        """int32 [n, length]."""
        written = tf.TensorArray(tf.int32, size=length, element_shape=logits.shape[:1])

        def step(at: Any, logits: Any, state: Any, written: Any) -> tuple[Any, ...]:
            chosen = self._drawn(logits, temperature, seed, start + at)
            logits, state = self.network.step(chosen, state)
            return at + 1, logits, state, written.write(at, chosen)

        *_, written = tf.while_loop(
            lambda at, *_: at < length, step, (tf.constant(0), logits, state, written), maximum_iterations=length
        )
        return tf.transpose(written.stack())

    def _drawn(self, logits: Any, temperature: Any, seed: Any, place: Any) -> Any:
        """int32 [n]. The largest of logits with Gumbel noise is a draw from their softmax; without noise it is the
        likeliest symbol."""
        chance = tf.random.stateless_uniform([self.count], tf.stack([seed, place]), minval=1e-9)
        noise = -tf.math.log(-tf.math.log(chance))
        never = tf.one_hot(UNKNOWN, self.count, on_value=-1e9, off_value=0.0)
        return tf.argmax(logits + never + temperature * noise, axis=-1, output_type=tf.int32)

    def score(self, text: Any) -> dict[str, Any]:
        """`bits` float32 [n]: what each text costs behind a line's end; `characters` and `unknown` int32 [n]: how many
        it has, and how many of them training has not seen."""
        numbers = self._numbers(_points(text))
        lengths = tf.cast(numbers.row_lengths(), tf.int32)
        # A column at least: a recurrent layer does not read texts that are all empty.
        truth = numbers.to_tensor(shape=(None, None))
        truth = tf.pad(truth, [[0, 0], [0, tf.cast(tf.shape(truth)[1] == 0, tf.int32)]])
        before = tf.pad(truth[:, :-1], [[0, 0], [1, 0]], constant_values=self.first)[:, : tf.shape(truth)[1]]
        cost = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, self.network.read(before))
        there = tf.sequence_mask(lengths, tf.shape(truth)[1])
        return {
            "bits": tf.reduce_sum(tf.where(there, cost, 0.0), axis=1) / tf.math.log(2.0),
            "characters": lengths,
            "unknown": tf.reduce_sum(tf.cast(tf.logical_and(there, truth == UNKNOWN), tf.int32), axis=1),
        }

    def call(self, prompt: Any) -> dict[str, Any]:
        """As `serving_default`."""
        return self.generate(prompt, tf.constant(LENGTH), tf.constant(TEMPERATURE), tf.constant(SEED))

    def _numbers(self, points: Any) -> Any:
        """Ragged code points -> ragged numbers of symbols."""
        numbers = self.numbers.lookup(tf.cast(points.values, tf.int64))
        return points.with_values(tf.cast(numbers, tf.int32))

    def _checks(self, points: Any, done: Any, length: Any, temperature: Any) -> list[Any]:
        """What the graph refuses, in sentences."""
        strange = tf.boolean_mask(points.values, self._numbers(points).values == UNKNOWN)
        shown = tf.strings.unicode_encode(tf.unique(strange)[0][tf.newaxis, :20], "UTF-8")
        return [
            tf.debugging.Assert(
                tf.reduce_all(points.row_lengths() > 0),
                ["the prompt is empty; give at least one character to go on from"],
            ),
            tf.debugging.Assert(
                tf.equal(tf.size(strange), 0), ["the prompt has symbols that are nowhere in the training text:", shown]
            ),
            tf.debugging.Assert(
                tf.logical_and(length >= 1, length <= LONGEST), [f"length is 1 to {LONGEST:,} symbols, and not", length]
            ),
            tf.debugging.Assert(
                tf.logical_and(temperature >= 0.0, temperature <= HOTTEST),
                [f"temperature is 0 (always the likeliest) to {HOTTEST:g}, and not", temperature],
            ),
            tf.debugging.Assert(
                tf.equal(tf.reduce_min(done), tf.reduce_max(done)),
                ["what was written so far is not as long in all rows"],
            ),
        ]


def _points(texts: Any) -> Any:
    """string [n] -> ragged int32 code points."""
    return tf.strings.unicode_decode(texts, "UTF-8")
