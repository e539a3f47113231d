import pytest

from modelyard.cli.failures import exit_status, show_failure
from modelyard.sdk import errors


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.Internal, 1),
        (errors.DataLoss, 1),
        (errors.InvalidArgument, 2),
        (errors.NotFound, 3),
        (errors.PermissionDenied, 4),
        (errors.Unauthenticated, 4),
        (errors.FailedPrecondition, 5),
        (errors.AlreadyExists, 5),
        (errors.Unavailable, 6),
        (errors.DeadlineExceeded, 6),
    ],
)
def test_a_script_can_tell_failures_apart(kind: type[errors.ModelyardError], status: int) -> None:
    assert exit_status(kind("x")) == status


def test_a_more_special_error_has_the_status_of_its_kind() -> None:
    class FolderOdd(errors.InvalidArgument):
        pass

    assert exit_status(FolderOdd("x")) == 2


def test_a_failure_is_one_sentence_with_field_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure(errors.InvalidArgument("epochs must be at least 1", reason="OUT", field="job.spec.parameters.epochs"))
    assert capsys.readouterr().err == "error: epochs must be at least 1 (job.spec.parameters.epochs) [OUT]\n"


def test_who_cannot_reach_it_is_told_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure(errors.Unavailable("connection refused"))
    assert "`modelyard up` starts it" in capsys.readouterr().err
    show_failure(errors.Unauthenticated("no token", reason="TOKEN_MISSING"))
    assert "nearest .modelyard folder" in capsys.readouterr().err
