"""Asks a model about every example of a split and reports how it does, in the way of its task."""

import time
from datetime import UTC, datetime
from typing import Any

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.templates.evaluate import (
    detecting,
    document,
    forecasts,
    generation,
    page,
    recommending,
    retrieving,
    supervised,
    transcribing,
    writing,
)
from modelyard.templates.evaluate.document import About
from modelyard.templates.needs import DataSeen
from modelyard.templates.predict.predict import seen
from modelyard.templates.saved import Saved


def main() -> None:
    """outputs/report gets evaluation.json and report.html."""
    split = context.params.split if context.params.split != "held-out" else context.held_out or "train"
    if not context.splits.get(split, 0):
        raise DatasetUnsuitable(
            f"split {split!r} has no examples; the dataset has "
            + ", ".join(f"{name} ({count})" for name, count in context.splits.items()),
            field="split",
        )
    model = Saved(context.model)
    data = seen(context.data.index.description, context.dataset_version)
    began = time.monotonic()
    found = judged(model, split, data)
    found["seconds"] = time.monotonic() - began
    folder = context.output("report")
    document.write(folder / "evaluation.json", found)
    (folder / "report.html").write_text(page.render(found), encoding="utf-8")
    print(f"{split}: " + ", ".join(f"{name} {value:.4g}" for name, value in found["metrics"].items()))
    context.evaluated(found["metrics"], split, found["examples"])


def judged(model: Saved, split: str, data: DataSeen) -> dict[str, Any]:
    """evaluation.json's content, by the judge of the model's task."""
    about = About(
        split,
        model=context.model_version,
        dataset=context.dataset_version,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if forecasts.is_for(model):
        return forecasts.evaluate(context, model, split, about)
    if generation.is_for(model):
        return generation.evaluate(context, model, split, about)
    if data.modality == "interactions":
        return recommending.evaluate(context, model, split, data, about)
    if detecting.is_detection(tuple(context.features.values())):
        return detecting.evaluate(context, model, split, data, about)
    if retrieving.is_embedding(model):
        return retrieving.evaluate(context, model, split, data, about)
    if writing.is_for(data):
        return writing.evaluate(context, model, split, data, about)
    if model.description.get("task") in transcribing.TASKS:
        return transcribing.evaluate(context, model, split, data, about)
    return supervised.evaluate(context, model, split, data, about)
