"""Files of the image, in a plain folder: they start as a user without rights there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
import requests

from config import ROOT
from tests.deploy.manifests import COMMANDS, DEPLOY, read_yaml
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.journey

_NOBODY: Final = 65534
_KEY: Final = "4c1f0a9e7b2d8356f0e1c7a94b5d2638"


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The files of the build's context, which any user may read and none may write."""
    folder = Path(tempfile.mkdtemp(prefix="catfeeder-image-"))
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for pattern in (line[1:] for line in ignored if line.startswith("!")):
        for path in ROOT.glob(pattern):
            if path.is_dir():
                shutil.copytree(
                    path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(path, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in (folder, *filter(Path.is_dir, folder.rglob("*"))):
        path.chmod(0o755)
    shutil.rmtree(folder)


def user() -> dict[str, Any]:
    """Return what makes a child another user's, where ours is root and the other has Python."""
    if os.geteuid():
        return {}
    other: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    try:
        subprocess.run([sys.executable, "-c", ""], cwd="/", check=True, **other)
    except OSError:
        return {}
    return other


@pytest.fixture(scope="module")
def service(image: Path) -> Iterator[dict[str, str]]:
    """The environment of a service that runs there, with nothing but a folder of its own."""
    var_dir = Path(tempfile.mkdtemp(prefix="catfeeder-var-"))
    other = user()
    if other:
        os.chown(var_dir, other["user"], other["group"])
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("-packages")),
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "VAR_DIR": str(var_dir),
        "SECRET_KEY": f"secret-{_KEY}",
        "ADMIN_API_KEY": f"admin-{_KEY}",
        "CATFEEDER_PROCESSES_PASSWORDS": "1",
    }
    log = var_dir.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "run"],
            cwd=image,
            env=environment,
            stdout=output,
            stderr=output,
            **other,
        )
    try:
        wait_until(lambda: "listens at" in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield environment
        if other:
            assert {one.uids().real for one in psutil.Process(process.pid).children()} == {_NOBODY}
    finally:
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
        shutil.rmtree(var_dir)
        log.unlink()


def test_the_image_s_health_check_passes_while_web_answers(service: dict[str, str]) -> None:
    text = (DEPLOY / "Containerfile").read_text()
    [command] = re.findall(r"^HEALTHCHECK .*\n +CMD (\[.*\])$", text, re.MULTILINE)
    python, *arguments = json.loads(command)
    assert python == "python"

    def check(port: str) -> int:
        environment = {**service, "PORT": port}
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, check=False
        ).returncode

    assert check(service["PORT"]) == 0
    assert check(str(free_port())) != 0


def metrics_of(expression: str) -> set[str]:
    """Return the names of metrics in an expression of PromQL."""
    return set(re.findall(r"\bcatfeeder_\w+", expression))


def test_each_metric_of_alerts_and_dashboard_is_there(service: dict[str, str]) -> None:
    # Given the metrics of a service, to which each of its processes adds
    url = f"http://127.0.0.1:{service['PORT']}/metrics"
    headers = {"Authorization": f"Bearer {service['ADMIN_API_KEY']}"}

    def scrape() -> str:
        return requests.get(url, headers=headers, timeout=30).text

    def find_roles() -> set[str]:
        return set(re.findall(r'^catfeeder_processes{role="(\w+)"}', scrape(), re.MULTILINE))

    wait_until(lambda: find_roles() == {*COMMANDS, "supervisor"})
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", scrape(), re.MULTILINE))
    there = {
        f"{name}{end}"
        for name, kind in types.items()
        for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))
    }
    assert len(there) > 10

    # Then each panel shows some of them
    dashboard = json.loads((DEPLOY / "grafana" / "catfeeder.json").read_text())
    shown = [metrics_of(t["expr"]) for panel in dashboard["panels"] for t in panel["targets"]]
    assert set().union(*shown) <= there
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]) > 10
    # And those of our own that are alerts' too
    rules = read_yaml("prometheus/alerts.yaml")["groups"][0]["rules"]
    assert set().union(*(metrics_of(rule["expr"]) for rule in rules)) <= there
    for rule in rules:
        assert {"summary", "description"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in ("critical", "warning")
    # And what docs/operations.md says to watch has an alert
    page = (ROOT / "docs" / "operations.md").read_text()
    watched = set(re.findall(r"^\| `(catfeeder_\w+)` \|", page, re.MULTILINE))
    alerts = " ".join(rule["expr"] for rule in rules)
    assert len(watched) > 5
    assert [name for name in watched if name not in alerts] == []
