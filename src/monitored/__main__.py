"""The command line: `python -m monitored inspect PATH` shows what is in a checkpoint, and with two how they differ.

The exit code is 0 if the checkpoint is whole (the two are equal), 1 if it is not, and 2 if it cannot be read at all.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from monitored import errors
from monitored._checkpoint import latest_checkpoint, open_checkpoint
from monitored._checkpoint.inspecting import Difference, TensorReport, differences, files_of, format_of, report

_FILE: Final = re.compile(r"(.+)\.(index|meta|data-\d{5}-of-\d{5})")
_COLORS: Final = {"equal": "green", "values": "yellow", "damaged": "bold red", "only in A": "cyan", "only in B": "cyan"}


class _NoCheckpoint(Exception):
    """There is nothing to look at; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments; the process's own by default.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser("python -m monitored", description="Looks into what a training has written.")
    commands = parser.add_subparsers(dest="command", required=True)
    inspect = commands.add_parser(
        "inspect",
        help="show what is in a checkpoint, or how two differ",
        description="Shows the tensors of a checkpoint, with their sizes and norms, and compares every one with its "
        "checksum. With a second checkpoint: shows how the two differ.",
        epilog="The exit code is 0 if the checkpoint is whole (the two are equal), 1 if it is damaged (they differ), "
        "and 2 if there is none.",
    )
    inspect.add_argument("path", help="a checkpoint without its ending, one of its files, or a directory: its newest")
    inspect.add_argument("other", nargs="?", help="a second one, to compare with")
    inspect.add_argument("--json", action="store_true", help="print JSON, for programs")
    options = parser.parse_args(arguments)
    try:
        paths = [_found(path) for path in (options.path, options.other) if path is not None]
        if len(paths) == 1:
            return _inspect(paths[0], options.json)
        return _compare(paths[0], paths[1], options.json)
    except errors.DataLossError as error:  # of an index: no tensor can be told
        print(f"damaged: {error.message}", file=sys.stderr)
        return 1
    except (_NoCheckpoint, errors.OpError) as error:
        print(f"{parser.prog}: {getattr(error, 'message', error)}", file=sys.stderr)
        return 2


def _found(path: str) -> str:
    """The checkpoint that is meant."""
    part = _FILE.fullmatch(path)
    if part is not None and os.path.exists(path):
        return part[1]
    if os.path.isdir(path) and not os.path.exists(f"{path.rstrip('/')}.index"):
        try:
            newest = latest_checkpoint(path)
        except ValueError as error:
            raise _NoCheckpoint(str(error)) from error
        if newest is None:
            raise _NoCheckpoint(f"{path} has no checkpoint that a file `checkpoint` in it names")
        return newest
    return path


def _inspect(prefix: str, as_json: bool) -> int:
    reader, files = open_checkpoint(prefix), files_of(prefix)
    kind, tensors = format_of(reader), list(report(prefix))
    problems = [(tensor.name, tensor.problem) for tensor in tensors if tensor.problem]
    tree_hash = None
    try:
        tree_hash = reader.check_tree_hash()
    except errors.DataLossError as error:
        problems.append(("the tree hash", error.message))
    if as_json:
        _print_json(
            checkpoint=prefix,
            format=kind,
            files=[{"path": path, "size": size} for path, size in files],
            tree_hash=tree_hash,
            whole=not problems,
            problems=[problem for _, problem in problems],
            tensors=[dataclasses.asdict(tensor) for tensor in tensors],
        )
        return 1 if problems else 0
    console = _console()
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(os.path.getmtime(files[0][0])))
    total, elements = sum(size for _, size in files), sum(math.prod(tensor.shape) for tensor in tensors)
    console.print(Text.assemble((_shown(prefix), "bold")))
    facts = f"{kind} format, {_plural(len(files), 'file')}, {_bytes(total)}, written {written}"
    if tree_hash is not None:
        facts += f", tree hash {tree_hash[:12]}"
    console.print(f"{facts}\n", style="dim", highlight=False)
    table = _table("tensor", "dtype", "shape", ">size", ">norm", "checksum")
    for tensor in tensors:
        table.add_row(*_row(tensor))
    console.print(table)
    console.print(f"\n{_plural(len(tensors), 'tensor')}, {elements:,} elements", highlight=False)
    if not problems:
        console.print("Every checksum holds.", style="green", highlight=False)
        return 0
    console.print(f"Damaged, {_plural(len(problems), 'problem')}:", style="bold red", highlight=False)
    for name, problem in problems:
        console.print(f"  {escape(_shown(name))}: {escape(problem)}", highlight=False, soft_wrap=True)
    return 1


def _row(tensor: TensorReport) -> list[Text]:
    norm = "" if tensor.norm is None else f"{tensor.norm:.6g}"
    state = Text("damaged", "bold red") if tensor.problem else Text("ok", "green")
    if tensor.dtype == "resource" and not tensor.problem:
        state = Text("not read", "dim")
    numbers = Text(norm)
    if tensor.non_finite:
        numbers.append(f" and {tensor.non_finite:,} not finite", "red")
    shape = "scalar" if not tensor.shape else " × ".join(map(str, tensor.shape))
    size = "" if tensor.problem or tensor.dtype == "resource" else _bytes(tensor.size)
    return [Text(_shown(tensor.name)), Text(tensor.dtype, "cyan"), Text(shape), Text(size), numbers, state]


def _compare(first: str, second: str, as_json: bool) -> int:
    found = list(differences(first, second))
    counts = {status: sum(one.status == status for one in found) for status in dict.fromkeys(d.status for d in found)}
    equal = counts.get("equal", 0) == len(found)
    if as_json:
        _print_json(first=first, second=second, equal=equal, tensors=[dataclasses.asdict(one) for one in found])
        return 0 if equal else 1
    console = _console()
    console.print(Text.assemble(("A  ", "dim"), (_shown(first), "bold")))
    console.print(Text.assemble(("B  ", "dim"), (_shown(second), "bold"), "\n"))
    if not equal:
        table = _table("tensor", "differs", "A", "B", ">changed", ">largest", folded=4)
        for one in found:
            if one.status != "equal":
                table.add_row(*_difference_row(one))
        console.print(table)
        console.print()
    summary = ", ".join(f"{count:,} {_in_words(status)}" for status, count in counts.items()) or "no tensors"
    console.print(f"{_plural(len(found), 'tensor')}: {summary}", style="green" if equal else "", highlight=False)
    for one in found:
        if one.problem:
            line = f"  {escape(_shown(one.name))}: {escape(one.problem)}"
            console.print(line, style="red", highlight=False, soft_wrap=True)
    return 0 if equal else 1


def _difference_row(one: Difference) -> list[Text]:
    changed = "" if one.changed is None else f"{one.changed:,}"
    largest = (
        "" if one.largest is None else f"{one.largest:.6g}" if isinstance(one.largest, float) else f"{one.largest:,}"
    )
    same = one.status in ("values", "damaged", "not read")
    return [
        Text(_shown(one.name)),
        Text(one.status, _COLORS.get(one.status, "magenta")),
        Text(one.first or "—"),
        Text("the same" if same else one.second or "—", "dim" if same else ""),
        Text(changed),
        Text(largest),
    ]


def _in_words(status: str) -> str:
    return {"values": "with other values", "shape": "of another shape", "dtype": "of another dtype"}.get(status, status)


def _console() -> Console:
    # Into a file or a pipe, lines are as long as they have to be.
    return Console() if sys.stdout.isatty() else Console(width=1000)


def _table(*columns: str, folded: int = 1) -> Table:
    """A table; where a terminal is too narrow, the first columns are folded. The numbers stand at the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        right = column.startswith(">")
        justify: Any = "right" if right else "left"
        table.add_column(column.lstrip(">"), justify=justify, overflow="fold", no_wrap=index >= folded)
    return table


def _shown(text: str) -> str:
    """A name as a terminal may show it, control characters spelled out."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _bytes(size: float) -> str:
    """A size in words: 1 kB is 1000 bytes."""
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5 or unit == "GB":
            break
    return f"{size:.3g} {unit}" if size < 999.5 else f"{size:,.0f} {unit}"


def _print_json(**content: Any) -> None:
    print(json.dumps(_plain(content), indent=1))


def _plain(value: Any) -> Any:
    """What JSON can hold: numbers that are not finite become their names."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main())
