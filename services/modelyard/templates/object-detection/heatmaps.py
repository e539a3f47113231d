"""What a detector answers, and what it should: a map a class with a peak where an object's middle lies, and at each
place the object's size and the middle's offset within the place (Zhou et al. 2019, arXiv:1904.07850).

Maps are a STRIDE-th as high and wide as the picture. Boxes are x_min, y_min, x_max, y_max in the picture's pixels.
"""

from typing import Any

import tensorflow as tf

STRIDE = 4
SPREAD = 0.09
"""A peak's standard deviation, as a part of the object's size (as in Liu et al. 2019, arXiv:1909.00700)."""
GEOMETRY = 4
"""Logarithms of width and height, in places, and the offset, x and y."""
CANDIDATES = 200
"""Places of an image that are looked at, those of the highest peaks."""


def peaks(boxes: Any, labels: Any, height: int, width: int, classes: int) -> Any:
    """Boxes [n, m, 4], labels [n, m] with -1 for none -> float32 [n, height, width, classes], 1 in the middles."""
    middles, sizes = _places(boxes)
    xs, ys = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)

    def add(at: Any, drawn: Any) -> tuple[Any, Any]:
        middle, size = middles[:, at], tf.maximum(SPREAD * sizes[:, at], 0.3)
        across, down = (
            tf.exp(
                -tf.square(line[tf.newaxis] - middle[:, axis : axis + 1]) / (2 * tf.square(size[:, axis : axis + 1]))
            )
            for axis, line in enumerate((xs, ys))
        )
        peak = down[:, :, tf.newaxis, tf.newaxis] * across[:, tf.newaxis, :, tf.newaxis]
        mine = tf.one_hot(labels[:, at], classes)[:, tf.newaxis, tf.newaxis]
        return at + 1, tf.maximum(drawn, peak * mine)

    # One object after another: all at once would take their number times the memory.
    count = tf.shape(labels)[1]
    empty = tf.zeros((tf.shape(labels)[0], height, width, classes))
    return tf.while_loop(lambda at, _: at < count, add, (0, empty))[1]


def geometry(boxes: Any) -> Any:
    """[n, m, 4] -> what should be answered in their middles, [n, m, GEOMETRY]."""
    middles, sizes = _places(boxes)
    exact = (boxes[..., :2] + boxes[..., 2:]) / (2 * STRIDE)
    return tf.concat([tf.math.log(sizes), exact - middles], -1)


def at_middles(answers: Any, boxes: Any) -> Any:
    """Answers [n, height, width, GEOMETRY] in the middles of the boxes: [n, m, GEOMETRY]."""
    middles, _ = _places(boxes)
    places = tf.cast(middles, tf.int32)[..., ::-1]
    last = tf.shape(answers)[1:3] - 1
    return tf.gather_nd(answers, tf.clip_by_value(places, 0, last), batch_dims=1)


def _places(boxes: Any) -> tuple[Any, Any]:
    """In which place each middle lies, and how many places wide and high each box is; [n, m, 2], x first."""
    sizes = tf.maximum(boxes[..., 2:] - boxes[..., :2], 1.0) / STRIDE
    return tf.floor((boxes[..., :2] + boxes[..., 2:]) / (2 * STRIDE)), sizes


def boxes_of(
    heat: Any, geometric: Any, shape: tuple[int, int], *, most: int, least: float, shared: float
) -> tuple[Any, Any, Any]:
    """Logits [n, h, w, classes] and geometry -> boxes [n, most, 4], classes int32 [n, most], scores [n, most].

    Of boxes of one class that share more than `shared` of their union the surest is kept; those below `least` are not
    answered. Where there are fewer than `most`, boxes are -1, classes -1 and scores 0. `shape`: the picture's height
    and width.
    """
    scores = tf.sigmoid(heat)
    highest = tf.nn.max_pool2d(scores, 3, 1, "SAME")
    scores = tf.where(scores >= highest, scores, 0.0)
    height, width, classes = heat.shape[1:]
    flat = tf.reshape(scores, (-1, height * width, classes))
    _, places = tf.math.top_k(tf.reduce_max(flat, -1), min(CANDIDATES, height * width))
    known = tf.gather(tf.reshape(geometric, (-1, height * width, GEOMETRY)), places, batch_dims=1)
    corner = tf.cast(tf.stack([places % width, places // width], -1), tf.float32)
    middle = (corner + known[..., 2:]) * STRIDE
    half = tf.exp(tf.clip_by_value(known[..., :2], -4.0, 8.0)) * STRIDE / 2
    limit = tf.constant([shape[1], shape[0]] * 2, tf.float32)
    edges = tf.clip_by_value(tf.concat([middle - half, middle + half], -1), 0.0, limit)
    kept = tf.image.combined_non_max_suppression(
        edges[:, :, tf.newaxis],
        tf.gather(flat, places, batch_dims=1),
        max_output_size_per_class=most,
        max_total_size=most,
        iou_threshold=shared,
        score_threshold=least,
        clip_boxes=False,
    )
    there = tf.sequence_mask(kept.valid_detections, most)
    return (
        tf.where(there[..., tf.newaxis], kept.nmsed_boxes, -1.0),
        tf.where(there, tf.cast(kept.nmsed_classes, tf.int32), -1),
        tf.where(there, kept.nmsed_scores, 0.0),
    )
