"""Containers, Kubernetes and systemd: each starts the Procfile's lines, with few rights."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from config import ROOT
from environment import VARIABLES
from setting_variables import SETTING_VARIABLES
from tests.deploy.manifests import COMMANDS, DEPLOY, list_containers, read_env, read_yaml
from worker.supervisor.service import WORKER_GRACE_SECONDS

_MIGRATE = {"migrate": "python -m worker migrate"}
#: The variables that Python itself reads.
_PYTHON = {"PATH", "PYTHONUNBUFFERED"}
_KNOWN = VARIABLES | set(SETTING_VARIABLES) | _PYTHON


def test_compose_starts_each_line_once_the_tables_are_there() -> None:
    # Given the services that are ours
    services = {
        name: service
        for name, service in read_yaml("compose.yaml")["services"].items()
        if service["image"] == "catfeeder"
    }

    # Then each runs its line, migration first, with time for its end
    assert {name: service["command"] for name, service in services.items()} == COMMANDS | _MIGRATE
    for name, service in services.items():
        waits_for = service["depends_on"].get("migrate", {}).get("condition")
        assert (waits_for == "service_completed_successfully") is (name != "migrate")
        assert int(service["stop_grace_period"].rstrip("s")) >= WORKER_GRACE_SECONDS
        assert set(service["environment"]) <= _KNOWN
        assert ("PASSWORD_PEPPER" in service["environment"]) is (name == "passwords")
        # And what it may do is little; the image's health check is web's alone
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service.get("healthcheck", {}).get("disable", False) is (name != "web")


def test_kubernetes_starts_each_line_with_few_rights() -> None:
    found = {component: (pod, container) for component, pod, container in list_containers()}

    assert {name: " ".join(container["args"]) for name, (_, container) in found.items()} == (
        COMMANDS | _MIGRATE
    )
    for pod, container in found.values():
        assert pod["terminationGracePeriodSeconds"] >= WORKER_GRACE_SECONDS
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["enableServiceLinks"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    [generated] = read_yaml("kubernetes/kustomization.yaml")["configMapGenerator"]
    assert {literal.partition("=")[0] for literal in generated["literals"]} <= _KNOWN
    # And a process of the passwords gets a Secret of its own
    assert found["passwords"][1]["envFrom"][1] == {"secretRef": {"name": "catfeeder-passwords"}}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kustomize_builds_the_base() -> None:
    subprocess.run(["kubectl", "kustomize", DEPLOY / "kubernetes"], check=True, timeout=60)


def test_the_lines_of_systemd_are_those_of_the_procfile() -> None:
    lines = {path.stem: read_env(path) for path in (DEPLOY / "systemd" / "lines").glob("*.env")}

    assert {
        name.removesuffix("-1"): f"python -m worker {line['LINE']}" for name, line in lines.items()
    } == COMMANDS
    assert [name for name, line in lines.items() if "PORT" in line] == ["web-1"]
    assert set(read_env(DEPLOY / "systemd" / "catfeeder.env")) <= _KNOWN


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_units_are_sound_and_confined(tmp_path: Path) -> None:
    # Given the units, with a Python that is there
    for path in (DEPLOY / "systemd").glob("catfeeder*.*"):
        text = path.read_text().replace("/opt/catfeeder/.venv/bin/python", "/bin/true")
        (tmp_path / path.name).write_text(text)

    def analyze(*arguments: str) -> str:
        command = ["systemd-analyze", *arguments]
        ended = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout + ended.stderr

    # Then systemd has nothing to say of them
    assert not analyze("verify", "./catfeeder@web-1.service", "./catfeeder-migrate.service")
    # And each is little exposed
    for unit in ("catfeeder@.service", "catfeeder-migrate.service"):
        if "--offline" not in analyze("--help"):
            pytest.skip("this systemd looks at loaded units alone")
        said = analyze("security", "--offline=true", f"./{unit}")
        level = re.search(r"exposure level for \S+: ([\d.]+)", said)
        assert level, said
        assert float(level[1]) < 3
    # And a stop has the time that the supervisor's has
    [seconds] = re.findall(
        r"TimeoutStopSec=(\d+)", (DEPLOY / "systemd/catfeeder@.service").read_text()
    )
    assert int(seconds) >= WORKER_GRACE_SECONDS


def test_no_image_is_of_a_named_registry() -> None:
    text = "\n".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    images = re.findall(r"^FROM (\S+)|^\s+image: (\S+)", text, re.MULTILINE)

    names = {first or second for first, second in images}
    assert len(names) >= 4
    assert [name for name in names if re.match(r"[^/]*[.:][^/]*/", name)] == []


def test_the_image_is_not_built_where_it_runs() -> None:
    stages = (DEPLOY / "Containerfile").read_text().split("\nFROM ")
    last = stages[-1]

    assert len(stages) == 3
    # Its packages are copied, and nothing that would install more is left
    assert "COPY --from=packages" in last
    assert "pip uninstall" in last
    assert not re.search(r"apt-get|gcc|build-essential|pip install", last)
    # And it runs as no root, with the command of a line
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    [command] = re.findall(r"^CMD (\[.*\])$", last, re.MULTILINE)
    assert " ".join(json.loads(command)) == COMMANDS["web"]
    variables = re.search(r"^ENV ((?:.*\\\n)*.*)", last, re.MULTILINE)
    assert variables
    assert set(re.findall(r"(\w+)=", variables[1])) <= _KNOWN


def test_the_operations_page_names_each_file() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()

    for path in DEPLOY.iterdir():
        assert f"../deploy/{path.name}" in page, path
