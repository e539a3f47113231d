"""`modelyard …` and `python -m modelyard.cli …`."""

import io
import os
import sys
from typing import Annotated

import typer

from modelyard.cli import (
    datasets,
    deployments,
    evaluate,
    gallery,
    hosts,
    init,
    jobs,
    local,
    models,
    packages,
    predict,
    projects,
    templates,
    tokens,
    train,
    workers,
)
from modelyard.cli.failures import exit_status, show_failure
from modelyard.cli.globals import Globals, hoist
from modelyard.cli.output import takes_utf8
from modelyard.sdk.errors import ModelyardError

EPILOG = (
    "Options for every command, anywhere on the line: --server, --token-file, --project, --dir, "
    "-o json, --show-grpc. Exit status: 0 done, 1 failed, 2 wrong use, 3 not found, 4 not allowed, "
    "5 wrong state, 6 not reachable, 130 interrupted."
)
INTERRUPTED = 130

app = typer.Typer(
    name="modelyard",
    help="Datasets in, training, models deployed, predictions out.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
local.register(app)
app.add_typer(datasets.app, name="datasets")
gallery.register(app)
init.register(app)
train.register(app)
app.add_typer(templates.app, name="templates")
app.add_typer(jobs.app, name="jobs")
app.add_typer(packages.app, name="packages")
app.add_typer(models.app, name="models")
evaluate.register(app)
deployments.register(app)
app.add_typer(deployments.app, name="deployments")
predict.register(app)
app.add_typer(workers.app, name="workers")
app.add_typer(hosts.app, name="hosts")
app.add_typer(projects.app, name="projects")
app.add_typer(tokens.app, name="token")
workers.register(app)
hosts.register(app)


@app.callback()
def everywhere(
    context: typer.Context,
    server: Annotated[str, typer.Option(help="host:port of the installation.")] = "",
    token_file: Annotated[str, typer.Option(help="A file that holds the token.")] = "",
    project: Annotated[
        str, typer.Option(envvar="MODELYARD_PROJECT", help="Where short names are looked up.")
    ] = "default",
    dir: Annotated[str, typer.Option(help="The data folder of `modelyard up`.")] = "",
    output: Annotated[str, typer.Option("--output", "-o", help="`text` or `json`.")] = "text",
    show_grpc: Annotated[bool, typer.Option(help="Print the grpcurl line of every call.")] = False,
) -> None:
    """Options that every command takes."""
    if output not in ("text", "json"):
        raise typer.BadParameter(f"{output!r} is not an output; use text or json", param_hint="-o")
    context.obj = Globals(server, token_file, project, dir, output == "json", show_grpc)


def main() -> None:
    """Run the command line; failures are a sentence on stderr and an exit status."""
    sys.unraisablehook = _not_raised
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        # Names of files need not be UTF-8, and a locale may lack what tables and names have; stderr takes all anyhow.
        sys.stdout.reconfigure(errors="surrogateescape" if takes_utf8() else "replace")
    try:
        try:
            app(args=hoist(sys.argv[1:]), standalone_mode=True)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except ModelyardError as error:
        show_failure(error)
        sys.exit(exit_status(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        print(f"error: {about}{error.strerror or error}", file=sys.stderr, flush=True)
        os._exit(1)  # what could not be written would be tried again


def _not_raised(what: "sys.UnraisableHookArgs") -> None:
    """Code in C, such as an import or a conversion of options, drops a KeyboardInterrupt that comes upon it: the Ctrl-C
    would be lost."""
    if issubclass(what.exc_type, KeyboardInterrupt):
        print("interrupted", file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(what)


if __name__ == "__main__":
    main()
