"""Plot of round trips: for each contender the share of answers over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def draw(durations: Mapping[str, Sequence[float]], path: Path) -> None:
    """Write the plot of durations in seconds to a PNG file."""
    # The other benchmarks do without the library.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, taken in durations.items():
        shares = [(at + 1) / len(taken) * 100 for at in range(len(taken))]
        axes.step([one * 1000 for one in sorted(taken)], shares, where="post", label=name)
    axes.set(
        xscale="log",
        xlabel="milliseconds from asking to the result, less bcrypt's own",
        ylabel="% of answers that are there",
        title="Round trip of an idle stack",
    )
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend()
    figure.savefig(path, dpi=120)
