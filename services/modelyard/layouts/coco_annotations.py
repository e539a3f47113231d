"""What a JSON file in the format of the COCO sets says: its images, its categories, and the boxes on the images."""

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from modelyard.layouts.chunks import Problems
from modelyard.layouts.errors import DataUnreadable
from modelyard.layouts.files import Files
from modelyard.layouts.json_stream import JsonDamagedError, json_lists
from modelyard.layouts.text_files import open_bytes

Id: TypeAlias = int | str
_FAR = 1_000_000_000
"""Pixels."""
_IDS = "an id is a whole number or a text"


@dataclass
class Annotations:
    """What one file says."""

    path: str
    problems: Problems
    seen: Counter[str] = field(default_factory=Counter)
    """How many elements each list has."""
    images: dict[Id, str] = field(default_factory=dict)
    """By its id, the image's name."""
    repeated: dict[Id, Id] = field(default_factory=dict)
    """Id of an image that another id has already -> that one."""
    categories: dict[Id, str] = field(default_factory=dict)
    boxes: int = 0
    """Annotations that should have a box: all but crowds."""
    unusable: int = 0
    """As many of them are not used; each is a problem."""
    first_unusable: str = ""
    image_ids: list[Id] = field(default_factory=list)
    category_ids: list[Id] = field(default_factory=list)
    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    """As which of the file's annotations each comes, counted from 1."""
    edges: "array[float]" = field(default_factory=lambda: array("f"))
    """Four a box: x_min, y_min, x_max, y_max."""
    places: dict[Id, list[int]] = field(default_factory=dict)
    """By its id, an image's boxes among these."""
    _same: dict[Id, Id] = field(default_factory=dict)
    """One object for each id, however many boxes have it."""

    def add_image(self, element: Mapping[str, Any]) -> None:
        name = element.get("file_name")
        if isinstance(name, str) and name:
            self._keep(self.images, f"image {self.seen['images']}", name, element)
        else:
            self._problem(f"image {self.seen['images']} has no file_name")

    def add_category(self, element: Mapping[str, Any]) -> None:
        name = str(element.get("name", ""))
        self._keep(self.categories, f"category {self.seen['categories']}", name, element)

    def _keep(self, kept: dict[Id, str], what: str, name: str, element: Mapping[str, Any]) -> None:
        """By its id, which it has alone."""
        key = _id(element.get("id"))
        if key is None:
            self._problem(f"{what} ({name!r:.60}) has no id but {element.get('id')!r:.60}; {_IDS}")
        elif key in kept:
            self._problem(f"{what} ({name!r:.60}) has the id {key!r:.60} of {kept[key]!r:.60}")
        else:
            kept[key] = name

    def add_box(self, element: Mapping[str, Any]) -> None:
        if element.get("iscrowd"):
            return
        self.boxes += 1
        number, box = self.seen["annotations"], element.get("bbox")
        edges = [_edge(edge) for edge in box if type(edge) in (int, float)] if isinstance(box, list) else []
        if len(edges) != 4 or len(box or ()) != 4 or not all(map(math.isfinite, edges)) or min(edges[2:]) <= 0:
            self.refuse(number, f"has no box but {box!r:.60}; a box is [x, y, width, height]")
            return
        x, y, width, height = edges
        if not all(abs(edge) < _FAR for edge in (x, y, width, height)):
            self.refuse(number, f"has a box far out: {box!r:.60}")
            return
        image, category = _id(element.get("image_id")), _id(element.get("category_id"))
        if image is None or category is None:
            key = "image_id" if image is None else "category_id"
            self.refuse(number, f"has no {key} but {element.get(key)!r:.60}; {_IDS}")
            return
        self.image_ids.append(self._same.setdefault(image, image))
        self.category_ids.append(self._same.setdefault(category, category))
        self.numbers.append(number)
        self.edges.extend((x, y, x + width, y + height))

    def add_no_object(self, key: str, element: object) -> None:
        why = f"is no object but {element!r:.60}"
        if key == "annotations":
            self.boxes += 1
            self.refuse(self.seen[key], why)
        else:
            self._problem(f"{key}: element {self.seen[key]} {why}")

    def join_repeated(self) -> None:
        """Once all is read: an image is one example with the boxes of all of its ids."""
        first: dict[str, Id] = {}
        for key, name in self.images.items():
            if first.setdefault(name, key) != key:
                self.repeated[key] = first[name]
        for key in self.repeated:
            del self.images[key]

    def place_boxes(self) -> None:
        """Once all is read: annotations come before or after what they speak of."""
        for at, (number, image, category) in enumerate(
            zip(self.numbers, self.image_ids, self.category_ids, strict=True)
        ):
            image = self.repeated.get(image, image)
            if image not in self.images:
                self.refuse(number, f"is of image {image!r:.60}, which there is not")
            elif category not in self.categories:
                self.refuse(number, f"has the category {category!r:.60}, which there is not")
            else:
                self.places.setdefault(image, []).append(at)

    def refuse(self, number: int, why: str) -> None:
        """An annotation that can't be used."""
        self.unusable += 1
        self.first_unusable = self.first_unusable or f"annotation {number} {why}"
        self._problem(f"annotation {number} {why}")

    def _problem(self, reason: str) -> None:
        self.problems.add(self.path, 0, reason)


def read_annotations(path: str, files: Files, problems: Problems) -> Annotations:
    """Raises DataUnreadable."""
    found = Annotations(path, problems)
    add = {"images": found.add_image, "categories": found.add_category, "annotations": found.add_box}
    try:
        with open_bytes(path, files[path]) as stream:
            for key, element in json_lists(stream):
                found.seen[key] += 1
                if key not in add:
                    continue
                if isinstance(element, dict):
                    add[key](element)
                # Some write null for an empty list.
                elif element is not None:
                    found.add_no_object(key, element)
    except JsonDamagedError as error:
        raise DataUnreadable(path, str(error), reason="JSON_DAMAGED") from None
    for key in ("images", "categories"):
        if not found.seen[key]:
            raise DataUnreadable(path, f"has no {key!r}; it has {', '.join(found.seen) or 'nothing'}")
    found.join_repeated()
    found.place_boxes()
    return found


def _edge(value: float) -> float:
    """Whole numbers have no end in JSON, floats have."""
    return float(max(-_FAR, min(_FAR, value))) if isinstance(value, int) else value


def _id(value: object) -> Id | None:
    """By what an element is known; a whole float is its int, as pycocotools has it. None for what can be no id."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int or isinstance(value, str) else None
