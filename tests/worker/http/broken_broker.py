"""A broker that is gone, as far as one client can see."""

from __future__ import annotations

from catfeeder.client import Client


def cut_off(client: Client) -> None:
    """Let every further call of a client fail, as if the broker's socket were gone."""
    pool = client.redis.connection_pool
    pool.disconnect()
    pool.connection_kwargs["path"] = "/nowhere.sock"
    pool.reset()
