import re
import stat
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from packaging.requirements import Requirement

from deploy import credentials
from deploy.prepare.subset import roots, subset
from modelyard.foundation.auth.tokens import Verifier
from modelyard.foundation.config import ProcessSettings

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
PROCESSES = {"catalog", "inference", "modelhost", "proxy", "scheduler", "trainer"}
EXTRAS = ["catalog", "inference", "modelserver", "proxy", "scheduler", "trainer"]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    credentials.make(folder, "ai.example.org")
    return folder


def test_compose_runs_minio_and_every_process(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == PROCESSES | {"minio"}


def test_every_service_is_built_from_a_target_that_exists(compose: dict[str, Any]) -> None:
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    for name, service in compose["services"].items():
        assert service["build"] == {"context": "..", "dockerfile": "deploy/Containerfile", "target": name}
        assert name in targets


def test_every_service_is_watched_and_may_do_little(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True


def test_only_the_proxy_has_a_port(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["proxy"]


def test_secrets_are_files_that_the_command_makes(compose: dict[str, Any], made: Path) -> None:
    used = {secret for service in compose["services"].values() for secret in service["secrets"]}
    assert used == set(compose["secrets"])
    files = {Path(entry["file"]).name for entry in compose["secrets"].values()}
    assert files == {path.name for path in made.iterdir()} - {"admin.token"}


def test_volumes_are_declared_and_settings_are_mounted(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        sources = [volume.split(":")[0] for volume in service["volumes"]]
        assert {source for source in sources if not source.startswith("./")} <= set(compose["volumes"])
        assert name == "minio" or f"./compose/{name}.toml" in sources


@pytest.mark.parametrize("process", sorted(PROCESSES))
@pytest.mark.parametrize("folder", ["compose", "config"])
def test_settings_that_we_ship_are_understood(folder: str, process: str) -> None:
    settings = pytest.importorskip(f"modelyard.{process}.settings")
    loader = next(
        value
        for value in vars(settings).values()
        if isinstance(value, type) and issubclass(value, ProcessSettings) and value is not ProcessSettings
    )
    secrets = {"MODELYARD_CATALOG__S3__ACCESS_KEY": "key", "MODELYARD_CATALOG__S3__SECRET_KEY": "secret"}
    environ = {**secrets, "MODELYARD_CATALOG__PUBLIC_ENDPOINT": "https://localhost:8470"} if folder == "compose" else {}
    with pytest.raises(SystemExit) as ended:
        loader.load(process, ["--config", str(DEPLOY / folder / f"{process}.toml"), "--check-config"], environ)
    assert ended.value.code == 0


def test_the_secrets_are_private_and_a_second_run_changes_none(made: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir() if path.name != "trust.json"} == {0o600}
    assert credentials.make(made, "ai.example.org") == []


def test_the_tokens_are_believed_by_the_trust_list(made: Path) -> None:
    verifier = Verifier(made / "trust.json")
    for name, (subject, role) in credentials.TOKENS.items():
        identity = verifier.verify((made / f"{name}.token").read_text())
        assert (identity.subject, identity.projects) == (subject, {"*": role})


def test_the_certificate_names_the_host_and_is_signed_by_the_authority(made: Path) -> None:
    authority = x509.load_pem_x509_certificate((made / "ca.pem").read_bytes())
    leaf = x509.load_pem_x509_certificate((made / "proxy.pem").read_bytes())
    leaf.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["ai.example.org", "proxy", "localhost"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_image_gets_all_that_its_packages_need(extra: str) -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())
    part = subset((DEPLOY / "requirements.txt").read_text(), roots(project, [extra]))
    pinned = set(re.findall(r"^([a-z0-9-]+)==", part, re.MULTILINE))
    for name in pinned - {"colorama", "tzdata", "winloop"}:
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert re.sub(r"[-_.]+", "-", requirement.name).lower() in pinned, f"{name} needs {text}"
    assert ("tensorflow" in pinned) == (extra in ("trainer", "modelserver"))
    assert ("minio" in pinned) == (extra == "catalog")


def test_the_lock_has_whatever_pyproject_asks_for() -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())
    for lock, extras in (("requirements.txt", ["all", "dev"]), ("requirements-gpu.txt", ["all", "dev", "gpu"])):
        pinned = set(re.findall(r"^([a-z0-9-]+)==", (DEPLOY / lock).read_text(), re.MULTILINE))
        assert roots(project, extras) <= pinned, f"{lock} is behind pyproject.toml; run: make lock"
