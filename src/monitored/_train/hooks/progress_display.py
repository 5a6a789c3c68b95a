"""Where a `ProgressHook` shows what it shows: a terminal, a notebook, or plain lines.

rich draws in the terminal: what is printed and logged meanwhile goes above the drawing. The cursor stays visible, on an
empty line below, so that a program that is killed outright leaves a terminal as it should be.
"""

from __future__ import annotations

import html
import importlib
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TextIO

import numpy as np

__all__: list[str] = []

_BLOCKS: Final = "▁▂▃▄▅▆▇"  # the full block would touch the line above
_WIDEST: Final = 40  # columns of a bar, and of the curves below it
_BESIDE: Final = 42  # columns for what stands beside a bar
_POINTS: Final = 2 * _WIDEST  # that a curve keeps
_DECADES: Final = 100.0  # a curve of positive numbers that differ by more has a logarithmic scale


class Curve:
    """The course of a number over the whole training, in constant space."""

    def __init__(self) -> None:
        self._points: list[tuple[float, float]] = []  # (step, value), each the mean of `_each` of them
        self._each = 1
        self._pending: list[tuple[float, float]] = []

    def add(self, step: int, value: Any) -> None:
        """Adds a value; what is no single real number is left out.

        Args:
            step: The step that it belongs to.
            value: The value.
        """
        array = np.asarray(value)
        if array.ndim or not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
            return
        self._pending.append((step, float(array)))
        if len(self._pending) == self._each:
            self._points.append(_mean(self._pending))
            self._pending = []
        if len(self._points) == _POINTS:
            self._points = [_mean(pair) for pair in zip(self._points[::2], self._points[1::2], strict=True)]
            self._each *= 2

    def heights(self, columns: int, last_step: int | None) -> dict[int, float]:
        """The curve in columns.

        Args:
            columns: How many columns stand for the whole.
            last_step: The step at their right end; the present one when None.

        Returns:
            Column -> height from 0 to 1, NaN where the value was not finite; in the order of the columns. Empty for
            fewer than two values.
        """
        points = [*self._points, *([_mean(self._pending)] if self._pending else [])]
        finite = [value for _, value in points if math.isfinite(value)]
        if len(points) < 2 or not finite:
            return {}
        logarithmic = min(finite) > 0 and max(finite) > _DECADES * min(finite)
        scale = math.log if logarithmic else float
        low, high = scale(min(finite)), scale(max(finite))
        first, last = (0.0, float(last_step)) if last_step else (points[0][0], points[-1][0])
        found = {}
        for step, value in points:
            column = math.ceil((step - first) / max(last - first, 1.0) * columns) - 1
            height = (scale(value) - low) / ((high - low) or 1.0) if math.isfinite(value) else math.nan
            found[max(0, min(columns - 1, column))] = height
        return found

    def text(self, columns: int, last_step: int | None) -> str:
        """The curve as blocks of different heights; see `heights`."""
        text = ""
        for column, height in self.heights(columns, last_step).items():
            # A bar may go on by several columns from one value to the next.
            text += (text[-1] if text else " ") * (column - len(text))
            text += "×" if math.isnan(height) else _BLOCKS[round(height * (len(_BLOCKS) - 1))]
        return text


def _mean(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(step for step, _ in points) / len(points), sum(value for _, value in points) / len(points)


@dataclass(frozen=True)
class Progress:
    """What there is to show.

    Attributes:
        state: ``starting``, ``running``, ``done`` or ``stopped``.
        step: The present step.
        last_step: The step at which it ends, if that is known.
        rate: Steps per second, if that is known.
        seconds: Seconds since it began.
        values: Label -> value.
        curves: Label -> the value's course.
    """

    state: str
    step: int
    last_step: int | None
    rate: float | None
    seconds: float
    values: Mapping[str, str]
    curves: Mapping[str, Curve]

    @property
    def share(self) -> float | None:
        """How much is done, from 0 to 1, if that is known."""
        return None if not self.last_step else min(1.0, self.step / self.last_step)

    def count(self, width: int = 1) -> str:
        """The step, in so many characters at least, and of how many."""
        if self.last_step is None:
            return f"step {self.step:{width}d}"
        return f"step {self.step:{max(width, len(str(self.last_step)))}d} of {self.last_step}"

    def pace(self) -> str:
        """The rate; how long it takes for a step where that is more telling."""
        if self.rate is None or self.rate <= 0:
            return ""
        return f"{self.rate:.0f} steps/s" if self.rate >= 10 else _slow(self.rate)

    def time(self) -> str:
        """What is left, or what it took."""
        if self.state in ("done", "stopped"):
            return f"{self.state} after {duration(self.seconds)}"
        if self.state == "starting":
            return "compiling the first step"
        if self.last_step is None:
            return f"for {duration(self.seconds)}"
        if not self.rate or self.rate < 0:
            return ""
        return f"{duration(max(0, self.last_step - self.step) / self.rate)} left"


def _slow(rate: float) -> str:
    return f"{rate:.1f} steps/s" if rate >= 1 else f"{1 / rate:.1f} s/step"


def duration(seconds: float) -> str:
    """A time span as ``0:07``, ``12:34``, ``1:02:03`` or ``2 d 03:04:05``.

    Args:
        seconds: Its length.

    Returns:
        The text.
    """
    minutes, rest = divmod(math.ceil(seconds - 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02}:{minutes:02}:{rest:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display(Protocol):
    """A place where progress is shown."""

    is_plain: bool

    def show(self, progress: Progress) -> None:
        """Shows what there is to show now."""

    def close(self, progress: Progress) -> None:
        """Shows it for the last time, and gives the place back."""


def display_for(file: TextIO | None, plain: bool) -> Display | None:
    """The display that fits where the output goes.

    Args:
        file: Where it goes; the standard error, or a notebook's cell, when None.
        plain: Whether lines are wanted where it is no terminal.

    Returns:
        The display; None for showing nothing.
    """
    if file is None and _in_notebook():
        return _Notebook()
    where = sys.stderr if file is None else file
    if where.isatty() and os.environ.get("TERM") != "dumb":
        return _Terminal(file)
    return _Plain(file) if plain else None


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and getattr(shell, "kernel", None) is not None


# -- the terminal -----------------------------------------------------------------------------------------------------


class _Terminal:
    """Two lines at the bottom of a terminal, drawn anew by rich."""

    is_plain = False

    def __init__(self, file: TextIO | None) -> None:
        from rich.console import Console

        self._console = Console(file=file, stderr=file is None, highlight=False)
        self._live: Any = None

    def show(self, progress: Progress) -> None:
        from rich.live import Live

        if self._live is None:
            # What goes to a file must go on doing so.
            self._live = Live(
                self._drawing(progress), console=self._console, auto_refresh=False, vertical_overflow="visible",
                redirect_stdout=sys.stdout.isatty(), redirect_stderr=sys.stderr.isatty(),
            )  # fmt: skip
            self._live.start()
            self._console.show_cursor(True)
        self._live.update(self._drawing(progress), refresh=True)

    def close(self, progress: Progress) -> None:
        if self._live is not None:
            try:
                self._live.update(self._drawing(progress, last=True), refresh=True)
            finally:
                self._live.stop()
                self._live = None

    def _drawing(self, progress: Progress, last: bool = False) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        console, share = self._console, progress.share
        names, values = map(len, progress.curves), map(len, progress.values.values())
        label, value = max(names, default=0), max(values, default=0)
        left = max(len(progress.count()), label + 2 + max(value, 9) if label else 0)  # so that nothing moves
        width = max(8, min(_WIDEST, console.width - left - _BESIDE))
        style = {"done": "green", "stopped": "yellow"}.get(progress.state, "cyan")
        pace = f"{progress.pace()}  " if progress.pace() else ""
        percent = f"{share:4.0%}  " if share is not None and width > 8 else ""
        rest = Text.assemble((percent, style), pace, (progress.time(), "dim"))
        grid = Table.grid(padding=(0, 2, 0, 0))
        for overflow in ("crop", "crop", "ellipsis"):
            grid.add_column(no_wrap=True, overflow=overflow)
        bar: Any = rest
        if share is not None:
            bar = ProgressBar(1.0, share, width=width, complete_style=style, finished_style=style)
        grid.add_row(Text(progress.count(), style="bold"), bar, rest if share is not None else Text())
        unicode = console.encoding.lower().startswith("utf")
        for name, text in progress.values.items():
            curve = progress.curves[name].text(width, progress.last_step) if unicode else ""
            gap = " " * max(2, left - len(name) - len(text))
            grid.add_row(Text(f"{name}{gap}", style="dim") + Text(text, style="not dim"), Text(curve, style=style))
        return grid if last else Group(grid, Text())


# -- a notebook -------------------------------------------------------------------------------------------------------


class _Notebook:
    """An output of a notebook's cell that is replaced."""

    is_plain = False

    def __init__(self) -> None:
        self._module: Any = importlib.import_module("IPython.display")
        self._handle: Any = None

    def show(self, progress: Progress) -> None:
        shown = self._module.HTML(page(progress))
        if self._handle is None:
            self._handle = self._module.display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def close(self, progress: Progress) -> None:
        self.show(progress)


def page(progress: Progress) -> str:
    """What there is to show, as HTML.

    Args:
        progress: What there is.

    Returns:
        The HTML.
    """
    color = {"done": "#2e9e5b", "stopped": "#c98a1b"}.get(progress.state, "#2a7fb8")
    cells = [f"<b>{html.escape(progress.count())}</b>"]
    if progress.share is not None:
        cells.append(
            '<span style="display:inline-block;width:16em;height:.6em;border-radius:.3em;background:#8884">'
            f'<span style="display:block;width:{progress.share:.1%};height:100%;border-radius:.3em;background:{color}">'
            f"</span></span> {progress.share:.0%}"
        )
    cells += [progress.pace(), f'<span style="opacity:.6">{html.escape(progress.time())}</span>']
    rows = [" &emsp; ".join(cell for cell in cells if cell)]
    values = [
        f'<span style="opacity:.6">{html.escape(label)}</span> <b>{html.escape(value)}</b> '
        f"{_svg(progress.curves[label].heights(_WIDEST, progress.last_step), color)}"
        for label, value in progress.values.items()
    ]
    if values:
        rows.append(" &emsp; ".join(values))
    lines = "".join(f'<div style="line-height:1.9em">{row}</div>' for row in rows)
    return f'<div style="font-variant-numeric:tabular-nums;white-space:nowrap">{lines}</div>'


def _svg(heights: Mapping[int, float], color: str) -> str:
    points = " ".join(f"{4 * column},{15 - 14 * height:.1f}" for column, height in heights.items() if height == height)
    return (
        f'<svg width="{4 * _WIDEST}" height="16" style="vertical-align:middle">'
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/></svg>'
    )


# -- no terminal ------------------------------------------------------------------------------------------------------


class _Plain:
    """A line now and then."""

    is_plain = True

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._shown = False

    def show(self, progress: Progress) -> None:
        if progress.state != "starting":
            self._shown = True
            self._print(progress)

    def close(self, progress: Progress) -> None:
        if self._shown:
            self._print(progress)

    def _print(self, progress: Progress) -> None:
        values = [f"{label} {value}" for label, value in progress.values.items()]
        parts = [progress.count(5), *values, progress.pace(), progress.time()]
        print("   ".join(part for part in parts if part), file=self._file or sys.stderr, flush=True)
