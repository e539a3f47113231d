"""Errors of real graphs, as they are said to who has asked."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modelyard.modelserver.faults import Fault, find_fault
from tests.support.pictures import picture


@tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
def some_of(k: Any) -> Any:
    fits = tf.debugging.Assert(k <= 3, ["k is the number of items to recommend: 1 to 3", "and not", k])
    with tf.control_dependencies([fits]):
        return tf.range(k)


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def sizes(image_bytes: Any) -> Any:
    return tf.map_fn(lambda one: tf.shape(tf.io.decode_image(one))[0], image_bytes, fn_output_signature=tf.int32)


def fault(function: Any, **given: Any) -> Fault:
    with pytest.raises(tf.errors.OpError) as caught:
        function(**{name: tf.constant(value) for name, value in given.items()})
    return find_fault(caught.value, given)


def test_what_a_graph_asserts_is_a_sentence_about_an_input() -> None:
    assert fault(some_of, k=np.array(9, np.int32)) == Fault(
        "k is the number of items to recommend: 1 to 3 and not 9", "inputs.k"
    )


def test_a_file_that_is_cut_off_is_named_with_its_number_and_the_reason() -> None:
    files = np.array([picture(), picture()[:60]], object)
    assert fault(sizes, image_bytes=files) == Fault(
        'input "image_bytes": example 1 is no whole PNG, JPEG, WebP, GIF or BMP: Invalid PNG data, size 60',
        "inputs.image_bytes",
    )
