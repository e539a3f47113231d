"""What is said about a template that is not there."""

import pytest

from modelyard.templates.specs import Kind, TemplateUnknown, get_template, list_templates


@pytest.mark.parametrize("name", ["nosuch", "image-clasification"])
def test_only_templates_that_train_takes_are_listed(name: str) -> None:
    with pytest.raises(TemplateUnknown) as unknown:
        get_template(name)
    others = [template.name for template in list_templates() if template.kind is not Kind.TRAINING]
    assert {"evaluate", "import-model"} <= set(others)
    hint = unknown.value.message.partition("; ")[2]
    assert "image-classification" in hint
    assert [other for other in others if other in hint] == []
    assert get_template("evaluate").kind is Kind.EVALUATION, "its own command finds it"
