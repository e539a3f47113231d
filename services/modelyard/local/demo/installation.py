"""The installation that the demo, or the gallery, runs on: started, or found running."""

import os
import time

from rich.console import Console

from modelyard.local.demo.footprint import Footprint, left_behind, take_footprint
from modelyard.local.demo.phases import say
from modelyard.local.errors import NotRunning
from modelyard.local.folder import DataFolder
from modelyard.local.stopping import stop
from modelyard.local.up import Wanted, check_port, start_detached

_SETTLE_S = 10.0


class Installation:
    """One in the background."""

    def __init__(self, wanted: Wanted, down: str = "make demo-down") -> None:
        """`down` is the command that stops it."""
        self._wanted = wanted
        self._down = down
        self._started = False
        self._footprint: Footprint | None = None
        self.folder = DataFolder(wanted.folder)
        self.address = ""

    def start(self) -> str:
        """Answers the address. Raises PortTaken, or ProcessDidNotStart with the reason."""
        facts = self.folder.read_up()
        if facts is None:
            check_port(self._wanted.address)
            self._started = True
            with Console().status("      starting: object store, catalog, scheduler, inference, proxy, worker, host"):
                self.address = start_detached(self._wanted)
            facts = self.folder.read_up() or {}
            say(f"up at {self.address}; data in {self._wanted.folder}; object store: {facts['store']['title']}")
        else:
            self.address = facts["address"]
            say(f"up already at {self.address}; data in {self._wanted.folder}; reused")
            if os.environ.get("PORT") and self.address != self._wanted.address:
                say(f"PORT={self._wanted.port} does not count for it; `{self._down}` first, then it does")
        self._footprint = take_footprint(self.folder)
        return self.address

    def is_up(self) -> bool:
        """Whether somebody's `up` runs on the folder."""
        return self.folder.supervisor() is not None

    def end(self) -> bool:
        """Stop what was started here and look for leftovers; answers whether there are none."""
        if not self._started:
            if self.is_up():
                say(f"the installation was up before, so it stays up; stop it: {self._down}")
            return True
        footprint, was_up = self._footprint, self.is_up()
        if was_up:
            footprint = take_footprint(self.folder)
            say("stopping")
            try:
                stop(self._wanted.folder)
            except NotRunning as error:
                say(error.message)
        left = left_behind(self.folder, footprint)
        deadline = time.monotonic() + _SETTLE_S
        while left and time.monotonic() < deadline:
            time.sleep(0.05)  # a process that has ended is seen for a moment longer
            left = left_behind(self.folder, footprint)
        for each in left:
            say(f"left behind: {each}")
        if was_up and not left:
            say("stopped; no process, port or socket was left behind")
        return not left
