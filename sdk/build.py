"""Builds the packages of the SDK: `make sdk` leaves a wheel and a tarball of npm in dist/.

What generators write goes to the folder of the build alone; the tools come from lock files, into
the virtual environment, once for each lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import catfeeder
from worker.http.app import describe_api

_SDK: Final = Path(__file__).parent
_ROOT: Final = _SDK.parent
_PIP: Final = (sys.executable, "-m", "pip")
_NPM_CI: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
_INSTALL_SECONDS: Final = 300
#: Fields that `repr` of a generated model must not show.
_SECRET_FIELD: Final = re.compile(
    r"^    (?:\w*password\w*|\w*token|\w*secret\w*|code|state|key|credentials|headers|"
    r"query_parameters|authorization_url|url|user|private_key): ",
    re.MULTILINE,
)


def build_python(folder: Path) -> Path:
    """Build the wheel's package in a folder, and return the package."""
    tools = install("python", "generator.lock")
    document = write_document(folder)
    package = folder / "catfeeder_http"
    config = folder / "generator.json"
    config.write_text('{"post_hooks": []}')
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    command += ["--meta", "none", "--config", str(config), "--output-path", str(package)]
    _run([*command, "--overwrite"], folder, {"PYTHONPATH": str(tools)})
    for model in (package / "models").glob("*.py"):
        text = model.read_text()
        if _SECRET_FIELD.search(text):
            model.write_text(text.replace("@_attrs_define\n", "@_attrs_define(repr=False)\n"))
    shutil.copytree(_SDK / "python" / "catfeeder_http", package, dirs_exist_ok=True)
    routes = f"JOB_ROUTES = {_list_job_routes(json.loads(document.read_text()))!r}\n"
    (package / "job_routes.py").write_text(f'"""Routes that make jobs."""\n\n{routes}')
    (package / "py.typed").touch()
    return package


def build_typescript(folder: Path) -> Path:
    """Build the package of npm in a folder, and return the folder."""
    tools = install("typescript", "package-lock.json", _NPM_CI)
    document = write_document(folder)
    shutil.copytree(_SDK / "typescript", folder, dirs_exist_ok=True)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(tools / "node_modules")
    _run(
        ["node", str(modules / ".bin/openapi-typescript"), str(document), "-o", "src/schema.ts"],
        folder,
    )
    routes = json.dumps(_list_job_routes(json.loads(document.read_text())))
    (folder / "src/job-routes.ts").write_text(
        f"export const JOB_ROUTES: [string, string][] = {routes};\n"
    )
    _run(["node", str(modules / ".bin/tsc"), "-p", "."], folder)
    return folder


def write_document(folder: Path) -> Path:
    """Write /openapi.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "openapi.json"
    path.write_text(json.dumps(describe_api()))
    return path


def _list_job_routes(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return method and path of the operations that take an `Idempotency-Key`."""
    return [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "Idempotency-Key" in (each.get("name") for each in operation.get("parameters", ()))
    ]


def install(language: str, lock: str, command: Iterable[str] | None = None) -> Path:
    """Return a folder with the tools of a lock file, made once for each."""
    source = _SDK / language
    digest = hashlib.sha256((source / lock).read_bytes()).hexdigest()[:16]
    wanted = Path(sys.prefix) / f"sdk-{language}-{digest}"
    if not wanted.exists():
        pip: tuple[str, ...] = (
            *_PIP,
            "install",
            "-qq",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
        )
        pip = (*pip, "--require-hashes", "-r", lock, "--target", ".")
        with tempfile.TemporaryDirectory(dir=wanted.parent) as name:
            made = Path(name) / "tools"
            made.mkdir()
            for file in (
                *source.glob("*.lock"),
                *source.glob("package*.json"),
                *source.glob(".npmrc"),
            ):
                shutil.copy(file, made)
            _run([*(command or pip)], made)
            if not wanted.exists():
                made.rename(wanted)
    return wanted


def _run(command: list[str], folder: Path, variables: dict[str, str] | None = None) -> None:
    environment = {**os.environ, **(variables or {})}
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        capture_output=True,
        env=environment,
        timeout=_INSTALL_SECONDS,
    )


def main() -> None:
    """Build both packages into dist/; without Node, the wheel alone."""
    dist = _ROOT / "dist"
    dist.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        python = Path(name) / "python"
        build_python(python)
        shutil.copy(_SDK / "python" / "pyproject.toml", python)
        shutil.copy(_ROOT / "LICENSE", python)
        (python / "VERSION").write_text(catfeeder.__version__)
        build = [*_PIP, "wheel", "-qq", "--disable-pip-version-check", "--no-deps"]
        _run([*build, "--no-build-isolation", "--wheel-dir", str(dist), "."], python)
        if shutil.which("npm") is None:
            print("npm is not there: the package for TypeScript is not built.")
            return
        typescript = build_typescript(Path(name) / "typescript")
        manifest = json.loads((typescript / "package.json").read_text())
        manifest["version"] = catfeeder.__version__
        (typescript / "package.json").write_text(json.dumps(manifest, indent=2))
        shutil.copy(_ROOT / "LICENSE", typescript)
        _run(["npm", "pack", "--ignore-scripts", "--pack-destination", str(dist)], typescript)


if __name__ == "__main__":
    main()
