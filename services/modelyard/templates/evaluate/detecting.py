"""A model that finds things on pictures is asked about each picture of a split, and its boxes are compared with the
true ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.index import Examples
from modelyard.job.left_out import NAMED
from modelyard.job.session import Context
from modelyard.job.values import Form
from modelyard.layouts import Feature
from modelyard.templates.evaluate.average_precision import Boxes, Precision, judged, true_boxes
from modelyard.templates.evaluate.box_labels import Labels
from modelyard.templates.evaluate.document import FORMAT, About
from modelyard.templates.evaluate.drawn_boxes import Drawn, worst
from modelyard.templates.evaluate.matching import Matching, match
from modelyard.templates.fitting import DEFAULT, Input, fit
from modelyard.templates.needs import DataSeen
from modelyard.templates.predict.feeding import Feed
from modelyard.templates.saved import Saved

CANDIDATES = "candidates"
"""The signature that is asked where there is one: it also answers boxes that it is not sure of."""
OUTPUTS = ("boxes", "labels", "scores")
_SEED = 20260101


def is_detection(features: Sequence[Feature]) -> bool:
    """Whether what a dataset asks for is boxes."""
    return any(each.kind == "boxes" and each.role == "target" for each in features)


@dataclass(frozen=True, slots=True)
class Truth:
    """The boxes of a split, in the pixels that the model sees."""

    edges: NDArray[np.float32]
    """[n, most, 4]."""
    labels: NDArray[np.int64]
    """[n, most]: the dataset's classes, -1 for none."""

    def __getitem__(self, row: int) -> Boxes:
        return true_boxes(self.edges[row], self.labels[row])


class Finding:
    """Asks. Raises ModelUnsuitable, DatasetUnsuitable and DatasetNotForModel."""

    def __init__(self, context: Context, model: Saved, split: str, data: DataSeen) -> None:
        signatures = model.signatures
        self.signature = CANDIDATES if CANDIDATES in signatures else DEFAULT
        if self.signature not in signatures:
            there = ", ".join(sorted(signatures)) or "none"
            raise ModelUnsuitable(f"the model has no signature {DEFAULT!r}; it has {there}", field="model")
        inputs = signatures[self.signature]
        self.fitted = fit(inputs, data, kinds=model.kinds)
        index = context.data.index
        self.examples: Examples = index.split(split)
        self._context, self._model = context, model
        self._feed = Feed(inputs, index.features, self.fitted, about=model.description, scale=context.params.scale, k=1)
        self._pixels = _pixels(self.signature, inputs, {name: index.features[it] for name, it in self.fitted.items()})
        self.image = self.fitted[self._pixels]
        self.size: tuple[int, int] = (0, 0)
        """Height and width of what the model sees."""
        self.unreadable: dict[int, str] = {}
        """Rows of which the picture cannot be decoded, and why."""

    def found(self, labels: Labels) -> Iterator[tuple[int, Boxes]]:
        """Each row that can be asked about, with the boxes on it, whose labels are read by `labels`."""
        count = len(self.examples)
        for rows in self._feed.spans(self.examples, np.arange(count), self._context.params.batch_size):
            batch = self._feed.batch(self.examples, rows)
            self.unreadable |= {int(rows[place]): reason for place, reason in batch.problems.items()}
            good = [row for place, row in enumerate(rows.tolist()) if place not in batch.problems]
            if good:
                given = batch.inputs[self._pixels]
                self.size = (given.shape[1], given.shape[2])
                yield from zip(good, self._asked(batch.inputs, len(good), labels), strict=True)
            self._context.progress(int(rows[-1]) + 1, count)
        labels.check()
        if self.unreadable:
            self._context.data.left_out.add(self.examples, self.unreadable)

    def _asked(self, inputs: Any, count: int, read: Labels) -> list[Boxes]:
        answer = self._model.ask(self.signature, inputs)
        boxes, labels, scores = (answer.get(name) for name in OUTPUTS)
        if boxes is None or labels is None or scores is None:
            raise ModelUnsuitable(
                f"signature {self.signature!r} answers {', '.join(sorted(answer)) or 'nothing'}; a model that finds "
                "things answers boxes, labels and scores",
                field="model",
            )
        if boxes.ndim != 3 or boxes.shape[2] != 4 or not len(boxes) == len(labels) == len(scores) == count:
            raise ModelUnsuitable(
                f"the model's boxes are {list(boxes.shape)} for {count} images; they must be [n, boxes, 4]",
                field="model",
            )
        found = []
        for edges, named, sure in zip(boxes, labels, scores, strict=True):
            numbers = read.numbers(named, sure)
            there = np.flatnonzero((numbers >= 0) & np.isfinite(edges).all(1) & np.isfinite(sure))
            found.append(Boxes(edges[there].astype(np.float32), numbers[there], sure[there].astype(np.float32)))
        return found


def _pixels(signature: str, inputs: Sequence[Input], features: Mapping[str, Feature]) -> str:
    """The input that takes the pictures. Raises ModelUnsuitable where none takes them as pixels: boxes are in those."""
    for each in inputs:
        is_image = each.name in features and features[each.name].kind == "image"
        if is_image and each.dtype != "string" and (each.row is None or len(each.row) == 3):
            return each.name
    raise ModelUnsuitable(
        f"signature {signature!r} takes {', '.join(map(str, inputs)) or 'nothing'}; a model is judged by boxes in the "
        "pixels that it takes, so that it must take pictures as [any, height, width, channels]",
        field="model",
    )


def evaluate(context: Context, model: Saved, split: str, data: DataSeen, about: About) -> dict[str, Any]:
    """evaluation.json's content. Raises ModelUnsuitable and DatasetUnsuitable."""
    finding = Finding(context, model, split, data)
    boxes, labels = targets(context)
    matching = match(labels.classes, model.classes or None, len(model.classes or labels.classes))
    read = Labels(matching)
    precision = Precision(len(matching.names))
    drawn = Drawn(context.params.mistakes)
    asked: dict[int, Boxes] = {}
    truth: Truth | None = None
    for row, found in finding.found(read):
        truth = truth or true(context, split, boxes, labels, finding.size)
        asked[row] = found
        drawn.add(row, truth[row], found, precision.add(truth[row], found))
    if truth is None:
        raise DatasetUnsuitable(f"no image of split {split!r} can be decoded", field="split")
    if not precision.counts()[0].any():
        raise DatasetUnsuitable(f"none of the {len(asked):,} images of split {split!r} has a box on it", field="split")
    intervals, ends = precision.intervals()
    made: dict[str, Any] = {
        "format": FORMAT,
        "kind": "detection",
        **asdict(about.told(examples=precision.images, read_as="boxes", output="boxes", random=())),
        "metrics": precision.metrics(),
        "intervals": {name: list(each) for name, each in intervals.items()},
        "inputs": {name: context.features[feature].kind for name, feature in finding.fitted.items()},
        **left_out(finding.examples, finding.unreadable, {}),
        "problems": context.data.index.problems,
        "signature": finding.signature,
        **_named(matching, by_name=matching.by_name or not read.are_places),
        "classes": _classes(matching.names, precision, ends),
    }
    made["floors"] = _floors(context, boxes, labels, finding, asked, truth, len(matching.names))
    made["controls"] = _controls(asked, truth, matching, made["metrics"])
    made["worst"] = worst(drawn, finding.examples, finding.image, finding.size, matching.names)
    return made


def left_out(examples: Examples, unreadable: Mapping[int, str], others: Mapping[str, int]) -> dict[str, Any]:
    """What a report says of what was not judged: what cannot be decoded, and how many for which other reason."""
    counts = {**others, "cannot be decoded": len(unreadable)}
    return {
        "left_out": {why: count for why, count in counts.items() if count},
        "unreadable": [
            {"path": examples.origin(row), "reason": reason} for row, reason in sorted(unreadable.items())[:NAMED]
        ],
    }


def targets(context: Context) -> tuple[Feature, Feature]:
    """The boxes and their classes. Raises DatasetUnsuitable."""
    features = context.features.values()
    boxes = next(each for each in features if each.kind == "boxes" and each.role == "target")
    labels = next((each for each in features if each.kind == "category" and each.shape == (None,)), None)
    if labels is None:
        raise DatasetUnsuitable(f"the dataset has boxes as {boxes.name!r}, and no classes of them")
    return boxes, labels


def true(context: Context, split: str, boxes: Feature, labels: Feature, size: tuple[int, int]) -> Truth:
    """The boxes as they lie on pictures of this size. Raises DatasetUnsuitable."""
    image = context.data.image
    same = image is not None and image.shape[:2] == size
    if not same and size[0] != size[1]:
        raise DatasetUnsuitable(f"the model takes images of {size[0]} × {size[1]} and the dataset's differ in size")
    form = Form(image_size=0 if same else size[0])
    edges, numbers = (context.data.column(split, each.name, form).array for each in (boxes, labels))
    assert edges is not None
    assert numbers is not None
    return Truth(edges, numbers)


def _named(matching: Matching, *, by_name: bool) -> dict[str, Any]:
    return {
        "matched_by": "name" if by_name else "position",
        "unknown_to_model": list(matching.unknown_to_model),
        "unknown_to_dataset": list(matching.unknown_to_dataset),
    }


def _classes(names: Sequence[str], precision: Precision, ends: NDArray[np.float64]) -> list[dict[str, Any]]:
    by_class, (there, found) = precision.by_class(), precision.counts()

    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return [
        {
            "name": name,
            "support": int(there[at]),
            "found": int(found[at]),
            "ap50": known(by_class[at, 0]),
            "ap50_low": known(ends[at, 0]),
            "ap50_high": known(ends[at, 1]),
            "ap": known(by_class[at].mean()),
        }
        for at, name in enumerate(names)
    ]


def _floors(
    context: Context,
    boxes: Feature,
    labels: Feature,
    finding: Finding,
    asked: dict[int, Boxes],
    truth: Truth,
    classes: int,
) -> dict[str, dict[str, Any]]:
    """What the mean box of training reaches, with the class that each object really has."""
    source = "train" if context.splits.get("train") else finding.examples.name
    learnt = true(context, source, boxes, labels, finding.size)
    mean = learnt.edges[learnt.labels >= 0].mean(0)
    images = []
    for row in asked:
        here = truth[row]
        images.append((here, Boxes(np.tile(mean, (len(here), 1)).astype(np.float32), here.labels, here.scores)))
    reached = judged(classes, images).metrics()
    by = f"the mean box of {source}, with the class that each object really has"
    return {name: {"value": value, "by": by} for name, value in reached.items()}


def _controls(
    asked: dict[int, Boxes], truth: Truth, matching: Matching, metrics: dict[str, float]
) -> list[dict[str, Any]]:
    """What the same boxes are worth with classes drawn at random, and what the true ones are."""
    random, classes = np.random.default_rng(_SEED), matching.known_to_dataset

    def drawn(boxes: Boxes) -> Boxes:
        return Boxes(boxes.edges, random.integers(0, classes, len(boxes)), random.random(len(boxes)).astype(np.float32))

    ways = (
        (
            "classes drawn at random",
            "The model's boxes: what is left did not need to know what is in them.",
            asked,
            "map50",
        ),
        (
            "true boxes, classes drawn at random",
            "What a model reaches that knows where everything is and not what.",
            {row: truth[row] for row in asked},
            "map50",
        ),
    )
    found = []
    for name, says, given, metric in ways:
        value = judged(len(matching.names), ((truth[row], drawn(boxes)) for row, boxes in given.items()))
        found.append(
            {
                "name": name,
                "says": says,
                "metric": metric,
                "as_is": metrics[metric],
                "value": value.metrics()[metric],
                "examples": len(asked),
            }
        )
    return found
