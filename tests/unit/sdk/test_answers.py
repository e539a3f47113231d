from modelyard.sdk.predicting.answers import Answer


def test_scores_are_the_classes_where_nothing_else_has_them() -> None:
    scores = [0.1, 0.9]
    assert Answer("a", {"scores": scores}, classes=("no", "yes")).label == "yes"
    for other in ("boxes", "items"):
        answer = Answer("a", {"scores": scores, other: [[0, 0, 1, 1], [0, 0, 2, 2]]}, classes=("no", "yes"))
        assert answer.label == ""
        assert answer.top(2) == []
