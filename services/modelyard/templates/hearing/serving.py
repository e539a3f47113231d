"""Signatures of a model that hears: samples, or files as they are."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job.session import Context
from modelyard.job.values import Form

EXAMPLES = 8
"""Files that are kept with a model."""


def export(
    context: Context,
    model: Any,
    answer: Callable[[Any], Mapping[str, Any]],
    *,
    feature: str,
    rate: int,
    seconds: float,
    task: str,
    more: Mapping[str, Any] | None = None,
) -> None:
    """`serving_default` takes samples at `rate`, `seconds` of them, by the feature's name; `encoded` WAV files of that
    rate and of any length, which are cut or followed by silence. Both give what `answer` makes of the samples; `more`
    are further signatures."""
    samples = round(rate * seconds)

    @tf.function(input_signature=[tf.TensorSpec((None, samples), tf.float32, feature)])
    def serving_default(sounds: Any) -> Mapping[str, Any]:
        return answer(sounds)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, f"{feature}_bytes")])
    def encoded(files: Any) -> Mapping[str, Any]:
        return answer(decoded(files, rate, samples))

    heard = _some(context, feature, rate, seconds)
    context.export(
        model,
        signature={"serving_default": serving_default, "encoded": encoded, **(more or {})},
        examples={"encoded": {f"{feature}_bytes": wav_files(heard, rate)}},
        task=task,
        inputs={f"{feature}_bytes": "audio"},
    )


def _some(context: Context, feature: str, rate: int, seconds: float) -> NDArray[np.float32]:
    """Not all of a split, which may be more than fits."""
    split, form = context.held_out or "train", Form(sample_rate=rate, seconds=seconds)
    first = np.arange(min(EXAMPLES, len(context.data.index.split(split))))
    return context.data.some(split, [feature], context.data.readable(split, first, form), form)[feature]


def decoded(files: Any, rate: int, samples: int) -> Any:
    """WAV files of 16 bits (string [n]) as float32 [n, samples]; refuses another rate and several channels."""

    def one(data: Any) -> Any:
        wave, found = tf.audio.decode_wav(data)
        channels = tf.shape(wave)[1]
        said = tf.strings.format("a sound has {} samples a second in {} channel(s)", (found, channels))
        alike = tf.logical_and(tf.equal(found, rate), tf.equal(channels, 1))
        with tf.control_dependencies([tf.debugging.Assert(alike, [said, f"the model takes {rate:,} in one"])]):
            mono = tf.identity(wave[:samples, 0])
        return tf.ensure_shape(tf.pad(mono, [[0, samples - tf.shape(mono)[0]]]), (samples,))

    return tf.map_fn(one, files, fn_output_signature=tf.TensorSpec((samples,), tf.float32))


def wav_files(sounds: NDArray[np.float32], rate: int) -> NDArray[np.object_]:
    """Each of the sounds [n, samples] as a file that does not end in a zero byte: NumPy would cut that off.

    A sample below 0 ends in none, so each goes as far as its last one.
    """
    found = np.empty(len(sounds), object)
    for number, sound in enumerate(sounds):
        below = np.flatnonzero(sound < -1 / 256)
        kept = sound[: below[-1] + 1] if len(below) else np.full(1, -0.5, np.float32)
        found[number] = tf.audio.encode_wav(kept[:, np.newaxis], rate).numpy()
    return found
