"""What learns to write a text for another: a reader, a writer, and a head that takes the next token from the vocabulary
or copies it from what was read. Source of the copying: See et al. 2017, arXiv:1704.04368."""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from modelyard.templates.sequences.attention import NEVER, dense, masked
from modelyard.templates.sequences.recurrent import RecurrentReader, RecurrentWriter
from modelyard.templates.sequences.transformer import AttentiveReader, AttentiveWriter
from modelyard.templates.sequences.vocabulary import END, UNKNOWN


class Network(keras.Model):
    """Trained on ({"source", "source_key"}, {"target", "target_key"}), int32 [n, places] each: numbers of a
    vocabulary, and numbers that are equal where the tokens are."""

    def __init__(self, params: Any, sources: int, targets: int, most_source: int, most_target: int) -> None:
        """`sources` and `targets` are the sizes of the vocabularies, `most_…` the places of the longest texts."""
        super().__init__(name=f"{params.network}_network")
        units = self.units = int(params.units)
        self.targets, self.most_target = targets, most_target
        self.blind = bool(params.blind)
        self.copies = bool(params.copy) and not self.blind
        self.source_table = self._table("source_table", sources)
        self.target_table = self._table("target_table", targets)
        self.target_bias = self.add_weight(name="target_bias", shape=(targets,), initializer="zeros")
        self.attentive = params.network == "transformer"
        if self.attentive:
            depth, dropout = int(params.layers), float(params.dropout)
            self.reader: Any = AttentiveReader(units, depth, most_source, dropout)
            self.writer: Any = AttentiveWriter(units, depth, most_target, dropout)
        else:
            self.reader, self.writer = RecurrentReader(units), RecurrentWriter(units)
        self.drop = layers.Dropout(float(params.dropout))
        self.last = dense(units, units, "last")
        if self.copies:
            self.copy_key, self.copy_query = dense(units, units, "copy_key"), dense(units, units, "copy_query")
            self.gate = dense(units, 1, "gate")
        self.shown = keras.metrics.Mean(name="loss")
        self.built = True

    def _table(self, name: str, rows: int) -> Any:
        first = keras.initializers.RandomNormal(stddev=1 / math.sqrt(self.units))
        return self.add_weight(name=name, shape=(rows, self.units), initializer=first)

    @property
    def metrics(self) -> list[Any]:
        """What Keras begins anew with each epoch."""
        return [self.shown]

    def read(self, source: Any, training: bool = False) -> tuple[Any, Any]:
        """int32 [n, places] -> the memory [n, places, units], and where something is."""
        if self.blind:
            source = tf.concat([tf.fill((tf.shape(source)[0], 1), END), tf.zeros_like(source)[:, 1:]], axis=1)
        mask = source > 0
        vectors = tf.gather(tf.convert_to_tensor(self.source_table), source) * math.sqrt(self.units)
        given = {"training": training} if self.attentive else {}
        return self.drop(self.reader(self.drop(vectors, training=training), mask, **given), training=training), mask

    def vectors(self, tokens: Any) -> Any:
        """Of the target's tokens."""
        return tf.gather(tf.convert_to_tensor(self.target_table), tokens) * math.sqrt(self.units)

    def logits(self, states: Any) -> Any:
        """[n, units] -> [n, targets]."""
        return tf.matmul(self.last(states), self.target_table, transpose_b=True) + self.target_bias

    def copying(self, states: Any, keys: Any, bias: Any) -> Any:
        """How likely each place of the source is the one to copy, as logarithms: [n, t, units] -> [n, t, places].
        `keys` are `copy_key` of the memory, `bias` keeps away from places where nothing is."""
        scores = tf.matmul(self.copy_query(states), keys, transpose_b=True) / math.sqrt(self.units)
        return tf.nn.log_softmax(scores + bias[:, tf.newaxis])

    # Training.

    def train_step(self, data: Any) -> dict[str, Any]:
        """One batch."""
        source, target, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss, count = self._loss(source, target, training=True)
        variables = self.trainable_variables
        # Rows of a table come as a part of it; together they are cut to one length.
        gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, variables)]
        self.optimizer.apply(gradients, variables)
        self.shown.update_state(loss, sample_weight=count)
        return {"loss": self.shown.result()}

    def test_step(self, data: Any) -> dict[str, Any]:
        """The same without learning."""
        source, target, _ = keras.utils.unpack_x_y_sample_weight(data)
        loss, count = self._loss(source, target, training=False)
        self.shown.update_state(loss, sample_weight=count)
        return {"loss": self.shown.result()}

    def _loss(self, given: Any, wanted: Any, training: bool) -> tuple[Any, Any]:
        """Nats a token, and of how many tokens."""
        source, source_key = _trimmed(given["source"], given["source_key"])
        target, target_key = _trimmed(wanted["target"], wanted["target_key"])
        memory, mask = self.read(source, training)
        before = tf.concat([tf.fill((tf.shape(target)[0], 1), END), target[:, :-1]], axis=1)
        fixed, state = self.writer.begin(memory, mask, 1)
        way = {"training": training} if self.attentive else {}
        states = self.writer.write(self.drop(self.vectors(before), training=training), fixed, state, **way)
        states = self.drop(states, training=training)
        there = target > 0
        token = tf.boolean_mask(target, there)
        logits = self.logits(tf.boolean_mask(states, there))
        likely = -tf.nn.sparse_softmax_cross_entropy_with_logits(token, logits)
        if self.copies:
            same = tf.logical_and(target_key[:, :, tf.newaxis] == source_key[:, tf.newaxis], target_key[..., None] > 0)
            copied = tf.where(same, self.copying(states, self.copy_key(memory), masked(mask)), NEVER)
            copied = tf.boolean_mask(tf.reduce_logsumexp(copied, axis=-1), there)
            gate = tf.boolean_mask(self.gate(states)[..., 0], there)
            can = tf.boolean_mask(tf.reduce_any(same, axis=-1), there)
            # A token that can be copied need not be told apart.
            likely = tf.where(tf.logical_and(can, token == UNKNOWN), NEVER, likely) + tf.math.log_sigmoid(-gate)
            copied = tf.where(can, copied, NEVER) + tf.math.log_sigmoid(gate)
            most = tf.maximum(likely, copied)
            likely = most + tf.math.log1p(tf.exp(tf.minimum(likely, copied) - most))
        return -tf.reduce_mean(likely), tf.cast(tf.size(token), tf.float32)


def _trimmed(tokens: Any, keys: Any) -> tuple[Any, Any]:
    """As many places as the longest of the batch has."""
    most = tf.reduce_max(tf.reduce_sum(tf.cast(tokens > 0, tf.int32), axis=1))
    return tokens[:, :most], keys[:, :most]
