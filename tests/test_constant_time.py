"""Secrets, and hashes of secrets, are compared by `hmac.compare_digest`, never by `==`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from config import ROOT

#: Where something secret is compared: the functions, which must all do it in constant time.
_DOORS: Final = {
    "actors/api_keys.py": {"find_holder"},
    "actors/passwords/derivation.py": {"is_of"},
    "actors/providers/identity/id_tokens.py": {"_matches"},
    "catfeeder/sealing.py": {"__eq__"},
    "models/oauth/connect_sessions.py": {"accepts_browser", "find_by_token"},
    "models/oauth/sign_ins.py": {"accepts_browser"},
    "models/sealing/row_macs.py": {"_is_mac_of"},
    "models/webhook_deliveries.py": {"_is_as_it_was"},
    "worker/http/auth/api_keys.py": {"find_caller"},
    "worker/http/pages/forms.py": {"read_own_form"},
    "worker/http/jobs/idempotency.py": {"_check"},
}
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_SECRET: Final = re.compile(
    r"(^|_)(secret|token|password|verifier|nonce|state_hash|key_hash|browser_hash|digest|signature"
    r"|fingerprint|challenge|mac|hash|hash_state)$"
)
#: Columns in a query: a look-up by an index, whose time tells nothing of a hash's other bytes.
_COLUMNS_OF: Final = re.compile(r"cls|table|TAB_[A-Z_]+")


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for layer in ("actors", "catfeeder", "models", "worker"):
        for path in sorted((ROOT / layer).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def _name(node: ast.expr) -> str:
    """Return what an operand is called: the last name of a variable, a member or a function."""
    match node:
        case ast.Call():
            return _name(node.func)
        case ast.Attribute():
            return node.attr
        case ast.Name():
            return node.id
    return ""


def _is_column(node: ast.expr) -> bool:
    is_member = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return is_member and _COLUMNS_OF.fullmatch(node.value.id) is not None  # type: ignore[attr-defined]


def _compares_secrets(node: ast.AST) -> bool:
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return False
    operands = [node.left, *node.comparators]
    if any(isinstance(each, ast.Constant) or _is_column(each) for each in operands):
        return False
    return any(_SECRET.search(_name(each)) for each in operands)


def _calls_compare_digest(function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call) and _name(node.func) == "compare_digest"
        for node in ast.walk(function)
    )


def test_no_secret_is_compared_by_an_operator() -> None:
    found = {
        f"{path}: {ast.unparse(node)}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if _compares_secrets(node)
    }
    assert found == set()


def test_each_comparison_of_a_secret_takes_constant_time() -> None:
    found: dict[str, set[str]] = {}
    for path, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, _FUNCTIONS) and _calls_compare_digest(node):
                found.setdefault(path, set()).add(node.name)
    assert found == _DOORS


def test_the_search_finds_what_it_is_for() -> None:
    for text in ("row.key_hash == _hash(key)", "a.nonce != b", "compute_digest(x) == self._digest"):
        assert _compares_secrets(ast.parse(text, mode="eval").body), text
    assert not _compares_secrets(ast.parse("cls.key_hash == h", mode="eval").body)
