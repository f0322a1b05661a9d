"""Breach lists that tests make, in the formats of Have I Been Pwned's downloads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from actors.passwords.breaches.md4 import hash_md4

#: Passwords that have leaked, and how often.
LEAKED: Mapping[str, int] = {"correct horse": 7, "hunter2 hunter2": 1, "żółw na rowerze": 12345}
GOOD = "a password that no list has"


def sha1(password: str) -> str:
    """Return the SHA-1 of a password as lists write it."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def ntlm(password: str) -> str:
    """Return the NTLM of a password as lists write it."""
    return hash_md4(password.encode("utf-16-le")).hex().upper()


def list_lines(hash_text: object = sha1, others: int = 30_000) -> list[str]:
    """Return sorted lines of the leaked passwords, among random ones."""
    digest = ntlm if hash_text is ntlm else sha1
    size = len(digest("")) // 2
    lines = [f"{os.urandom(size).hex().upper()}:{number % 50 + 1}" for number in range(others)]
    return sorted([*lines, *(f"{digest(text)}:{count}" for text, count in LEAKED.items())])


def write_file(path: Path, lines: Iterable[str], end: str = "\n") -> Path:
    """Write one sorted file."""
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return path


def write_folder(path: Path, lines: Iterable[str], suffix: str = ".txt") -> Path:
    """Write range files where there are lines, and everywhere that a start looks."""
    path.mkdir()
    lines = list(lines)
    digits = 27 if any(len(line.partition(":")[0]) == 32 for line in lines) else 35
    for prefix in (*range(0, 16**5, 16**5 // 64), 16**5 - 1):
        (path / f"{prefix:05X}{suffix}").write_text(f"{'0' * digits}:1\n")
    ranges: dict[str, list[str]] = {}
    for line in lines:
        ranges.setdefault(line[:5], []).append(line[5:])
    for prefix, rest in ranges.items():
        (path / f"{prefix}{suffix}").write_bytes("\r\n".join(rest).encode())
    return path
