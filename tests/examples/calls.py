"""Calling a route of an example's app, without a server between."""

from __future__ import annotations

import asyncio

import httpx
from fastapi import FastAPI


def call(app: FastAPI, method: str, path: str, **parameters: str) -> httpx.Response:
    """Return the app's answer once all of its background tasks are done."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.request(method, path, params=parameters)

    return asyncio.run(send())
