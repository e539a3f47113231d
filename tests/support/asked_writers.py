"""A deployment that writes, with the signatures of the template text-generation."""

from typing import Any

import numpy as np

from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.foundation.errors import InvalidArgument
from modelyard.modelserver.servable import Arrays, TensorSpec
from tests.support.asked_models import ONE_NUMBER, TEXTS, Asked, asked, kinds_of

ONE_FLOAT = TensorSpec(pb.DT_FLOAT, ())


def written(place: int, seed: int) -> str:
    """The symbol at this place: a letter each time, and every tenth one no ASCII."""
    return "é" if place % 10 == 9 else chr(ord("a") + (place + seed) % 26)


def bard() -> Asked:
    """Writes letters in their order, beginning with the seed's."""

    def text(start: Any, length: Any, seed: Any, prompts: Any) -> Arrays:
        if any(b"?" in prompt for prompt in prompts):
            raise InvalidArgument("the prompt has symbols that are nowhere in the training text: ?")
        said = "".join(written(int(start) + at, int(seed)) for at in range(int(length)))
        return {"text": np.array([said.encode()] * len(prompts), object)}

    def default(inputs: Arrays) -> Arrays:
        return text(0, 200, 0, inputs["prompt"])

    def generate(inputs: Arrays) -> Arrays:
        return text(0, inputs["length"], inputs["seed"], inputs["prompt"])

    def proceed(inputs: Arrays) -> Arrays:
        return text(len(inputs["so_far"][0].decode()), inputs["length"], inputs["seed"], inputs["prompt"])

    how = {"length": ONE_NUMBER, "temperature": ONE_FLOAT, "seed": ONE_NUMBER}
    answers = {"text": TEXTS}
    return asked(
        "bard",
        {
            "serving_default": ({"prompt": TEXTS}, answers, default),
            "generate": ({"prompt": TEXTS, **how}, answers, generate),
            "continue": ({"prompt": TEXTS, "so_far": TEXTS, **how}, answers, proceed),
        },
        kinds_of(prompt="text", so_far="text"),
        row_wise=False,
    )
