"""The demo's last words: what came of it, and what to try next."""

import os
import shutil
import sys
from pathlib import Path

from modelyard.api.inference.v1 import deployment_pb2
from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import show_facts
from modelyard.local.demo import DEPLOYMENT, TEMPLATE
from modelyard.local.demo.installation import Installation
from modelyard.local.demo.phases import Phases
from modelyard.local.demo.predictions import BATCH, IN_FLIGHT, SINGLES, Answers
from modelyard.sdk import Client
from modelyard.sdk.discovery import DATA_FOLDER
from modelyard.sdk.names import short

_MINE = "my-digits"


def show_table(
    version: str, splits: str, job: job_pb2.Job, deployment: deployment_pb2.Deployment, answers: Answers, phases: Phases
) -> None:
    """The short table."""
