"""Who may call what. What a role alone does not decide is in `service/access.py`."""

from modelyard.foundation.auth.policy import ANY_IDENTITY, INSTALLATION, Rule, service_rules
from modelyard.foundation.auth.roles import ADMINS, ATTEMPTS, EDITORS, HOSTS, PREDICTORS, READERS, SERVICES, WORKERS

_PACKAGE = "modelyard.api.catalog.v1"


def _version_rules(noun: str, version_readers: frozenset[str]) -> dict[str, Rule]:
    """The same for datasets, models and packages; `noun` as in GetDataset."""
    return {
        f"Get{noun}": Rule(READERS | SERVICES, "name"),
        f"List{noun}s": Rule(READERS | SERVICES, "parent"),
        f"Delete{noun}": Rule(EDITORS, "name"),
        f"Get{noun}Version": Rule(version_readers, "name"),
        f"List{noun}Versions": Rule(READERS | SERVICES, "parent"),
        f"Delete{noun}Version": Rule(EDITORS, "name"),
    }


def _artifact_rules(noun: str, version_readers: frozenset[str]) -> dict[str, Rule]:
    """The same for datasets and models."""
    return {
        **_version_rules(noun, version_readers),
        f"Create{noun}": Rule(EDITORS, "parent"),
        f"Update{noun}": Rule(EDITORS, f"{noun.lower()}.name"),
        f"Set{noun}Alias": Rule(EDITORS, "name"),
        f"Delete{noun}Alias": Rule(EDITORS, "name"),
    }


RULES = {
    **service_rules(
        f"{_PACKAGE}.ProjectService",
        {
            "CreateProject": Rule(ADMINS, INSTALLATION),
            "GetProject": Rule(READERS | PREDICTORS | SERVICES, "name"),
            "ListProjects": ANY_IDENTITY,
            "DeleteProject": Rule(ADMINS, "name"),
        },
    ),
    **service_rules(
        f"{_PACKAGE}.TokenService",
        {
            "CreateToken": ANY_IDENTITY,
            "ListTokens": ANY_IDENTITY,
            "RevokeToken": ANY_IDENTITY,
            "ListRevocations": Rule(ADMINS | SERVICES | WORKERS | HOSTS, INSTALLATION),
        },
    ),
    **service_rules(
        f"{_PACKAGE}.DatasetService",
        {
            **_artifact_rules("Dataset", READERS | SERVICES | ATTEMPTS),
            "GetInputSpec": Rule(READERS | SERVICES | ATTEMPTS, "name"),
            "GetStatistics": Rule(READERS | SERVICES | ATTEMPTS, "name"),
            "RecordStatistics": Rule(ATTEMPTS, "statistics.dataset_version"),
            "ListUnprofiledVersions": Rule(SERVICES, INSTALLATION),
            "SetProfileJob": Rule(SERVICES, "name"),
        },
    ),
    **service_rules(
        f"{_PACKAGE}.ModelService",
        {
            **_artifact_rules("Model", READERS | SERVICES | ATTEMPTS | HOSTS),
            "RecordEvaluation": Rule(ATTEMPTS, "parent"),
            "ListEvaluations": Rule(READERS | SERVICES, "parent"),
        },
    ),
    **service_rules(
        f"{_PACKAGE}.PackageService",
        {
            **_version_rules("Package", READERS | SERVICES | ATTEMPTS),
            "GetPackageSpec": Rule(READERS | SERVICES | ATTEMPTS, "name"),
        },
    ),
    **service_rules(
        f"{_PACKAGE}.UploadService",
        {
            "BeginUpload": Rule(EDITORS | ATTEMPTS, "parent"),
            "SignUploadParts": Rule(EDITORS | ATTEMPTS, "name"),
            "GetUpload": Rule(EDITORS | ATTEMPTS, "name"),
            "CommitUpload": Rule(EDITORS | ATTEMPTS, "name"),
            "AbortUpload": Rule(EDITORS | ATTEMPTS, "name"),
            "UploadInline": Rule(EDITORS, "parent"),
        },
    ),
    **service_rules(
        f"{_PACKAGE}.FileService",
        {
            "ListFiles": Rule(READERS | SERVICES | ATTEMPTS | HOSTS, "parent"),
            "SignReads": Rule(READERS | ATTEMPTS | HOSTS, "name"),
        },
    ),
    **service_rules(
        f"{_PACKAGE}.LineageService",
        {
            "BeginExecution": Rule(SERVICES | ATTEMPTS, "parent"),
            "EndExecution": Rule(SERVICES | ATTEMPTS, "parent"),
            "QueryLineage": Rule(READERS, "name"),
            "ListCheckpoints": Rule(READERS | SERVICES | ATTEMPTS, "parent"),
            "ListOutputs": Rule(READERS | SERVICES | ATTEMPTS, "parent"),
            "DeleteJobFiles": Rule(SERVICES, "parent"),
        },
    ),
}

QUIET = (
    f"/{_PACKAGE}.TokenService/ListRevocations",
    f"/{_PACKAGE}.DatasetService/ListUnprofiledVersions",
)
"""Polled by services: not worth a line each."""
