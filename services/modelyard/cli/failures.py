"""What a person sees when something fails, and the exit status that a script sees."""

import sys

from modelyard.sdk import errors

FAILED, WRONG_USE, NOT_FOUND, NOT_ALLOWED, WRONG_STATE, NOT_REACHABLE = 1, 2, 3, 4, 5, 6

_STATUS: dict[type, int] = {
    errors.InvalidArgument: WRONG_USE,
    errors.OutOfRange: WRONG_USE,
    errors.NotFound: NOT_FOUND,
    errors.PermissionDenied: NOT_ALLOWED,
    errors.Unauthenticated: NOT_ALLOWED,
    errors.AlreadyExists: WRONG_STATE,
    errors.FailedPrecondition: WRONG_STATE,
    errors.Aborted: WRONG_STATE,
    errors.ResourceExhausted: WRONG_STATE,
    errors.Unavailable: NOT_REACHABLE,
    errors.DeadlineExceeded: NOT_REACHABLE,
}


def exit_status(error: errors.ModelyardError) -> int:
    """1 for what has no status of its own."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), FAILED)


def show_failure(error: errors.ModelyardError) -> None:
    """One sentence, and where to look further."""
    field = f" ({error.field})" if error.field else ""
    reason = f" [{error.reason}]" if error.reason else ""
    print(f"error: {error.message}{field}{reason}", file=sys.stderr)
    if isinstance(error, errors.Unavailable) and error.reason in ("", "SERVER_UNREACHABLE"):
        print("hint: is it running? `modelyard status` tells, `modelyard up` starts it", file=sys.stderr)
    if isinstance(error, errors.Unauthenticated):
        print(
            "hint: the token comes from --token-file, MODELYARD_TOKEN, or the nearest .modelyard folder",
            file=sys.stderr,
        )
