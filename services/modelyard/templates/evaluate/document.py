"""evaluation.json, format 1. What has no value (nothing to divide by) is null.

    format         1
    kind           "classification" | "regression" | "recommendation" | "detection" | "retrieval" | "writing" |
                   "transcription" | "forecasting" | "text-generation"
    split          which part of the dataset
    examples       how many were asked
    read_as        what the answers were taken for: "probabilities", "logits", "second class's probability",
                   "second class's logit", "number"
    output         the model's output that was judged
    seconds        how long it took
    model, dataset  resource names of the versions; "" where the job was not told
    date           when it was done: UTC, ISO 8601, to the second
    random         the operations with which the model draws random numbers, if it answers the same examples differently
                   each time: another evaluation finds other numbers
    metrics        {name: number}: accuracy, accuracy_low and accuracy_high (Wilson, 95 %), macro_precision,
                   macro_recall, macro_f1, log_loss, auc (of two classes; the dataset's second is the positive one),
                   top5_accuracy (from 10 classes on), ece, mce; of a regression rmse, mae, r2, bias
    intervals      {metric: [low, high]}, 95 %
    floors         {metric: {value, by}}: what is reached without looking at an example, and how
    inputs         {name: kind} of what the model takes
    left_out       {why: examples} that could not be judged
    unreadable     [{path, reason}] of the first 100 that cannot be decoded
    problems       how many rows or files of the dataset, in all splits, are no examples
    controls       [{name, says, metric, as_is, value, examples}]: what the metric becomes where a part of the input is
                   destroyed, on a sample of the examples; as_is is the same sample's metric without that
    importance     {metric, as_is, examples, columns: [{name, value}]}: the same for each input whose values are swapped
                   among the examples; only where there are several
    matched_by     "name" | "position": how the model's answers were brought together with the dataset's classes
    task, worst, shown   of a model that writes texts ("writing"; metrics: bleu, chrf, rouge_l, rouge_1, exact, length):
                   the model's task, and [{example, path, source, reference, answer, chrf}], the worst first, and a few
                   evenly spread
    classes        [{name, support, predicted, precision, recall, f1}], the dataset's first; its numbers are used below
    unknown_to_model, unknown_to_dataset, without_examples   names of classes
    confusion      [[true class, predicted class, examples]], where there are any, in order
    calibration    {bins: [{low, high, count, confidence, accuracy}], ece, mce}
    mistakes       [{example, path, true, predicted, probability, true_probability, image, texts, values}], the worst
                   first: example is its number in the split, path its file in the dataset (`path:line` for a row),
                   true and predicted are classes' numbers; as far as it has them image is a data URI (PNG; of a video
                   so many frames side by side), texts and values are by feature, sound is {low, high, spectrogram,
                   seconds, spectrogram_seconds, nyquist, source}: an envelope, data URIs of a PNG and, of a small
                   file, of itself. Of a regression true and
                   answered are numbers
    confused       of transcripts: [[true symbol, written symbol, times]], "" where there is none, most often first;
                   their mistakes have texts for true and said, edits, confidence (null where the model does not say
                   it) and aligned, [[true symbol, written symbol]]
    by_step        of forecasts: {"forecast" | "season" | "linear": mean absolute error of each step ahead}; "season"
                   repeats what was, "linear" is a ridge regression on the same windows. Their metrics: mae, rmse, bias,
                   and skill = 1 - mae / mae of the season. others: {…: {mae, rmse, bias}}; by_series, window, horizon,
                   step, season, windows (moments that could be judged), notes; shown: [{series, start, mae,
                   before, truth, forecast, season}], some evenly spread and some of the worst
    references     of written text: {"2-gram" | "6-gram" | "xz": bits a symbol}. Its metrics: bits a symbol and
                   perplexity = 2^bits; characters, unknown (symbols that the model does not know), documents: [{name,
                   characters, bits}], samples: [{temperature, prompt, text, again (the same seed wrote the same),
                   known_words, copied (the longest part that is in the training text)}]
    worst          of a detection: [{example, path, image, height, width, found: [{box, class, score, right}],
                   missed: [{box, class}]}], boxes in the pixels that the model sees. Its metrics: map50, map75, map;
                   its classes: [{name, support, found, ap50, ap50_low, ap50_high, ap}]; signature: which was asked
    neighbours     of retrieval: [{example, path, image, identity, why ("spread" | "mistake"), nearest: [{…, similarity,
                   same}]}]. Its metrics: auc (of pairs), rank1, rank5; references: {metric: {value, by}}, what needs no
                   learning; identities, threshold (the similarity that parts the same from others best)
    points         of a regression: [[true, answered]] of at most 1,000 examples, evenly spread
    target         of a regression: what the number is called

A regression has neither classes nor what refers to them. A reader refuses other formats; keys may be added to a format.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.spread import spread
from modelyard.templates.evaluate.classification import Classification
from modelyard.templates.evaluate.mistakes import Mistake
from modelyard.templates.evaluate.regression import Regression

FORMAT = 1
MOST_POINTS = 1000
Show = Callable[[int], Mapping[str, Any]]
"""What is shown of an example: its `path`, and `image`, `sound`, `texts` and `values` as far as it has them."""


@dataclass(frozen=True, slots=True)
class About:
    """What was asked."""

    split: str
    examples: int = 0
    read_as: str = ""
    output: str = ""
    seconds: float = 0.0
    model: str = ""
    dataset: str = ""
    date: str = ""
    random: tuple[str, ...] = ()

    def told(self, *, examples: int, read_as: str, output: str, random: tuple[str, ...]) -> "About":
        """With what was found out by asking."""
        return replace(self, examples=examples, read_as=read_as, output=output, random=random)


def of_regression(
    about: About,
    found: Regression,
    rows: NDArray[np.int64] | None = None,
    mistakes: int = 0,
    show: Show = lambda _: {"path": ""},
) -> dict[str, Any]:
    """The document of one number an example; `rows` are the examples' numbers in the split, in the order of `found`."""
    true, answered = found.true, found.answered
    rows = np.arange(len(true)) if rows is None else rows
    worst = np.argsort(-np.abs(answered - true), kind="stable")[:mistakes]
    points = spread(len(true), MOST_POINTS)
    return {
        "format": FORMAT,
        "kind": "regression",
        **asdict(about),
        "metrics": found.metrics(),
        "intervals": {name: list(each) for name, each in found.intervals().items()},
        "points": [[float(true[at]), float(answered[at])] for at in points],
        "mistakes": [
            {
                "example": int(rows[at]),
                "true": float(true[at]),
                "answered": float(answered[at]),
                **show(int(rows[at])),
            }
            for at in worst
        ],
    }


def of_classification(
    about: About, found: Classification, mistakes: Sequence[Mistake], show: Show = lambda _: {"path": ""}
) -> dict[str, Any]:
    """The document of a classifier."""
    classes = found.classes()
    matching = found.matching
    known = classes[: matching.known_to_dataset]
    return {
        "format": FORMAT,
        "kind": "classification",
        **asdict(about),
        "metrics": found.metrics(),
        "intervals": {name: list(each) for name, each in found.intervals().items()},
        "matched_by": "name" if matching.by_name else "position",
        "classes": [asdict(each) for each in classes],
        "unknown_to_model": list(matching.unknown_to_model),
        "unknown_to_dataset": list(matching.unknown_to_dataset),
        "without_examples": [each.name for each in known if not each.support],
        "confusion": [[*pair, count] for pair, count in sorted(found.confusion.items())],
        "calibration": {
            "bins": [asdict(each) for each in found.reliability.bins],
            "ece": found.reliability.expected_error,
            "mce": found.reliability.maximum_error,
        },
        "mistakes": [
            {
                "example": each.example,
                "true": each.true,
                "predicted": each.predicted,
                "probability": each.probability,
                "true_probability": each.true_probability,
                **show(each.example),
            }
            for each in mistakes
        ],
    }


def write(path: Path, found: dict[str, Any]) -> None:
    """Raises ValueError for a number that JSON does not have."""
    path.write_text(json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")
