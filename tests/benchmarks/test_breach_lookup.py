"""Look-ups in a breach list, as `make bench` measures them, among fewer."""

from __future__ import annotations

import re

from benchmarks.passwords.breach_lookup import measure


def test_what_the_list_has_is_found_in_the_file_and_in_the_filter() -> None:
    # When look-ups are measured: of the list and others, in the file and in its filter
    text = " ".join(figure.measured for figure in measure(70_000)).replace(",", "")
    counts = re.findall(r"(\d+) of (\d+) found", text)
    (in_file, known), (others_in_file, _), (in_filter, _), (others_in_filter, _) = counts
    # Then each of the list is found, and of others a share of one in a thousand by the filter alone
    assert in_file == in_filter == known
    assert others_in_file == "0"
    assert int(others_in_filter) <= int(known) / 300
