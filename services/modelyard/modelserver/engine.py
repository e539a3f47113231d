"""Runs signatures on threads of their own, one call at a time each."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from modelyard.modelserver.servable import Arrays, Servable, Signature


class DirectEngine:
    """Every request is a call of its own."""

    def __init__(self, parallelism: int = 0) -> None:
        self.calls = 0
        self._threads = ThreadPoolExecutor(parallelism or os.cpu_count() or 1, thread_name_prefix="tensorflow")

    async def run(self, servable: Servable, signature: Signature, inputs: Arrays) -> Arrays:
        self.calls += 1
        # A call that is cancelled while it waits for a thread never starts.
        return await asyncio.get_running_loop().run_in_executor(self._threads, signature.call, inputs)

    @property
    def rows(self) -> int:
        """Nothing is shared here: one for each call."""
        return self.calls

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
