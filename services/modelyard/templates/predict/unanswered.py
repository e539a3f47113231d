"""The examples that have no answer: all are counted, the first ones named."""

import json
from pathlib import Path

from modelyard.job.left_out import NAMED, as_list
from modelyard.job.session import Context

_ANSWERED = '"error":null}\n'


class Unanswered:
    """Of one prediction, whichever attempt asked."""

    def __init__(self) -> None:
        self.count = 0
        self._named: list[str] = []

    def add(self, origin: str, reason: str) -> None:
        """`reason` is what the example's line says."""
        self.count += 1
        if len(self._named) < NAMED:
            self._named.append(f"{origin}: {reason}")

    def add_file(self, path: Path) -> None:
        """Those of a file of answers that an earlier attempt has made."""
        with path.open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                if not line.endswith(_ANSWERED):
                    told = json.loads(line)
                    self.add(told["origin"], told["error"])

    def say(self, context: Context, total: int) -> None:
        """In the log, and with the job; nothing where there are none."""
        if self.count:
            head = f"of {total:,} examples {self.count:,} have no answer; `error` in their lines says why:"
            context.report_text("without an answer", as_list(head, self._named, self.count))
