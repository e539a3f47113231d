"""A model that writes is asked what the text of a split costs, and to write; beside it what counting and compressing
reach, and how much of what it writes it has by heart."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import itemgetter
from typing import Any

import numpy as np

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.corpus import Document, code_points, documents, text_feature
from modelyard.templates.evaluate import ngrams, shuffling
from modelyard.templates.evaluate.document import FORMAT, About
from modelyard.templates.evaluate.ranking import Z_95
from modelyard.templates.evaluate.regression import Interval
from modelyard.templates.saved import Saved

TASK = "text-generation"
SCORE, GENERATE = "score", "generate"
PIECE = 4096
"""Symbols that are judged in one go: the first ones of each cost more, as nothing stands before them."""
AT_ONCE = 8
"""Pieces that are asked together; of shorter ones as many as are no more symbols, and no more than MOST_AT_ONCE."""
MOST_AT_ONCE = 256
MOST = 4_000_000
"""Symbols that are judged, about, MOST_CONTROLLED of them in controls, and MOST_LEARNT that counting and compressing
learn from."""
MOST_CONTROLLED = 32 * PIECE
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
    pieces = pieces_of([each.text for each in judged], MOST)
    costs = _scored(context, model, [piece for _, piece in pieces], progress=True)
    text = "".join(piece for _, piece in pieces)
    total = {name: int(sum(cost[name] for cost in costs)) for name in ("characters", "unknown")}
    examples = len({which for which, _ in pieces})
    beyond = {f"are not among the {MOST:,} symbols that are judged": len(judged) - examples}
    bits = float(sum(cost["bits"] for cost in costs) / max(1, total["characters"]))
    found: dict[str, Any] = {
        "format": FORMAT,
        "kind": TASK,
        **asdict(about.told(examples=examples, read_as="text", output="bits", random=())),
        "metrics": {"bits": bits, "perplexity": float(2.0**bits)},
        "intervals": {"bits": list(interval(costs))} if len(costs) > 1 and total["characters"] else {},
        **total,
        "documents": _by_document(judged, pieces, costs),
        "left_out": {why: count for why, count in beyond.items() if count},
        "problems": context.data.index.problems,
    }
    train = "\n".join(each.text for each in documents(context, "train", feature)) if split != "train" else ""
    train = train[:MOST_LEARNT]
    if train:
        _beside(found, train, text)
    controlled = [text for _, text in pieces_of([piece for _, piece in pieces], MOST_CONTROLLED)]
    found["controls"] = _controls(context, model, controlled)
    found["samples"] = _samples(model, _prompt(context, model, judged[0].text, text), train)
    return found


def pieces_of(texts: Sequence[str], most: int) -> list[tuple[int, str]]:
    """Which text, and PIECE symbols of it or what is left: all, or about `most` symbols, evenly spread."""
    places = [(which, at) for which, text in enumerate(texts) for at in range(0, len(text), PIECE)]
    some = spread(len(places), max(1, len(places) * most // max(1, sum(map(len, texts)))))
    return [(which, texts[which][at : at + PIECE]) for which, at in (places[place] for place in some)]


def interval(costs: Sequence[Mapping[str, float]]) -> Interval:
    """Of bits a symbol, which is the ratio of two means over at least two pieces (Cochran, Sampling Techniques, 3rd
    ed., §2.11)."""
    bits, characters = (np.array([cost[name] for cost in costs]) for name in ("bits", "characters"))
    ratio = float(bits.sum() / characters.sum())
    apart = float((bits - ratio * characters).std(ddof=1))
    wide = Z_95 * apart / (math.sqrt(len(costs)) * float(characters.mean()))
    return max(0.0, ratio - wide), ratio + wide


def batches(pieces: Sequence[str]) -> Iterator[Sequence[str]]:
    """As they are asked: each piece of a batch is as long as its longest."""
    start = longest = 0
    for at, piece in enumerate(pieces):
        longest = max(longest, len(piece))
        if at > start and (at - start == MOST_AT_ONCE or (at - start + 1) * longest > AT_ONCE * PIECE):
            yield pieces[start:at]
            start, longest = at, len(piece)
    if pieces:
        yield pieces[start:]


def _scored(context: Context, model: Saved, pieces: Sequence[str], *, progress: bool = False) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    for some in batches(pieces):
        answer = model.ask(SCORE, {"text": np.array([piece.encode() for piece in some], object)})
        found += [
            {name: float(answer[name][row]) for name in ("bits", "characters", "unknown")} for row in range(len(some))
        ]
        if progress:
            context.progress(len(found), len(pieces))
    if not all(np.isfinite(cost["bits"]) for cost in found):
        raise ModelUnsuitable(f"signature {SCORE!r} answers bits that are no numbers")
    return found


def _by_document(
    judged: Sequence[Document], pieces: Sequence[tuple[int, str]], costs: Sequence[Mapping[str, float]]
) -> list[dict[str, Any]]:
    of = [which for which, _ in pieces]
    bits, characters = (np.bincount(of, [cost[name] for cost in costs]) for name in ("bits", "characters"))
    found = [
        {
            "name": judged[which].name,
            "characters": int(characters[which]),
            "bits": float(bits[which] / characters[which]),
        }
        for which in np.flatnonzero(characters).tolist()
    ]
    return sorted(found, key=itemgetter("bits"), reverse=True)[:50]


def _beside(found: dict[str, Any], train: str, text: str) -> None:
    """What is reached without a network, on the same text and with the same symbols told apart."""
    learnt, asked = code_points(train), code_points(text)
    apart = ngrams.told_apart(learnt, asked, found["unknown"])
    reached = ngrams.bits(learnt, asked, (1, *ORDERS), apart)
    found["floors"] = {"bits": {"value": reached[1], "by": "always the frequencies of train's symbols"}}
    found["references"] = {f"{order}-gram": reached[order] for order in ORDERS}
    found["references"]["xz"] = ngrams.compressed(train, text)


def _controls(context: Context, model: Saved, pieces: Sequence[str]) -> list[dict[str, Any]]:
    """What a text costs that is out of order, or of which only the last few symbols are seen."""
    random = np.random.default_rng(_RANDOM)
    lines = [np.array([line.encode() for line in text.split("\n")], object) for text in pieces]
    parts, shuffle = shuffling.of_texts(np.concatenate(lines))
    mixed = [b"\n".join(shuffle(each, random).tolist()).decode() for each in lines]
    short = [text[at : at + 16] for text in pieces for at in range(0, len(text) - 16, 64)]
    ways = [
        (f"{parts} of each line shuffled", f"What it costs more is what the order of {parts} tells.", mixed),
        ("16 symbols at a time", "What it costs more is what stands further back.", short),
    ]
    costs = _scored(context, model, pieces)
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


def _prompt(context: Context, model: Saved, begins: str, text: str) -> str:
    """The beginning without the symbols that the model does not know; if it knows none, what `text` has most of."""
    symbols = list(begins[:PROMPT])
    costs = _scored(context, model, symbols)
    known = [symbol for symbol, cost in zip(symbols, costs, strict=True) if not cost["unknown"]]
    return "".join(known) or Counter(text).most_common(1)[0][0]


def _samples(model: Saved, prompt: str, train: str) -> list[dict[str, Any]]:
    """One at each temperature, twice: the same seed has to write the same."""
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
