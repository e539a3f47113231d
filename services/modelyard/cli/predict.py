"""`modelyard predict`"""

import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from modelyard.cli import answers
from modelyard.cli.asked import Said
from modelyard.cli.bars import counting
from modelyard.cli.batch import predict_dataset
from modelyard.cli.deployments import names
from modelyard.cli.failures import FAILED
from modelyard.cli.globals import settings
from modelyard.cli.inputs import read_inputs, typed
from modelyard.cli.output import json_text, plain, print_json
from modelyard.cli.parameters import parameter
from modelyard.cli.places import is_folder
from modelyard.cli.suggest import suggesting
from modelyard.sdk import Client
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting import Answer, Row, RowProblem
from modelyard.sdk.predicting.answers import plain as as_json_has_it
from modelyard.sdk.predicting.model import Way
from modelyard.sdk.predicting.writing import CONTINUE, is_prompt, pieces
from modelyard.sdk.tensors import rows


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(predict)


def predict(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The deployment; for a dataset also `digits@3`.")],
    more: Annotated[
        list[str] | None, typer.Argument(help="Further files of --image, --audio or --video.", show_default=False)
    ] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="An image file, '*.png', or - for stdin. May be given again.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text, or - for stdin.")] = None,
    audio: Annotated[list[str] | None, typer.Option(help="A sound file, a pattern, or -.")] = None,
    video: Annotated[list[str] | None, typer.Option(help="A video file, a pattern, or -.")] = None,
    row: Annotated[list[str] | None, typer.Option(help="age=39,job=clerk or a JSON object; job= is missing.")] = None,
    user: Annotated[list[str] | None, typer.Option(help="Whom to recommend to.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="What --user would rate.")] = None,
    k: Annotated[int | None, typer.Option(min=1, help="How many items, or how many classes are shown.")] = None,
    file: Annotated[
        str, typer.Option(help="Rows: CSV, JSONL, Parquet, lines of text, a folder of files; - reads stdin.")
    ] = "",
    input_: Annotated[
        list[str] | None, typer.Option("--input", help="An input as JSON, x=[[1, 2]], or from a file, x=@rows.json.")
    ] = None,
    signature: Annotated[str, typer.Option(help="By default the one that takes what is given.")] = "",
    picture: Annotated[
        Path | None, typer.Option(help="Draw the answer: out.png, or a folder for several inputs.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="Ask about all of it, as a job: `mnist`, `mnist@3`.")] = "",
    output: Annotated[str, typer.Option(help="With --dataset: the dataset that the answers become.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Of that job: split=test, batch_size=64.")] = None,
    job: Annotated[str, typer.Option(help="That job's name; by default one is made.")] = "",
    watch: Annotated[bool, typer.Option(help="Follow that job to its end.")] = False,
) -> None:
    """Ask a deployment; one line for each image, text or row.

    With --dataset: a deployment or `model@3`, about a dataset.
    """
    media = {"image": image or [], "audio": audio or [], "video": video or []}
    if more:
        given = [kind for kind, paths in media.items() if paths]
        if len(given) != 1:
            raise typer.BadParameter(f"what is {more[0]!r}? Say --image, --text, --row or --file before it")
        media[given[0]] = [*media[given[0]], *more]
    said = Said(media, text or (), row or (), user or (), item or (), file)
    if dataset or output:
        if said or input_:
            raise typer.BadParameter("it takes its inputs from the dataset", param_hint="--dataset")
        if picture is not None:
            raise typer.BadParameter("the answers to a dataset are not drawn", param_hint="--picture")
        chosen = ({"signature": signature} if signature else {}) | ({"k": k} if k else {})
        parameters = dict(parameter(each) for each in set_ or ()) | chosen
        predict_dataset(context, name, dataset, output, parameters=parameters, job=job, watch=watch)
        return
    if set_ or job or watch:
        raise typer.BadParameter("they are of the job that --dataset starts", param_hint="--set, --job, --watch")
    if bool(said) == bool(input_):
        raise typer.BadParameter(
            "one of --image, --text, --audio, --video, --row, --user, --file and --input is needed",
            param_hint="--image",
        )
    if input_ and (k or picture is not None):
        raise typer.BadParameter(
            "they are not for answers to --input, which come as they are", param_hint="--k, --picture"
        )
    said.check()
    if picture is not None:
        from modelyard.cli.pictures import check_picture

        check_picture(picture)
    with settings(context).client() as client, suggesting("deployment", name, lambda: names(client)):
        if input_:
            _ask_tensors(client, name, input_, signature or "serving_default", as_json=settings(context).json)
            return
        failed = _ask(client, name, said, k, signature, picture, as_json=settings(context).json)
    if failed:
        raise typer.Exit(FAILED)


def _ask(
    client: Client, name: str, said: Said, k: int | None, signature: str, picture: Path | None, *, as_json: bool
) -> int:
    """How many rows got no answer, of several; raises why the only one got none."""
    # Whoever writes a line may wait for its answer before the next one.
    one_by_one = {"rows_at_once": 1, "in_flight": 1} if said.streams else {}
    asker = client.deployments.asker(name, signature=signature, **one_by_one)
    left_out: list[str] = []
    started = time.perf_counter()
    questions = said.questions(asker.model, k, signature, left_out)
    first = list(itertools.islice(questions, 1 if said.streams else 2))
    several = said.streams or bool(said.file) or len(first) > 1
    if several and picture is not None and not is_folder(picture):
        raise InvalidArgument(
            f"{picture} is one picture; give a folder for several inputs", reason="INPUT_INVALID", field="--picture"
        )
    alone = first[0] if first and not (several or as_json or signature or picture) else None
    if isinstance(alone, Row) and is_prompt(asker.model, alone):
        _write(client, name, alone, asker.model.name)
        return 0
    show = _Shown(several, k or 0, as_json, picture, said.streams)
    with ExitStack() as stack:
        count = stack.enter_context(counting("asked", quiet=not several))
        if left_out:
            print(f"note: not asked for and left out: {', '.join(left_out)}", file=sys.stderr)
        for row, answer in _beside(asker.answers, itertools.chain(first, questions)):
            count()
            show(row, answer)
    seconds = time.perf_counter() - started
    show.close(asker.model.name, seconds)
    return show.failed


def _write(client: Client, name: str, prompt: Row, model: str) -> None:
    """Shows text while it is written."""
    started, count = time.perf_counter(), 0
    for piece in pieces(client.deployments.asker(name, signature=CONTINUE), prompt):
        print(plain(piece), end="", flush=True)
        count += len(piece)
    print()
    print(f"{count:,} symbols, {count / (time.perf_counter() - started):,.0f} a second; {model}", file=sys.stderr)


def _beside(answers_to: Any, questions: Iterable[Row | RowProblem]) -> Iterator[tuple[Row | RowProblem, Answer]]:
    """Each question with its answer."""
    asked: list[Row | RowProblem] = []

    def noted() -> Iterator[Row | RowProblem]:
        for question in questions:
            asked.append(question)
            yield question

    for answer in answers_to(noted()):
        yield asked.pop(0), answer


class _Shown:
    """Shows answers as they come."""

    def __init__(self, several: bool, top: int, as_json: bool, picture: Path | None, streams: bool) -> None:
        self._several = several
        self._top = top
        self._json = as_json
        self._picture = picture
        self._flush = streams
        self._versions: set[int] = set()
        self._drawn: set[str] = set()
        self.count = self.failed = 0

    def __call__(self, row: Row | RowProblem, answer: Answer) -> None:
        self.count += 1
        if answer.error is not None:
            if not self._several:
                raise answer.error
            self.failed += 1
            origin = "" if answer.error.message.startswith(answer.origin) else f"{answer.origin}: "
            print(f"{origin}{answer.error.message} [{answer.error.reason}]", file=sys.stderr)
            if self._json:
                print(json_text(answer.to_json()))
            return
        self._versions.add(answer.version)
        if self._json:
            print(json_text(answer.to_json()), flush=self._flush)
        else:
            said = plain(answers.text_of(answer, self._top))
            prefix = f"{answer.origin}:{chr(10) if answers.is_table(said) else ' '}" if self._several else ""
            print(prefix + said, flush=self._flush)
        if self._picture is not None and isinstance(row, Row):
            self._draw(self._picture, row, answer)

    def _draw(self, picture: Path, row: Row, answer: Answer) -> None:
        from modelyard.cli.pictures import draw, name_of

        folder = is_folder(picture)
        draw(row, answer, picture / name_of(answer.origin, self.count, self._drawn) if folder else picture)

    def close(self, model: str, seconds: float) -> None:
        """What was asked, and how long it took."""
        if self.count == 0:
            print("nothing was asked: there is no row", file=sys.stderr)
            return
        versions = ", ".join(map(str, sorted(self._versions)))
        version = "" if not versions or model.endswith(f"@{versions}") else f", version {versions}"
        rate = f", {self.count / seconds:,.0f} a second" if self._several else f", {seconds * 1000:.0f} ms"
        lost = f", {self.failed:,} without an answer" if self.failed else ""
        rows_said = f"{self.count:,} row{'s' if self.count != 1 else ''}{rate}{lost}; " if self._several else ""
        tail = "" if self._several else rate
        print(f"{rows_said}{model}{version}{tail}", file=sys.stderr)


def _ask_tensors(client: Client, name: str, said: list[str], signature: str, *, as_json: bool) -> None:
    contents = typed(read_inputs(said), _signature(client, name, signature))
    started = time.perf_counter()
    response = client.deployments.predict(name, contents, signature=signature)
    seconds = time.perf_counter() - started
    outputs = {key: as_json_has_it(_text(rows(tensor))) for key, tensor in response.outputs.items()}
    if as_json:
        print_json({"predictions": outputs, "version": response.model_spec.version.value, "seconds": seconds})
        return
    count = _rows_of(outputs)
    if not count:
        print(json_text(outputs))
    for index in range(count):
        print(json_text({key: values[index] for key, values in outputs.items()}))
    print(f"version {response.model_spec.version.value}, {seconds * 1000:.0f} ms", file=sys.stderr)


def _signature(client: Client, name: str, signature: str) -> Way:
    """What the served version can be asked by that name."""
    model = client.deployments.model(name)
    if signature not in model.ways:
        there = ", ".join(model.ways) or "none that is known"
        raise InvalidArgument(
            f"{model.name} has no signature {signature!r}; it has {there}", reason="SIGNATURE_UNKNOWN"
        )
    return model.ways[signature]


def _rows_of(outputs: dict[str, Any]) -> int:
    """How many rows all outputs have."""
    counts = {len(values) if isinstance(values, list) else 0 for values in outputs.values()}
    return counts.pop() if len(counts) == 1 else 0


def _text(value: Any) -> Any:
    """Bytes that are a text as this text."""
    if isinstance(value, list):
        return [_text(each) for each in value]
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value
