"""What an error of TensorFlow means to who has asked: what is wrong, in words, and with which input."""

import re
from dataclasses import dataclass

import tensorflow as tf

from modelyard.modelserver.servable import Arrays

_ABOUT_IMAGES = re.compile(r"image|PNG|JPEG|GIF|BMP", re.IGNORECASE)
_ASSERTED = re.compile(r"assertion failed: ((?:\[.*?\]\s*)+)$")
_PART = re.compile(r"\[(.*?)\](?:\s+|$)")
_PLACES = ("Graph execution error", "Detected at", "<stack traces", "Node:", "[[{{", 'File "')


@dataclass(frozen=True, slots=True)
class Fault:
    words: str
    field: str = ""
    """`inputs.k`; "" where it is not known which input it is."""


def find_fault(error: BaseException, given: Arrays) -> Fault:
    """`given` are the inputs that the signature was asked with."""
    line = first_line(error)
    if asserted := _ASSERTED.search(line):
        # The parts that the graph's own code has put together; their first word is what they are about.
        words = " ".join(_PART.findall(asserted[1]))
        first = words.partition(" ")[0]
        return Fault(words, f"inputs.{first}" if first in given else "")
    return (_ABOUT_IMAGES.search(str(error)) and _no_image(given)) or Fault(line)


def _no_image(given: Arrays) -> Fault | None:
    """Which example it is, where the graph fails to decode one: it only says that there is one."""
    for alias, array in given.items():
        if array.dtype != object or array.ndim != 1:
            continue
        for number, data in enumerate(array):
            try:
                tf.io.decode_image(data, expand_animations=False)
            except tf.errors.OpError as error:
                words = (
                    f'input "{alias}": example {number} is no whole PNG, JPEG, WebP, GIF or BMP: {first_line(error)}'
                )
                return Fault(words, f"inputs.{alias}")
    return None


def first_line(error: BaseException) -> str:
    """What is said of the cause, without where in TensorFlow's Python it was found."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(_PLACES)]
    return re.sub(r"\{\{.*?\}\}\s*", "", (told or lines or [type(error).__name__])[0].partition(" [Op:")[0])
