"""What a job keeps of the data that its models were fitted on."""

import gc
import weakref
from typing import Any, cast

import numpy as np

from modelyard.job.batches import Position
from modelyard.job.fed import Fed
from tests.integration.job.attempts import network


def test_the_data_of_a_model_that_is_gone_is_let_go_but_for_the_newest() -> None:
    fed = Fed(cast(Any, None), Position(), seed=0)
    kept = network()
    data = []
    for model in (kept, network(), network()):
        x = np.zeros((8, 3), np.float32)
        data.append(weakref.ref(x))
        fed.saw(model, x)
    del model, x
    gc.collect()
    fed.examples(kept)
    assert [there() is not None for there in data] == [True, False, True]
    assert fed.examples(network()) is not None, "a like model, of the same weights perhaps, is fed the same"
