"""`modelyard token …`"""

from datetime import timedelta
from typing import Annotated

import typer

from modelyard.cli.globals import settings
from modelyard.cli.output import age, print_json, show_all, to_json
from modelyard.sdk.discovery import find_access
from modelyard.sdk.errors import Unauthenticated
from modelyard.sdk.names import short

app = typer.Typer(help="Tokens: print, create, list, revoke.", no_args_is_help=True)


@app.command("print")
def print_(context: typer.Context) -> None:
    """The token that this command line uses, for `grpcurl -H "authorization: Bearer $(modelyard token print)"`."""
    chosen = settings(context)
    access = find_access(chosen.server, token_file=chosen.token_file, folder=chosen.folder if chosen.dir else None)
    if not access.token:
        raise Unauthenticated("there is no token here", reason="TOKEN_MISSING")
    print(access.token)


@app.command()
def create(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="`users/ann`, `workers/gpu-1`, `hosts/h1`.")],
    role: Annotated[list[str], typer.Option(help="PROJECT=ROLE, such as default=predictor or '*=worker'.")],
    days: Annotated[int, typer.Option(help="How long it is valid.", min=1, max=366)] = 90,
) -> None:
    """A new token; it is shown once."""
    roles = dict(_role(each) for each in role)
    with settings(context).client() as client:
        answer = client.tokens.create(subject, roles, timedelta(days=days))
    if settings(context).json:
        print_json(to_json(answer))
    else:
        print(answer.secret)


@app.command("list")
def list_(context: typer.Context) -> None:
    """Tokens, without their secrets."""
    with settings(context).client() as client:
        show_all(
            client.tokens.list(),
            ("ID", "SUBJECT", "ROLES", "CREATED", "REVOKED"),
            lambda each: (
                short(each.name),
                each.subject,
                " ".join(f"{project}={role}" for project, role in sorted(each.projects.items())),
                age(each.create_time),
                age(each.revoke_time) if each.HasField("revoke_time") else "",
            ),
            as_json=settings(context).json,
            empty="no token was created by `modelyard token create`",
        )


@app.command()
def revoke(context: typer.Context, token: str) -> None:
    """Revoke a token by its id; every service refuses it within 2 seconds."""
    with settings(context).client() as client:
        revoked = client.tokens.revoke(token)
    if settings(context).json:
        print_json(to_json(revoked))


def _role(text: str) -> tuple[str, str]:
    project, equals, role = text.partition("=")
    if not equals or not project or not role:
        raise typer.BadParameter(f"{text!r} is not PROJECT=ROLE", param_hint="--role")
    return project, role
