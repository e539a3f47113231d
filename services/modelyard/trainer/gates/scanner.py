"""The process that reads a model's files: `python -m modelyard.trainer.gates.scanner <folder>`.

It runs in the sandbox and writes JSON lines: `signature`, `operation`, `unanswered`, `counts`, at most one `problem`,
and `done` as the last one. It imports no TensorFlow: nothing of the model runs here.
"""

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from modelyard.trainer.gates import bundle, described, graph, warmup
from modelyard.trainer.gates.files import DESCRIPTION_FILE, VARIABLES, WARMUP_FILE, NotWhole

MAX_PLACES = 3
"""So often each operation is told, in other functions."""
MAX_TOLD = 100


def main(folder: Path) -> None:
    """Print what is found."""
    try:
        _describe(folder)
    except NotWhole as problem:
        _say("problem", gate="integrity", text=str(problem))
    _say("done")


def _describe(folder: Path) -> None:
    served = graph.read(folder)
    variables = bundle.check(folder) if (folder / f"{VARIABLES}.index").is_file() else 0
    if large := graph.oversized(served):
        raise NotWhole(f"{large}, which is more than {graph.MAX_CONSTANT_BYTES >> 30} GiB; build it in the graph")
    _check_description(folder / DESCRIPTION_FILE)
    for signature, side, tensor, dtype, shape, what in graph.signatures(served):
        _say("signature", name=signature, side=side, tensor=tensor, dtype=dtype, shape=shape, what=what)
    told = Counter[tuple[str, bool, str]]()
    for operation in graph.operations(served):
        seen = (operation.op, operation.saving, operation.harm)
        told[seen] += 1
        if told[seen] <= MAX_PLACES:
            _say("operation", **asdict(operation))
    requests = -1
    if (folder / WARMUP_FILE).is_file():
        try:
            requests = warmup.check(folder)
        except NotWhole as problem:
            _say("problem", gate="warmup", text=str(problem))
    functions = len(served.graph_def.library.function)
    _say("counts", variables=variables, functions=functions, warmup_requests=requests)


def _check_description(path: Path) -> None:
    if not path.is_file():
        return
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise NotWhole(f"{path.name} is no JSON") from None
    if not isinstance(content, dict) or content.get("format") != 1:
        raise NotWhole(f'{path.name} is no description of format 1; it begins with {{"format": 1, …}}')
    if isinstance(content.get("trouble"), str):
        _say("problem", gate="parity", text=content["trouble"])
    unanswered = content.get("unanswered")
    for signature, why in list(unanswered.items())[:MAX_TOLD] if isinstance(unanswered, dict) else ():
        _say("unanswered", signature=signature, why=str(why))
    for kind, values in described.told(content):
        _say(kind, **values)


def _say(kind: str, **values: object) -> None:
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = value[:1000]
    print(json.dumps({kind: values}), flush=kind in ("problem", "done"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
