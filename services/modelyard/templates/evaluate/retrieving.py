"""A model that makes a vector of a picture is asked about pictures of identities that training has not seen, and those
of one identity are looked for among all others."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.index import Examples
from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.layouts import Feature
from modelyard.templates.evaluate.detecting import left_out
from modelyard.templates.evaluate.document import FORMAT, About
from modelyard.templates.evaluate.exhibits import exhibit
from modelyard.templates.evaluate.retrieval import Vectors, compare, on_white, pixels
from modelyard.templates.evaluate.shuffling import GRID, patches
from modelyard.templates.fitting import DEFAULT, fit
from modelyard.templates.identities import compared
from modelyard.templates.needs import DataSeen
from modelyard.templates.predict.feeding import Feed
from modelyard.templates.saved import Saved

TASK, OUTPUT = "image-embedding", "embedding"
MOST = 4000
"""Pictures that are compared with each other, of as many identities as that holds."""
NEIGHBOURS, SHOWN = 6, 12
_SEED = 20260101


def is_embedding(model: Saved) -> bool:
    """Whether it says of itself that it answers vectors of pictures."""
    return model.description.get("task") == TASK


def evaluate(context: Context, model: Saved, split: str, data: DataSeen, about: About) -> dict[str, Any]:
    """evaluation.json's content. Raises ModelUnsuitable and DatasetUnsuitable."""
    examples = context.data.index.split(split)
    label = _identity(context)
    rows, crossing, over = _chosen(context, split, label)
    asking = _Asking(context, model, examples, data)
    asked, images, vectors = asking.ask(rows)
    identities = np.asarray(examples.column(label.name).values[asked])
    found = compare(vectors, identities)
    if not found.same.any() or found.same.sum() == len(asked) * (len(asked) - 1):
        raise DatasetUnsuitable(
            f"split {split!r} needs two pictures of one identity and one of another to compare; it has {len(asked):,} "
            f"pictures of {len(np.unique(identities)):,} identities that training has not seen",
            field="split",
        )
    metrics = found.metrics()
    if asking.unreadable:
        context.data.left_out.add(examples, asking.unreadable)
    return {
        "format": FORMAT,
        "kind": "retrieval",
        **asdict(about.told(examples=len(asked), read_as="vectors", output=OUTPUT, random=())),
        "metrics": metrics,
        "intervals": {name: list(each) for name, each in found.intervals().items()},
        "floors": {
            "auc": {"value": 0.5, "by": "the same similarity for all pairs"},
            "rank1": {"value": found.chance(), "by": "any other picture"},
        },
        "references": _references(images, identities),
        "controls": _controls(asking, images, identities, metrics["auc"]),
        "inputs": dict.fromkeys(asking.fitted, "image"),
        **left_out(
            examples,
            asking.unreadable,
            {
                "are of identities that training has seen": crossing,
                f"are more than the {MOST:,} that are compared": over,
            },
        ),
        "problems": context.data.index.problems,
        "identities": len(np.unique(identities)),
        "threshold": found.threshold(),
        "neighbours": _neighbours(found, asked, examples, asking.image, label),
    }


def _identity(context: Context) -> Feature:
    targets = [each for each in context.features.values() if each.kind == "category" and each.role == "target"]
    if len(targets) != 1 or targets[0].shape != ():
        raise DatasetUnsuitable(f"the dataset has {len(targets)} categories as targets; one says who or what it is")
    return targets[0]


def _chosen(context: Context, split: str, label: Feature) -> tuple[NDArray[np.int64], int, int]:
    """The pictures to compare, how many are left out as training has seen their identities, and how many are over."""
    index = context.data.index
    labels = np.asarray(index.split(split).column(label.name).values)
    known = labels >= 0
    seen = np.zeros(len(labels), np.bool_)
    if split != "train" and index.splits.get("train"):
        seen = known & np.isin(labels, index.split("train").column(label.name).values)
    rows = np.flatnonzero(known & ~seen)
    if not len(rows):
        raise DatasetUnsuitable(
            f"each identity of split {split!r} is in 'train' too, and a figure over these says nothing about others",
            field="split",
        )
    whole = rows[np.argsort(labels[rows], kind="stable")]
    chosen = whole[compared(labels[whole], MOST)]
    return np.sort(chosen), int(seen.sum()), len(whole) - len(chosen)


class _Asking:
    """Raises ModelUnsuitable, DatasetUnsuitable and DatasetNotForModel."""

    def __init__(self, context: Context, model: Saved, examples: Examples, data: DataSeen) -> None:
        if DEFAULT not in model.signatures:
            raise ModelUnsuitable(f"the model has no signature {DEFAULT!r}", field="model")
        inputs, index = model.signatures[DEFAULT], context.data.index
        self.fitted = fit(inputs, data, kinds=model.kinds)
        self.image = index.features[next(iter(self.fitted.values()))]
        self._context, self._model, self._examples = context, model, examples
        self.unreadable: dict[int, str] = {}
        """Rows of which the picture cannot be decoded, and why."""
        self._input = next(iter(self.fitted))
        self._feed = Feed(inputs, index.features, self.fitted, about=model.description, scale=context.params.scale, k=1)

    def ask(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.float32]]:
        """Of those that can be decoded: their rows, their pictures as the model sees them, and their vectors."""
        asked, images, vectors, done = [], [], [], 0
        for some in self._feed.spans(self._examples, rows, self._context.params.batch_size):
            batch = self._feed.batch(self._examples, some)
            self.unreadable |= {int(some[place]): reason for place, reason in batch.problems.items()}
            good = [place for place in range(len(some)) if place not in batch.problems]
            if good:
                asked.append(some[good])
                images.append(batch.inputs[self._input])
                vectors.append(self.vectors(images[-1]))
            done += len(some)
            self._context.progress(done, len(rows))
        if not asked:
            raise DatasetUnsuitable(f"no picture of split {self._examples.name!r} can be decoded", field="split")
        return np.concatenate(asked), np.concatenate(images), np.concatenate(vectors)

    def vectors(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """[n, d]."""
        answer = self._model.ask(DEFAULT, {self._input: images})
        found = answer.get(OUTPUT)
        if found is None or found.ndim != 2 or len(found) != len(images):
            raise ModelUnsuitable(
                f"{DEFAULT!r} answers {', '.join(sorted(answer)) or 'nothing'}; a model that compares pictures answers "
                f"{OUTPUT!r}, a vector a picture",
                field="model",
            )
        found = found.astype(np.float32)
        if not np.isfinite(found).all():
            raise ModelUnsuitable(
                f"the model answers numbers that are none: of the {len(found):,} vectors of a batch in {OUTPUT!r}, "
                f"{int((~np.isfinite(found)).any(1).sum()):,} have nan or infinity in them",
                field="model",
            )
        return found

    def vectors_in_parts(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """The same of many."""
        size = self._context.params.batch_size
        return np.concatenate([self.vectors(images[at : at + size]) for at in range(0, len(images), size)])


def _references(images: NDArray[Any], identities: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """What needs no learning, on the same pictures."""
    flat = on_white(images)
    reached = compare(pixels(flat), identities).metrics()
    return {name: {"value": value, "by": "cosine of the pixels without their mean"} for name, value in reached.items()}


def _controls(
    asking: _Asking, images: NDArray[Any], identities: NDArray[np.int64], before: float
) -> list[dict[str, Any]]:
    if min(images.shape[1:3]) < GRID:
        return []
    vectors = asking.vectors_in_parts(patches(images, np.random.default_rng(_SEED)))
    return [
        {
            "name": f"patches of {asking.image.name} shuffled",
            "says": "What is still told apart did not need shapes larger than a patch.",
            "metric": "auc",
            "as_is": before,
            "value": compare(vectors, identities).metrics()["auc"],
            "examples": len(images),
        }
    ]


def _neighbours(
    found: Vectors, rows: NDArray[np.int64], examples: Examples, image: Feature, label: Feature
) -> list[dict[str, Any]]:
    """Some pictures with those most similar to them: evenly spread, and the surest mistakes."""
    asked = np.flatnonzero(found.same.any(1))
    few = min(len(asked), SHOWN)
    even = asked[spread(len(asked), few)].tolist()
    nearest = found.nearest(min(NEIGHBOURS, len(rows) - 1))
    wrong = [at for at in asked.tolist() if found.identities[nearest[at, 0]] != found.identities[at]]
    surest = sorted(wrong, key=lambda at: -float(found.similarity[at, nearest[at, 0]]))

    def shown(at: int) -> dict[str, Any]:
        row = int(rows[at])
        name = label.classes[int(found.identities[at])]
        return {"example": row, "identity": name, **exhibit(examples, [image], row)}

    return [
        {
            **shown(at),
            "why": why,
            "nearest": [
                {
                    **shown(other),
                    "similarity": round(float(found.similarity[at, other]), 4),
                    "same": bool(found.identities[other] == found.identities[at]),
                }
                for other in nearest[at].tolist()
            ],
        }
        for why, some in (("spread", even), ("mistake", surest[:few]))
        for at in some
    ]
