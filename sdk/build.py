"""Builds the packages of the SDK: `make sdk` leaves a wheel and a tarball of npm in dist/.

What generators write goes to the folder of the build alone.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import catfeeder
from sdk.tools import PIP, SDK, install_python_tools, install_typescript_tools, run
from worker.http.app import describe_api

_ROOT: Final = SDK.parent
_WHEEL: Final = (
    *(*PIP, "wheel", "-qq", "--disable-pip-version-check", "--no-deps"),
    "--no-build-isolation",
)
#: Fields that `repr` of a generated model must not show.
_SECRET_FIELD: Final = re.compile(
    r"^    (?:\w*password\w*|\w*token|\w*secret\w*|code|state|key|credentials|headers|"
    r"query_parameters|authorization_url|url|user|private_key): ",
    re.MULTILINE,
)


def _generate_python(folder: Path) -> None:
    tools = install_python_tools()
    document = _write_document(folder)
    package = folder / "catfeeder_http"
    config = folder / "generator.json"
    config.write_text('{"post_hooks": []}')
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    command += ["--meta", "none", "--config", str(config), "--output-path", str(package)]
    run([*command, "--overwrite"], folder, {"PYTHONPATH": str(tools)})
    for model in (package / "models").glob("*.py"):
        model.write_text(_correct_model(model.stem, model.read_text()))
    shutil.copytree(SDK / "python" / "catfeeder_http", package, dirs_exist_ok=True)
    routes = f"JOB_ROUTES = {_list_job_routes(json.loads(document.read_text()))!r}\n"
    (package / "job_routes.py").write_text(f'"""Routes that make jobs."""\n\n{routes}')
    (package / "py.typed").touch()


def _correct_model(name: str, text: str) -> str:
    """Return a generated model whose `repr` shows no secret, and whose types are right.

    The generator names a new object as its module, which may be the name of a member as well.
    """
    if _SECRET_FIELD.search(text):
        text = text.replace("@_attrs_define\n", "@_attrs_define(repr=False)\n")
    made = rf"^(        (?:return )?){name}(?= = cls\(|\.additional_properties = |$)"
    return re.sub(made, r"\1made", text, flags=re.MULTILINE)


def _generate_typescript(folder: Path) -> None:
    tools = install_typescript_tools()
    document = _write_document(folder)
    shutil.copytree(SDK / "typescript", folder, dirs_exist_ok=True)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(tools / "node_modules")
    run(
        ["node", str(modules / ".bin/openapi-typescript"), str(document), "-o", "src/schema.ts"],
        folder,
    )
    routes = json.dumps(_list_job_routes(json.loads(document.read_text())))
    (folder / "src/job-routes.ts").write_text(
        f"export const JOB_ROUTES: [string, string][] = {routes};\n"
    )
    run(["node", str(modules / ".bin/tsc"), "-p", "."], folder)


def _write_document(folder: Path) -> Path:
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


def build_wheel(dist: Path) -> Path:
    """Build the package for Python, and return the wheel."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _generate_python(folder)
        for file in (SDK / "python" / "pyproject.toml", SDK / "README.md", _ROOT / "LICENSE"):
            shutil.copy(file, folder)
        (folder / "VERSION").write_text(catfeeder.__version__)
        run([*_WHEEL, "--wheel-dir", str(dist), "."], folder)
    return dist / f"catfeeder_http-{catfeeder.__version__}-py3-none-any.whl"


def build_tarball(dist: Path) -> Path:
    """Build the package for TypeScript, and return the tarball of npm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _generate_typescript(folder)
        manifest = json.loads((folder / "package.json").read_text())
        manifest["version"] = catfeeder.__version__
        (folder / "package.json").write_text(json.dumps(manifest, indent=2))
        for file in (SDK / "README.md", _ROOT / "LICENSE"):
            shutil.copy(file, folder)
        run(["npm", "pack", "--ignore-scripts", "--pack-destination", str(dist)], folder)
    return dist / f"catfeeder-http-{catfeeder.__version__}.tgz"


def main() -> None:
    """Build both packages into dist/; without Node, the wheel alone."""
    dist = _ROOT / "dist"
    dist.mkdir(exist_ok=True)
    build_wheel(dist)
    if shutil.which("npm") is None:
        print("npm is not there: the package for TypeScript is not built.")
        return
    build_tarball(dist)


if __name__ == "__main__":
    main()
