"""Operations that draw random numbers.

Those with a seed among their attributes count on from it, call after call; without one (0 and 0) they begin anywhere,
and TensorFlow refuses to run them while it is set to be deterministic (tensorflow/core/util/guarded_philox_random.cc).
"""

from collections.abc import Iterator
from typing import Any

SEEDED = frozenset(
    {
        *("Multinomial", "ParameterizedTruncatedNormal", "RandomCrop", "RandomGamma", "RandomPoisson"),
        *("RandomPoissonV2", "RandomShuffle", "RandomStandardNormal", "RandomUniform", "RandomUniformInt"),
        *("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2", "TruncatedNormal"),
        *("AllCandidateSampler", "FixedUnigramCandidateSampler", "LearnedUnigramCandidateSampler"),
        *("LogUniformCandidateSampler", "ThreadUnsafeUnigramCandidateSampler", "UniformCandidateSampler"),
        *("FractionalAvgPool", "FractionalMaxPool"),
    }
)
DRAWING = SEEDED | {
    *("StatefulRandomBinomial", "StatefulStandardNormal", "StatefulStandardNormalV2", "StatefulTruncatedNormal"),
    *("StatefulUniform", "StatefulUniformFullInt", "StatefulUniformInt"),
    *("StatelessMultinomial", "StatelessParameterizedTruncatedNormal", "StatelessRandomBinomial"),
    *("StatelessRandomGammaV2", "StatelessRandomGammaV3", "StatelessRandomNormal", "StatelessRandomNormalV2"),
    *("StatelessRandomPoisson", "StatelessRandomUniform", "StatelessRandomUniformFullInt"),
    *("StatelessRandomUniformFullIntV2", "StatelessRandomUniformInt", "StatelessRandomUniformIntV2"),
    *("StatelessRandomUniformV2", "StatelessSampleDistortedBoundingBox", "StatelessShuffle"),
    *("StatelessTruncatedNormal", "StatelessTruncatedNormalV2"),
}
"""With those that are given their seed with each call: a model may keep it in a variable that moves on."""


def drawn_with(graph: Any) -> tuple[str, ...]:
    """Operations of a MetaGraphDef that draw, each once, in the order of their names."""
    return tuple(sorted({node.op for node in _nodes(graph)} & DRAWING))


def unseeded(graph: Any) -> bool:
    """Whether one of them has no seed."""
    return any(node.op in SEEDED and not (node.attr["seed"].i or node.attr["seed2"].i) for node in _nodes(graph))


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.graph_def.node
    for function in graph.graph_def.library.function:
        yield from function.node_def
