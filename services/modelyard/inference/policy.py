"""Who may call what."""

from modelyard.foundation.auth.policy import INSTALLATION, PUBLIC, Rule, service_rules
from modelyard.foundation.auth.roles import ADMINS, EDITORS, HOSTS, READERS, SERVICES
from modelyard.foundation.rpc.server import REFLECTION_V1, REFLECTION_V1ALPHA

RULES = {
    **service_rules(
        "modelyard.api.inference.v1.DeploymentService",
        {
            "CreateDeployment": Rule(EDITORS, "parent"),
            "GetDeployment": Rule(READERS, "name"),
            "ListDeployments": Rule(READERS, "parent"),
            "UpdateDeployment": Rule(EDITORS, "deployment.name"),
            "DeleteDeployment": Rule(EDITORS, "name"),
            "WatchDeployment": Rule(READERS, "name"),
            "GetServingConfig": Rule(READERS, "name"),
        },
    ),
    **service_rules(
        "modelyard.api.inference.v1.HostService",
        {"ListHosts": Rule(READERS, INSTALLATION), "DrainHost": Rule(ADMINS, INSTALLATION)},
    ),
    **service_rules("modelyard.api.inference.v1.HostSyncService", {"Sync": Rule(HOSTS, INSTALLATION)}),
    **service_rules("modelyard.api.inference.v1.RouteService", {"WatchRoutes": Rule(SERVICES, INSTALLATION)}),
    **service_rules(REFLECTION_V1, {"ServerReflectionInfo": PUBLIC}),
    **service_rules(REFLECTION_V1ALPHA, {"ServerReflectionInfo": PUBLIC}),
}

QUIET = ("/modelyard.api.inference.v1.HostSyncService/Sync",)
"""Called every few seconds by every host: not worth a line each."""
