"""Plots: light and without frames; of round trips the share of answers over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_BIN_SECONDS: Final = 5
#: Ours comes first.
COLORS: Final = ("#0969da", "#cf222e", "#8c959f", "#bf8700")


def new_axes() -> tuple[Any, Any]:
    """Return a figure and its axes, with light lines."""
    # The other benchmarks do without the library.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#8c959f")
    axes.grid(visible=True, axis="y", alpha=0.2)
    return figure, axes


def draw(durations: Mapping[str, Sequence[float]], path: Path) -> None:
    """Write the plot of durations in seconds to a PNG file."""
    figure, axes = new_axes()
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
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def draw_bars(values: Mapping[str, float], path: Path, title: str, unit: str) -> None:
    """Write bars with their values to a PNG file; those whose names begin with "ours" stand out."""
    figure, axes = new_axes()
    names = list(values)[::-1]
    colors = [COLORS[0] if name.startswith("ours") else COLORS[2] for name in names]
    bars = axes.barh(names, [values[name] for name in names], color=colors, height=0.6)
    axes.bar_label(bars, fmt="{:,.0f}", padding=4)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", alpha=0.2)
    axes.margins(x=0.12)
    axes.set(xlabel=unit, title=title)
    figure.savefig(path, dpi=120)


def draw_soak(renewals: Sequence[tuple[float, float]], of: str, path: Path) -> None:
    """Write the plot of the seconds that each token had left when it was renewed."""
    bins: dict[int, list[float]] = {}
    for at, left in renewals:
        bins.setdefault(int(at // _BIN_SECONDS), []).append(left / 60)
    minutes = [number * _BIN_SECONDS / 60 for number in sorted(bins)]
    ordered = [sorted(bins[number]) for number in sorted(bins)]
    figure, axes = new_axes()
    least, most = [each[0] for each in ordered], [each[-1] for each in ordered]
    axes.fill_between(minutes, least, most, color=COLORS[0], alpha=0.25, label="least to most")
    axes.plot(minutes, [each[len(each) // 2] for each in ordered], color=COLORS[0], label="median")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.annotate("its end", (0, 0.1))
    axes.set(
        xlabel="minutes of the soak",
        ylabel="minutes that the token had left",
        title=f"When tokens were renewed: {of}",
        ylim=(-0.5, 13),
    )
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=120)
