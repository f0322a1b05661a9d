"""From a request to a job: admission, idempotency, batching, waiting."""

from __future__ import annotations
