"""Loading without garbage collections: what is loaded stays, and each scan of it takes time.

A scan also writes to what it looks at, and so copies memory that forked processes share.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def exempt_from_collection() -> Iterator[None]:
    """Collect nothing during the block, and never anything that exists at its end."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
