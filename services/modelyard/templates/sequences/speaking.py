"""Texts in, texts out, in the graph: the likeliest token after the other, or the likeliest of several texts that are
written beside each other."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from modelyard.templates.sequences import tokens
from modelyard.templates.sequences.attention import NEVER, masked
from modelyard.templates.sequences.network import Network
from modelyard.templates.sequences.vocabulary import END, FIRST, NOTHING, UNKNOWN, Vocabulary

LENGTH_POWER = 0.8
"""Beside each other, texts are compared by the logarithm of their probability over their length to this power."""
_LEAST = 1e-9
"""A probability that has a logarithm."""
_BUCKETS = 1 << 62
State = dict[str, Any]


class Speaker(keras.Model):
    """What a network says, with the words that its numbers stand for."""

    def __init__(
        self, network: Network, sources: Vocabulary, targets: Vocabulary, most_source: int, beams: int
    ) -> None:
        super().__init__(name="speaker")
        self.network = network
        self.most_source, self.most, self.beams = most_source, network.most_target, beams
        self.known = len(targets)
        self.source_place, self.target_place = sources.table(), targets.table()
        self.names = tf.constant(targets.tokens)
        self.built = True

    def signatures(self, name: str, decoding: str) -> dict[str, Callable[..., Any]]:
        """`greedy`, `beam`, and the one of these that is `serving_default`; each takes texts as `name`."""
        ways = {"greedy": self.greedy, "beam": self.beam}
        return {key: _named(way, name) for key, way in {"serving_default": ways[decoding], **ways}.items()}

    def call(self, texts: Any) -> dict[str, Any]:
        """As `greedy`."""
        return self.greedy(texts)

    def greedy(self, texts: Any) -> dict[str, Any]:
        """string [n] -> `text` string [n], and `score` float32 [n]: the mean logarithm of its tokens' probabilities."""
        source, fixed, state = self._begun(texts)
        count = tf.shape(texts)[0]

        def goes_on(place: Any, last: Any, state: State, found: Any, total: Any, alive: Any) -> Any:
            return tf.logical_and(place < self.most, tf.reduce_any(alive))

        def step(place: Any, last: Any, state: State, found: Any, total: Any, alive: Any) -> tuple[Any, ...]:
            likely, state = self._next(place, last, fixed, state)
            token = tf.where(alive, tf.argmax(likely, axis=-1, output_type=tf.int32), NOTHING)
            total += tf.where(alive, tf.reduce_max(likely, axis=-1), 0.0)
            found += token[:, tf.newaxis] * tf.one_hot(place, self.most, dtype=tf.int32)
            alive = tf.logical_and(alive, token != END)
            return place + 1, token, state, found, total, alive

        nothing = tf.zeros((count, self.most), tf.int32)
        first = (0, tf.fill((count,), END), state, nothing, tf.zeros((count,)), tf.fill((count,), True))
        _, _, _, found, total, _ = tf.while_loop(goes_on, step, first)
        return {"text": self._texts(found, source), "score": total / _lengths(found)}

    def beam(self, texts: Any) -> dict[str, Any]:
        """The same of the best of several texts; `texts` [n, beams] has all of them with their `scores`, the best
        first."""
        beams = self.beams
        source, fixed, state = self._begun(texts)
        count = tf.shape(texts)[0]
        fixed, state = ({key: tf.repeat(each, beams, axis=0) for key, each in part.items()} for part in (fixed, state))

        def goes_on(place: Any, last: Any, state: State, found: Any, total: Any, alive: Any) -> Any:
            return tf.logical_and(place < self.most, tf.reduce_any(alive))

        def step(place: Any, last: Any, state: State, found: Any, total: Any, alive: Any) -> tuple[Any, ...]:
            likely, state = self._next(place, tf.reshape(last, [-1]), fixed, state)
            width = tf.shape(likely)[1]
            ended = tf.one_hot(NOTHING, width, 0.0, NEVER)
            likely = tf.where(alive[..., tf.newaxis], tf.reshape(likely, (count, beams, width)), ended)
            total, best = tf.math.top_k(tf.reshape(total[..., tf.newaxis] + likely, (count, beams * width)), beams)
            parent, token = best // width, best % width
            rows = tf.reshape(parent + tf.range(count)[:, tf.newaxis] * beams, [-1])
            state = {key: tf.gather(each, rows) for key, each in state.items()}
            found = tf.gather(found, parent, batch_dims=1)
            found += token[..., tf.newaxis] * tf.one_hot(place, self.most, dtype=tf.int32)
            alive = tf.logical_and(tf.gather(alive, parent, batch_dims=1), token != END)
            return place + 1, token, state, found, total, alive

        only = tf.tile(tf.one_hot(0, beams, 0.0, NEVER)[tf.newaxis], (count, 1))
        nothing = tf.zeros((count, beams, self.most), tf.int32)
        first = (0, tf.fill((count, beams), END), state, nothing, only, tf.fill((count, beams), True))
        _, _, _, found, total, _ = tf.while_loop(goes_on, step, first)
        order = tf.argsort(total / _lengths(found) ** LENGTH_POWER, direction="DESCENDING", stable=True)
        found, total = (tf.gather(each, order, batch_dims=1) for each in (found, total))
        flat = self._texts(tf.reshape(found, (-1, self.most)), tf.repeat(source, beams, axis=0))
        said, scores = tf.reshape(flat, (count, beams)), total / _lengths(found)
        return {"text": said[:, 0], "score": scores[:, 0], "texts": said, "scores": scores}

    def _begun(self, texts: Any) -> tuple[Any, State, State]:
        """The source's tokens, "" behind their end; what stays the same while a text is written, and what changes."""
        source = tokens.cut(texts)[:, : self.most_source - 1].to_tensor("")
        source = tf.pad(source, ((0, 0), (0, 1)), constant_values="")
        there = source != ""
        ends = tf.one_hot(tf.reduce_sum(tf.cast(there, tf.int32), axis=1), tf.shape(source)[1], END, dtype=tf.int32)
        memory, mask = self.network.read(tf.where(there, self.source_place.lookup(source), 0) + ends)
        fixed, state = self.network.writer.begin(memory, mask, self.most)
        if self.network.copies:
            # What the vocabulary does not have is numbered behind it, by the first place where it stands.
            own, key = self.target_place.lookup(source), tf.strings.to_hash_bucket_fast(source, _BUCKETS)
            same = tf.cast(key[:, :, tf.newaxis] == key[:, tf.newaxis], tf.int32)
            fixed["copy_keys"], fixed["copy_bias"] = self.network.copy_key(memory), masked(mask)
            fixed["copy_to"] = tf.where(own >= FIRST, own, self.known + tf.argmax(same, -1, tf.int32))
            fixed["copy_from"] = tf.cast(there, tf.float32)
        fixed["empty"] = tf.logical_not(there[:, 0])
        return source, fixed, state

    def _next(self, place: Any, last: Any, fixed: State, state: State) -> tuple[Any, State]:
        """Logarithms of what the next token may be: [n, targets + places of the source], and the state behind it."""
        last = tf.where(last < self.known, last, UNKNOWN)
        states, state = self.network.writer.step(self.network.vectors(last), place, fixed, state)
        never = tf.one_hot((NOTHING, UNKNOWN), self.known, NEVER, 0.0)
        logits = self.network.logits(states) + tf.reduce_sum(never, axis=0)
        width = self.known
        if not self.network.copies:
            likely = tf.nn.log_softmax(logits)
        else:
            gate = tf.sigmoid(self.network.gate(states))
            copied = self.network.copying(states[:, tf.newaxis], fixed["copy_keys"], fixed["copy_bias"])[:, 0]
            copied = gate * tf.exp(copied) * fixed["copy_from"]
            written = tf.pad((1.0 - gate) * tf.nn.softmax(logits), ((0, 0), (0, tf.shape(copied)[1])))
            rows = tf.tile(tf.range(tf.shape(copied)[0])[:, tf.newaxis], (1, tf.shape(copied)[1]))
            at = tf.stack([rows, fixed["copy_to"]], axis=-1)
            likely = tf.math.log(tf.maximum(tf.tensor_scatter_nd_add(written, at, copied), _LEAST))
            width += tf.shape(copied)[1]
        # A text that says nothing is what only an empty one becomes.
        says = tf.logical_and(place == 0, tf.logical_not(fixed["empty"]))
        return likely + tf.where(says, NEVER, 0.0)[:, tf.newaxis] * tf.one_hot(END, width), state

    def _texts(self, found: Any, source: Any) -> Any:
        """Numbers [n, tokens] -> string [n]; nothing for a source without a token."""
        found = tf.where(found == END, NOTHING, found)
        places = tf.clip_by_value(found - self.known, 0, tf.shape(source)[1] - 1)
        copied = tf.gather(source, places, batch_dims=1)
        written = tf.gather(self.names, tf.minimum(found, self.known - 1))
        said = tokens.join(tf.where(found < self.known, written, copied))
        return tf.where(source[:, 0] == "", "", said)


def _lengths(found: Any) -> Any:
    return tf.maximum(tf.reduce_sum(tf.cast(found != NOTHING, tf.float32), axis=-1), 1.0)


def _named(way: Callable[[Any], Any], name: str) -> Any:
    """A tf.function whose only argument, texts, is called `name`."""

    def function(texts: Any) -> Any:
        return way(texts)

    argument = inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    function.__signature__ = inspect.Signature([argument])  # type: ignore[attr-defined]
    return tf.function(function, input_signature=[tf.TensorSpec((None,), tf.string, name)])
