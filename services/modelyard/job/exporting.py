"""How a model is served that the code exports, as far as the code leaves it open."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job import answers, export, signatures
from modelyard.job.data import Data
from modelyard.job.fed import Fed, Prepare
from modelyard.job.known import Known
from modelyard.job.selection import select
from modelyard.job.signatures import Served
from modelyard.job.values import Form
from modelyard.layouts import Feature


class Exporting:
    """What a job knows of its data and of what its models were fitted on."""

    def __init__(self, data: Data, fed: Fed, seed: int) -> None:
        self._data = data
        self._fed = fed
        self._seed = seed
        self._known = Known(data, export.GOLDEN_EXAMPLES) if data.exists else None

    def served(
        self,
        model: Any,
        signature: Any,
        prepare: Prepare | None,
        examples: Any,
        image_size: int,
        task: str = "",
        classes: Sequence[str] | None = None,
    ) -> Served:
        """See Context.export. Raises ExportInvalid."""
        served = self._served(model, signature, prepare, examples, image_size)
        if signature is None and not served.task:
            named = classes if classes is not None else self._data.index.classes if self._data.exists else ()
            served = answers.by_task(model, served, task, named)
        if served.synthetic:
            print(
                "export: no real inputs of this model are known, so its answers to made-up ones are kept; "
                "context.export(model, examples=…) takes real ones"
            )
        return served

    def _served(self, model: Any, signature: Any, prepare: Prepare | None, examples: Any, image_size: int) -> Served:
        if signature is not None and signatures.is_functions(signature):
            functions = signature if isinstance(signature, Mapping) else {signatures.DEFAULT: signature}
            return signatures.of_functions(functions, examples, self._known, self._seed)
        given = examples if examples is not None else self._fed.examples(model)
        if signature is not None:
            return signatures.with_specs(model, signature, given, self._seed)
        if examples is None and len(getattr(model, "inputs", None) or [None]) == 1 and self._learns_pictures:
            served = self._classifier(model, prepare, image_size)
            if served is not None:
                return served
        if examples is None and self._known is not None:
            known = signatures.whole_model_of(model, self._known)
            if known is not None:
                return known
        return signatures.whole_model(model, given, self._seed)

    @property
    def _learns_pictures(self) -> bool:
        """Whether the dataset is pictures, each with its class."""
        if not self._data.exists or not self._data.index.classes:
            return False
        selected = select(self._data.index.description)
        return [feature.kind for feature in selected.inputs] == ["image"] and len(selected.targets) == 1

    def _classifier(self, model: Any, prepare: Prepare | None, image_size: int) -> Served | None:
        form = Form(image_size or self._data.form.image_size)
        way = prepare or self._fed.preparation(model)
        if way is None:
            print(
                "export: how the model's input was made of the stored pictures cannot be seen, so it is served "
                "with its own input and `modelyard predict --image` will not do; "
                "context.export(model, prepare=lambda images: …) says how"
            )
            return None
        shape = self._data.image_shape(form.image_size)
        return signatures.classifier(model, way, shape, self._data.index.classes, self._shown(form))

    def _shown(self, form: Form) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """A few pictures and their labels."""
        known, image = self._known, self._data.image
        assert known is not None
        assert image is not None
        labels = known.labels(known.all_rows)
        assert labels is not None
        return self._data.some(known.split, [image.name], known.all_rows, form)[image.name], labels

    def described(
        self, served: Served, task: str | None, classes: Sequence[str] | None, inputs: Mapping[str, str] | None
    ) -> Served:
        """With what the code says of it, and what the dataset says of inputs that are named like its features."""
        features = self._data.index.features if self._data.exists else {}
        names = {name for each in served.signatures.values() for name in each.specs}
        kinds = {name: _kind(features[name]) for name in sorted(names) if name in features}
        if classes is None:
            classes = served.classes or (self._data.index.classes if task and self._data.exists else ())
        return replace(
            served,
            task=served.task if task is None else task,
            classes=classes,
            inputs={**kinds, **served.inputs, **(inputs or {})},
            about={**served.about, **self._form_of(kinds), **_categories(features, kinds)},
        )

    def _form_of(self, kinds: Mapping[str, str]) -> dict[str, Any]:
        """How the sounds and videos were brought into shape that the model learned from."""
        form = self._data.form
        about: dict[str, Any] = {}
        if "audio" in kinds.values():
            about["audio"] = {"sample_rate": form.sample_rate, "seconds": form.seconds}
        if "video" in kinds.values():
            about["video"] = {"frames": form.frames, "image_size": form.image_size}
        return about


def _categories(features: Mapping[str, Feature], kinds: Mapping[str, str]) -> dict[str, Any]:
    """The values that each category of the inputs had in the data."""
    known = {name: list(features[name].classes) for name, kind in kinds.items() if kind == "category"}
    return {"categories": known} if any(known.values()) else {}


def _kind(feature: Feature) -> str:
    """What an input of this name is: `user` and `item` say more than `id`."""
    return feature.role if feature.role in ("user", "item") else feature.kind
