"""Files of deploy/, read as the programs read them for which they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from config import ROOT
from worker.supervisor.procfile import read_procfile

DEPLOY: Final = ROOT / "deploy"
COMMANDS: Final = read_procfile(ROOT / "Procfile")


def read_yaml(name: str) -> Any:
    """Return what a file of deploy/ holds; a file of Kubernetes may hold one thing only."""
    yaml: Any = pytest.importorskip("yaml")
    return yaml.safe_load((DEPLOY / name).read_text())


def read_env(path: Path) -> dict[str, str]:
    """Return the variables of a file as systemd reads it: a value goes to the end of its line."""
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def list_containers() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield each workload of Kubernetes by its component, with its pod and its container."""
    for name in read_yaml("kubernetes/kustomization.yaml")["resources"]:
        found = read_yaml(f"kubernetes/{name}")
        if found["kind"] != "Service":
            pod = found["spec"]["template"]["spec"]
            [container] = pod["containers"]
            yield found["metadata"]["labels"]["app.kubernetes.io/component"], pod, container
