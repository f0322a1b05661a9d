"""Peer of the shim: the three lines of FastAPI with Celery that an application would write."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, FastAPI

from benchmarks.peers.celery_app import check_password

app = FastAPI()


@app.post("/v1/passwords/check", status_code=202)
def check(
    password: Annotated[str, Body()], password_hash: Annotated[str, Body()]
) -> dict[str, str]:
    """Take the work in and answer with its id."""
    return {"id": check_password.delay(password, password_hash).id}
