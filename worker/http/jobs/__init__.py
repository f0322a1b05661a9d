"""Taking jobs in and reading them: admission control, enqueueing in batches, idempotency keys."""

from __future__ import annotations
