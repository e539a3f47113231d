"""`modelyard packages …`"""

import typer

from modelyard.api.catalog.v1 import package_pb2
from modelyard.cli.globals import settings
from modelyard.cli.output import age, show_all
from modelyard.cli.versions import FILES, Noun, add_delete, add_pull, add_versions, files_row
from modelyard.sdk.names import short

NOUN = Noun("package", "files", lambda client: client.packages)
names = NOUN.names
_CONTENTS = {package_pb2.Package.KIND_CODE: "code", package_pb2.Package.KIND_MODEL: "a model's files"}
app = typer.Typer(help="Code and models that were pushed: list, versions, pull, delete.", no_args_is_help=True)


@app.command("list")
def list_(context: typer.Context) -> None:
    """The project's packages: code that jobs run, and files that models were made of."""
    with settings(context).client() as client:
        show_all(
            client.packages.list(),
            ("NAME", "HOLDS", "LATEST", "UPDATED"),
            lambda each: (
                short(each.name),
                _CONTENTS.get(each.kind, "–"),
                str(each.latest_version or "–"),
                age(each.update_time),
            ),
            as_json=settings(context).json,
            empty="there is no package yet; `modelyard train ./folder` and `modelyard models push` make them",
        )


add_versions(app, NOUN, FILES, files_row)
add_pull(app, NOUN)
add_delete(app, NOUN)
