"""Who may call what."""

from modelyard.foundation.auth.policy import ANY_IDENTITY, INSTALLATION, Rule, service_rules
from modelyard.foundation.auth.roles import ADMINS, EDITORS, READERS, WORKERS

RULES = {
    **service_rules(
        "modelyard.api.scheduler.v1.JobService",
        {
            "CreateJob": Rule(EDITORS, "parent"),
            "GetJob": Rule(READERS, "name"),
            "ListJobs": Rule(READERS, "parent"),
            "CancelJob": Rule(EDITORS, "name"),
            "DeleteJob": Rule(EDITORS, "name"),
            "WatchJob": Rule(READERS, "name"),
            "StreamLogs": Rule(READERS, "name"),
            "StreamMetrics": Rule(READERS, "name"),
            "ListAttempts": Rule(READERS, "parent"),
            # A reader of any project: the use case looks.
            "GetTemplate": ANY_IDENTITY,
            "ListTemplates": ANY_IDENTITY,
        },
    ),
    **service_rules(
        "modelyard.api.scheduler.v1.WorkerService",
        {
            # A reader of any project: the use case looks, and shows the attempts of the caller's projects only.
            "GetWorker": ANY_IDENTITY,
            "ListWorkers": ANY_IDENTITY,
            "CordonWorker": Rule(ADMINS, INSTALLATION),
            "UncordonWorker": Rule(ADMINS, INSTALLATION),
            "DrainWorker": Rule(ADMINS, INSTALLATION),
        },
    ),
    # Which worker may speak of what: its name is the token's subject; the use case looks.
    **service_rules(
        "modelyard.api.scheduler.v1.WorkerSyncService",
        {
            "Sync": Rule(WORKERS, INSTALLATION),
            "Report": Rule(WORKERS, INSTALLATION),
            "CompleteAttempt": Rule(WORKERS, INSTALLATION),
        },
    ),
}

_SYNC = "/modelyard.api.scheduler.v1.WorkerSyncService"
QUIET = (f"{_SYNC}/Sync", f"{_SYNC}/Report")
"""Logged only when they fail."""
