"""Code of one's own, looked at before it is pushed."""

from collections.abc import Mapping

from modelyard.templates.parameters import check_size, check_untyped
from modelyard.templates.specs import parse_template


def check_parameters(template: str, package: str, given: Mapping[str, object]) -> None:
    """Refuse what the scheduler would: parameters that the text of the package's template.toml does not allow, or one
    that is wrong itself. "" is no template.toml. Raises LocalError."""
    check_size(given)
    if template:
        parse_template(template, package).complete(given)
    else:
        check_untyped(given)
