"""A model that writes is asked what the text of a split costs, and to write; beside it what counting and compressing
reach, and how much of what it writes it has by heart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from operator import itemgetter
from typing import Any

import numpy as np

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.session import Context
from modelyard.templates.corpus import Document, code_points, documents, text_feature
from modelyard.templates.evaluate import ngrams
from modelyard.templates.evaluate.document import FORMAT, About
from modelyard.templates.evaluate.regression import mean_interval
from modelyard.templates.saved import Saved

TASK = "text-generation"
SCORE, GENERATE = "score", "generate"
PIECE = 4096
"""Symbols that are judged in one go: the first ones of each cost more, as nothing stands before them."""
AT_ONCE = 8
MOST = 4_000_000
"""Symbols that are judged, and MOST_LEARNT that counting and compressing learn from."""
MOST_LEARNT = 20_000_000
ORDERS = (2, 6)
TEMPERATURES = (0.5, 0.8, 1.1)
SAMPLE, PROMPT, SEED = 500, 40, 1
_RANDOM = 20260101


def is_for(model: Saved) -> bool:
    """Whether it is a model that writes."""
    return bool(model.description.get("task") == TASK)


def evaluate(context: Context, model: Saved, split: str, about: About) -> dict[str, Any]:
    """evaluation.json's content. Raises ModelUnsuitable and DatasetUnsuitable."""
    for name in (SCORE, GENERATE):
        if name not in model.signatures:
            there = ", ".join(sorted(model.signatures)) or "none"
            raise ModelUnsuitable(f"a model that writes has a signature {name!r}; this one has {there}", field="model")
    feature = text_feature(context, context.params.text)
    judged = documents(context, split, feature)
    if not any(each.text for each in judged):
        raise DatasetUnsuitable(f"split {split!r} has no text", field="split")
    pieces = [(which, piece) for which, each in enumerate(judged) for piece in _pieces(each.text)][: MOST // PIECE]
    costs = _scored(context, model, [piece for _, piece in pieces], progress=True)
    text = "".join(piece for _, piece in pieces)
    total = {name: int(sum(cost[name] for cost in costs)) for name in ("characters", "unknown")}
    per_piece = np.array([cost["bits"] / max(1, cost["characters"]) for cost in costs])
    bits = float(sum(cost["bits"] for cost in costs) / max(1, total["characters"]))
    found: dict[str, Any] = {
        "format": FORMAT,
        "kind": TASK,
        **asdict(about.told(examples=len(judged), read_as="text", output="bits", random=())),
        "metrics": {"bits": bits, "perplexity": float(2.0**bits)},
        "intervals": {"bits": list(mean_interval(per_piece))} if len(per_piece) > 1 else {},
        **total,
        "documents": _by_document(judged, pieces, costs),
        "left_out": {},
        "problems": context.data.index.problems,
    }
    train = "\n".join(each.text for each in documents(context, "train", feature)) if split != "train" else ""
    train = train[:MOST_LEARNT]
    if train:
        _beside(found, train, text)
    found["controls"] = _controls(context, model, [piece for _, piece in pieces])
    found["samples"] = _samples(model, judged, train)
    return found


def _pieces(text: str) -> list[str]:
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def _scored(context: Context, model: Saved, pieces: Sequence[str], *, progress: bool = False) -> list[dict[str, float]]:
    found = []
    for start in range(0, len(pieces), AT_ONCE):
        some = pieces[start : start + AT_ONCE]
        answer = model.ask(SCORE, {"text": np.array([piece.encode() for piece in some], object)})
        found += [
            {name: float(answer[name][row]) for name in ("bits", "characters", "unknown")} for row in range(len(some))
        ]
        if progress:
            context.progress(start + len(some), len(pieces))
    if not all(np.isfinite(cost["bits"]) for cost in found):
        raise ModelUnsuitable(f"signature {SCORE!r} answers bits that are no numbers")
    return found


def _by_document(
    judged: Sequence[Document], pieces: Sequence[tuple[int, str]], costs: Sequence[Mapping[str, float]]
) -> list[dict[str, Any]]:
    found = []
    for which, document in enumerate(judged):
        mine = [cost for (of, _), cost in zip(pieces, costs, strict=True) if of == which]
        characters = sum(cost["characters"] for cost in mine)
        if characters:
            bits = sum(cost["bits"] for cost in mine) / characters
            found.append({"name": document.name, "characters": int(characters), "bits": bits})
    return sorted(found, key=itemgetter("bits"), reverse=True)[:50]


def _beside(found: dict[str, Any], train: str, text: str) -> None:
    """What is reached without a network, on the same text."""
    learnt, asked = code_points(train), code_points(text)
    reached = ngrams.bits(learnt, asked, (1, *ORDERS))
    found["floors"] = {"bits": {"value": reached[1], "by": "always the frequencies of train's symbols"}}
    found["references"] = {f"{order}-gram": reached[order] for order in ORDERS}
    found["references"]["xz"] = ngrams.compressed(train, text)


def _controls(context: Context, model: Saved, pieces: Sequence[str]) -> list[dict[str, Any]]:
    """What a text costs that is out of order, or of which only the last few symbols are seen."""
    random = np.random.default_rng(_RANDOM)
    some = list(pieces[: 4 * AT_ONCE])
    lines = [text.split("\n") for text in some]
    words = [
        "\n".join(" ".join(parts[at] for at in random.permutation(len(parts))) for parts in map(str.split, each))
        for each in lines
    ]
    short = [text[at : at + 16] for text in some for at in range(0, len(text) - 16, 64)]
    ways = [
        ("words of each line shuffled", "What it costs more is what the order of words tells.", words),
        ("16 symbols at a time", "What it costs more is what stands further back.", short),
    ]
    costs = _scored(context, model, some)
    as_is = sum(cost["bits"] for cost in costs) / max(1.0, sum(cost["characters"] for cost in costs))
    found = []
    for name, says, texts in ways:
        costs = _scored(context, model, [text for text in texts if text])
        characters = sum(cost["characters"] for cost in costs)
        if characters:
            value = sum(cost["bits"] for cost in costs) / characters
            found.append(
                {"name": name, "says": says, "metric": "bits", "as_is": as_is, "value": value, "examples": len(texts)}
            )
    return found


def _samples(model: Saved, judged: Sequence[Document], train: str) -> list[dict[str, Any]]:
    """One at each temperature, twice: the same seed has to write the same."""
    known = set(train) or set(judged[0].text)
    prompt = "".join(symbol for symbol in judged[0].text[:PROMPT] if symbol in known) or next(iter(known))
    words = set(train.split())
    found = []
    for temperature in TEMPERATURES:
        text, again = (_written(model, prompt, temperature) for _ in range(2))
        of = text.split()[1:-1]
        found.append(
            {
                "temperature": temperature,
                "prompt": prompt,
                "text": text,
                "again": text == again,
                "known_words": sum(word in words for word in of) / max(1, len(of)),
                "copied": _copied(text, train),
            }
        )
    return found


def _written(model: Saved, prompt: str, temperature: float) -> str:
    answer = model.ask(
        GENERATE,
        {
            "prompt": np.array([prompt.encode()], object),
            "length": np.array(SAMPLE, np.int32),
            "temperature": np.array(temperature, np.float32),
            "seed": np.array(SEED, np.int32),
        },
    )
    return bytes(answer["text"][0]).decode("utf-8", "replace")


def _copied(text: str, train: str) -> str:
    """The longest part of it that is in the training text as it is."""
    start, best = 0, ""
    for end in range(1, len(text) + 1):
        while start < end and text[start:end] not in train:
            start += 1
        if end - start > len(best):
            best = text[start:end]
    return best
