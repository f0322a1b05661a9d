"""Strategies of JSON that a provider or an operator may send."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def any_json(
    size: int = 3, leaves: int = 5, *, with_floats: bool = False
) -> st.SearchStrategy[Any]:
    """Return a strategy of nested JSON with up to `size` members a level."""
    scalars = st.none() | st.booleans() | st.integers() | st.text()
    return st.recursive(
        scalars | st.floats() if with_floats else scalars,
        lambda inner: (
            st.lists(inner, max_size=size) | st.dictionaries(st.text(), inner, max_size=size)
        ),
        max_leaves=leaves,
    )
