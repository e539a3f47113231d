"""What a model still reaches when a part of what it reads is destroyed: what it loses came from there.

A text classifier that is as good on shuffled words reads words, not sentences (symbols are shuffled where white space
parts no words); an image classifier that is as good on shuffled patches looks at texture or colour (Brendel and Bethge:
"Approximating CNNs with Bag-of-local-Features models", ICLR 2019); a column whose values may be swapped among the
examples gives a model nothing. The loss by swapping is permutation importance (Breiman: "Random Forests", Machine
Learning 45, 2001, §10; for any model as in Fisher, Rudin, Dominici, JMLR 20, 2019). Of columns that say the same,
either may look worthless.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.spread import spread
from modelyard.layouts import Feature
from modelyard.templates.evaluate.asking import Asked, Asking
from modelyard.templates.evaluate.shuffling import GRID, PIECES, frames, frozen, of_texts, patches, pieces

MOST_EXAMPLES = 2000
MOST_BYTES = 256 << 20
"""Of the examples' inputs: as few are taken as fit."""
PROBED = 16
"""Examples that tell how large one is."""
MOST_COLUMNS = 200
REPEATS = 3
"""Orders that a column's values are swapped in; the mean counts."""
_SEED = 20260101
Figure = Callable[[Asked, NDArray[np.float64]], Mapping[str, float]]
"""Metrics of answers to some examples."""


def sample(asking: Asking) -> Asked:
    """Examples spread over the split, as many as controls take."""
    few = asking.some(spread(len(asking.examples), PROBED))
    each = sum(values.nbytes for values in few.inputs.values()) / max(1, len(few.rows))
    most = min(MOST_EXAMPLES, int(MOST_BYTES / each)) if each else MOST_EXAMPLES
    return asking.some(spread(len(asking.examples), max(1, most)))


def shuffles(asking: Asking, asked: Asked, figure: Figure, metric: str, size: int) -> list[dict[str, Any]]:
    """The controls of each input whose parts have an order; the model is asked about `size` examples at once."""
    found = []
    before = figure(asked, asking.ask_all(asked.inputs, size))[metric]
    for name, feature in asking.features.items():
        for what, says, change in _ways(feature, asked.inputs[name]):
            changed = change(asked.inputs[name], np.random.default_rng(_SEED))
            after = figure(asked, asking.ask_all({**asked.inputs, name: changed}, size))[metric]
            found.append(
                {
                    "name": what.format(name),
                    "says": says,
                    "metric": metric,
                    "as_is": before,
                    "value": after,
                    "examples": len(asked.rows),
                }
            )
    return found


def importance(asking: Asking, asked: Asked, figure: Figure, metric: str, size: int) -> dict[str, Any]:
    """What the metric becomes when one input's values are swapped among the examples, input by input; {} for models
    with one input, where nothing would be left."""
    if len(asking.features) < 2 or len(asked.rows) < 2:
        return {}
    before = figure(asked, asking.ask_all(asked.inputs, size))[metric]
    columns = []
    for name in list(asking.features)[:MOST_COLUMNS]:
        random = np.random.default_rng(_SEED)
        after = []
        for _ in range(REPEATS):
            swapped = asked.inputs[name][random.permutation(len(asked.rows))]
            after.append(figure(asked, asking.ask_all({**asked.inputs, name: swapped}, size)))
        columns.append({"name": name, "value": float(np.mean([each[metric] for each in after]))})
    return {"metric": metric, "as_is": before, "examples": len(asked.rows), "columns": columns}


def _ways(feature: Feature, values: NDArray[Any]) -> list[tuple[str, str, Callable[..., NDArray[Any]]]]:
    """What is destroyed, what it says that a figure stays, and how it is done."""
    match feature.kind:
        case "text":
            parts, shuffle = of_texts(values)
            return [(f"{parts} of {{}} shuffled", "What is still right did not need their order.", shuffle)]
        case "image" if values.ndim == 4 and min(values.shape[1:3]) >= GRID:
            return [("patches of {} shuffled", "What is still right did not need shapes larger than a patch.", patches)]
        case "audio" if values.ndim == 2 and values.shape[1] >= PIECES:
            return [("pieces of {} shuffled", "What is still right did not need their order.", pieces)]
        case "video" if values.ndim == 5 and values.shape[1] > 1:
            return [
                ("frames of {} shuffled", "What is still right did not need their order.", frames),
                ("one frame of {} only", "What is still right did not need motion.", frozen),
            ]
    return []
