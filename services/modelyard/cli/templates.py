"""`modelyard templates …`"""

from collections.abc import Iterable

import typer
from google.protobuf import json_format

from modelyard.api.scheduler.v1 import template_pb2
from modelyard.cli.globals import settings
from modelyard.cli.output import console, print_json, show_facts, show_table, to_json
from modelyard.cli.suggest import suggesting
from modelyard.sdk.names import short

app = typer.Typer(help="What comes with modelyard: list, show.", no_args_is_help=True)


@app.command("list")
def list_(context: typer.Context) -> None:
    """The templates, and what each is for."""
    with settings(context).client() as client:
        found = list(client.jobs.templates())
    if settings(context).json:
        print_json([to_json(each) for each in found])
        return
    show_table(
        ("NAME", "KIND", "DATA", "WHAT IT DOES"),
        [(short(each.name), _kind(each), _either(each.data.modalities), each.description) for each in found],
    )
    console().print("its parameters: modelyard templates show NAME")


@app.command()
def show(context: typer.Context, name: str) -> None:
    """A template: what it takes, what it is judged by, and what can be set."""
    with (
        settings(context).client() as client,
        suggesting("template", name, lambda: [short(each.name) for each in client.jobs.templates()]),
    ):
        template = client.jobs.template(name)
    if settings(context).json:
        print_json(to_json(template))
        return
    show_facts(
        [
            ("name", short(template.name)),
            ("title", template.title),
            ("about", template.description),
            ("kind", _kind(template)),
            ("task", template.task),
            ("metric", _metric(template)),
            ("data", data_text(template.data)),
        ]
    )
    if not template.parameters:
        console().print("nothing can be set")
        return
    console().print("parameters (--set name=value):")
    show_facts([(f"  {each.name}", parameter_text(each)) for each in template.parameters])


def data_text(data: template_pb2.DataNeeds) -> str:
    """What it wants of a dataset, in words."""
    roles = [role for role in data.roles if role not in ("input", "target")]
    parts = [
        f"of modality {_either(data.modalities)}" if data.modalities else "",
        f"in layout {_either(data.layouts)}" if data.layouts else "",
        f"with {' and '.join(data.inputs)} among its inputs" if data.inputs else "",
        f"with {_either(data.targets)} as its target" if data.targets else "",
        f"with features of the roles {', '.join(roles)}" if roles else "",
        f"with the splits {', '.join(data.splits)}" if data.splits else "",
    ]
    wanted = ", ".join(part for part in parts if part)
    return f"{'a dataset' if data.required else 'a dataset, or none'} {wanted or 'of any kind'}"


def parameter_text(parameter: template_pb2.Parameter) -> str:
    """What it does, and what it may be."""
    kind = template_pb2.Parameter.Type.Name(parameter.type).removeprefix("TYPE_").lower()
    whole = parameter.type == template_pb2.Parameter.TYPE_INT
    default = json_format.MessageToJson(parameter.default_value)
    if whole:
        default = f"{parameter.default_value.number_value:.0f}"
    choices = f"one of {', '.join(parameter.choices)}" if parameter.choices else ""
    facts = (kind, f"default {default}", _limits(parameter, ".0f" if whole else "g"), choices)
    return f"{parameter.description} ({', '.join(fact for fact in facts if fact)})"


def _limits(parameter: template_pb2.Parameter, digits: str) -> str:
    least, most = f"{parameter.minimum:{digits}}", f"{parameter.maximum:{digits}}"
    match parameter.HasField("minimum"), parameter.HasField("maximum"):
        case True, True:
            return f"{least} to {most}"
        case True, False:
            return f"at least {least}"
        case False, True:
            return f"at most {most}"
    return ""


def _metric(template: template_pb2.Template) -> str:
    if not template.metric:
        return ""
    return f"{template.metric} ({'more' if template.maximize else 'less'} is better)"


def _kind(template: template_pb2.Template) -> str:
    return template_pb2.Template.Kind.Name(template.kind).removeprefix("KIND_").lower()


def _either(words: Iterable[str]) -> str:
    *before, last = list(words) or [""]
    return f"{', '.join(before)} or {last}" if before else last
