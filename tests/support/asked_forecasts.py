"""A deployment that forecasts, with the signature of the template forecasting."""

from datetime import datetime, timedelta

import numpy as np

from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.modelserver.servable import Arrays, TensorSpec
from tests.support.asked_models import TEXTS, Asked, asked, kinds_of

WINDOW, HORIZON = 6, 2


def bikes() -> Asked:
    """The mean of what is known, and one more each step."""

    def default(inputs: Arrays) -> Arrays:
        forecast = np.nanmean(inputs["bikers"], 1)[:, None] + np.arange(HORIZON)
        times = [
            [
                (datetime.fromisoformat(time.decode()) + timedelta(hours=step)).strftime("%Y-%m-%dT%H:%M").encode()
                for step in range(1, HORIZON + 1)
            ]
            for time in inputs["time"]
        ]
        return {"forecast": forecast.astype(np.float32), "times": np.array(times, object)}

    inputs = {"bikers": TensorSpec(pb.DT_FLOAT, (-1, WINDOW)), "rider": TEXTS, "time": TEXTS}
    outputs = {"forecast": TensorSpec(pb.DT_FLOAT, (-1, HORIZON)), "times": TensorSpec(pb.DT_STRING, (-1, HORIZON))}
    made = asked(
        "bikes",
        {"serving_default": (inputs, outputs, default)},
        kinds_of(bikers="number", rider="category", time="time"),
    )
    made.info.task = "forecasting"
    return made
