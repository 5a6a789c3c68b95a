"""`RestorePlan`: what a checkpoint has for the variables of a graph, worked out before anything is changed.

A restore that is strict needs a plan without missing and mismatched variables, and otherwise shows it in its error. One
that is not takes what fits and initializes the rest.
"""

from __future__ import annotations

import difflib
import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._checkpoint import TensorReader, latest_checkpoint, open_checkpoint
from monitored._graph.operation import Operation
from monitored._graph.shapes import TensorShape
from monitored._ops.variable_ops import global_variables
from monitored._train.saver_nodes import Partitioned, by_name, named_variables, operations_of

__all__ = ["RestorePlan"]

Path = str | os.PathLike[str]

STREAM: Final = "_monitored/stream/"  # before the names of random streams in a checkpoint
_OBJECT_GRAPH: Final = "_CHECKPOINTABLE_OBJECT_GRAPH"  # what TensorFlow 2's object-based checkpoints hold
_WIDTH: Final = 118  # columns of a printed plan
_MOST: Final = 8  # names of one kind in an error


@dataclass(frozen=True)
class RestorePlan:
    """What a checkpoint has for the variables of a graph; print it to read it.

        print(tf.train.RestorePlan.compare("runs/digits"))

    Attributes:
        checkpoint: The checkpoint's path without `.index`.
        matched: Variables that the checkpoint holds under their names.
        renamed: Variables that it holds under other names -> those names.
        mismatched: Variables that it holds with another shape or dtype -> both, in words.
        missing: Variables that it does not hold.
        unused: Names in the checkpoint that no variable takes its value from.
    """

    checkpoint: str
    matched: tuple[str, ...]
    renamed: Mapping[str, str]
    mismatched: Mapping[str, str]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    @classmethod
    def compare(
        cls,
        ckpt_dir_or_file: Path,
        var_list: Any = None,
        renamed: Mapping[str, str] | None = None,
        reshape: bool = False,
    ) -> RestorePlan:
        """Compares a checkpoint with the default graph; nothing is read but the checkpoint's index.

        Args:
            ckpt_dir_or_file: A directory with a `checkpoint` file, or a checkpoint's path without `.index`.
            var_list: The variables, as for `Saver`; all global variables by default.
            renamed: Names in the graph -> names in the checkpoint, as for `Saver`.
            reshape: Whether another shape with as many elements fits.

        Returns:
            The plan.

        Raises:
            ValueError: If the directory holds no checkpoint, or `renamed` does not fit the graph.
            NotFoundError: If there is no such checkpoint.
            DataLossError: If its index is damaged.
        """
        path = checkpoint_path(ckpt_dir_or_file)
        saved = named_variables(global_variables() if var_list is None else var_list)
        variables = list(by_name(saved).items())
        return compare(open_checkpoint(path), path, variables, renamed, reshape)[0]

    @property
    def fits(self) -> bool:
        """Whether every variable gets its value from the checkpoint."""
        return not (self.missing or self.mismatched)

    def describe(self, most: int | None = None) -> str:
        """The plan as text.

        Args:
            most: How many names of each kind to give; all by default.

        Returns:
            A line that says what is compared, and a paragraph for each kind of variable that there is.
        """
        count = len(self.matched) + len(self.renamed) + len(self.mismatched) + len(self.missing)
        renamed = [f"{name} (there {other})" for name, other in self.renamed.items()]
        lines = [f"What {self.checkpoint} has for {_plural(count, 'variable')}:"]
        for label, names in (("matched", self.matched), ("renamed", renamed), ("missing", self.missing)):
            lines += _paragraph(label, names, most)
        for index, (name, why) in enumerate(list(self.mismatched.items())[:most]):
            label = f"  mismatched {len(self.mismatched):4}  " if index == 0 else " " * 19
            lines.append(f"{label}{name} {why}")
        if most is not None and len(self.mismatched) > most:
            lines.append(f"{' ' * 19}and {len(self.mismatched) - most} more")
        return "\n".join(lines + _paragraph("unused", self.unused, most))

    def __str__(self) -> str:
        return self.describe()


def _paragraph(label: str, names: Sequence[str], most: int | None) -> list[str]:
    if not names:
        return []
    shown = list(names if most is None else names[:most])
    if len(shown) < len(names):
        shown.append(f"and {len(names) - len(shown)} more")
    head = f"  {label:10} {len(names):4}  "
    return textwrap.wrap(
        ", ".join(shown), _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def checkpoint_path(ckpt_dir_or_file: Path) -> str:
    """The path of a checkpoint, given itself or as the newest of a directory.

    Args:
        ckpt_dir_or_file: A directory with a `checkpoint` file, or a checkpoint's path without `.index`.

    Returns:
        The path without `.index`.

    Raises:
        ValueError: If the directory holds no checkpoint.
    """
    path = os.fspath(ckpt_dir_or_file)
    if not os.path.isdir(path):
        return path
    newest = latest_checkpoint(path)
    if newest is None:
        raise ValueError(f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}")
    return newest


def compare(
    reader: TensorReader,
    prefix: str,
    variables: Sequence[tuple[str, Operation | Partitioned]],
    renamed: Mapping[str, str] | None = None,
    reshape: bool = False,
) -> tuple[RestorePlan, dict[Operation | Partitioned, str]]:
    """Works out what a checkpoint has for variables.

    Args:
        reader: The checkpoint.
        prefix: Its path without `.index`.
        variables: Names in the checkpoint with variables.
        renamed: Variable's name -> the name that it had before, which comes first where the checkpoint has it.
        reshape: Whether another shape with as many elements fits.

    Returns:
        The plan, and for each variable that gets a value the name of that in the checkpoint.

    Raises:
        ValueError: If `renamed` does not fit the graph.
    """
    shapes, dtypes = reader.shape_map(), reader.dtype_map()
    before = _names_before([op for _, op in variables], renamed or {})
    matched: list[str] = []
    missing: list[str] = []
    other: dict[str, str] = {}
    mismatched: dict[str, str] = {}
    sources: dict[Operation | Partitioned, str] = {}
    unused = dict.fromkeys(name for name in shapes if not name.startswith(STREAM))
    for name, op in variables:
        source = before[op] if before.get(op) in shapes else name
        if source not in shapes:
            missing.append(op.name)
            continue
        unused.pop(source, None)
        why = _mismatch(op, shapes[source], dtypes[source], reshape)
        if why:
            mismatched[op.name] = why if source == op.name else f"{why} ({source})"
            continue
        sources[op] = source
        if source == op.name:
            matched.append(op.name)
        else:
            other[op.name] = source
    return RestorePlan(prefix, tuple(matched), other, mismatched, tuple(missing), tuple(unused)), sources


def _names_before(
    variables: Sequence[Operation | Partitioned], renamed: Mapping[str, str]
) -> dict[Operation | Partitioned, str]:
    """The earlier name of each variable that had one; scopes, which end with a slash, stand for what is in them."""
    found: dict[Operation | Partitioned, str] = {}
    present = {op.name for op in variables}
    for new, old in renamed.items():
        if new.endswith("/") != old.endswith("/"):
            raise ValueError(f"renamed: {new!r} and {old!r} must both be names, or both be scopes that end with '/'.")
        hit = [op for op in variables if op.name == new or (new.endswith("/") and op.name.startswith(new))]
        if not hit:
            raise ValueError(
                f"renamed: the graph has no variable {new!r}. Give names as in {{'<name now>': '<name before>'}}; "
                f"the variables are: {_listed(sorted(present))}"
            )
        found.update((op, old + op.name[len(new) :]) for op in hit)
    for op, old in found.items():
        if old in present:
            raise ValueError(
                f"renamed: {old!r}, the name that {op.name!r} had before, is a variable's name now, so that a "
                "checkpoint does not tell whether it was written before or after. Take the values over once, when a "
                "new training begins:\n"
                f"  tf.train.init_from_checkpoint(<checkpoint>, {{{old!r}: {op.name!r}, ...}})"
            )
    return found


def _mismatch(
    variable: Operation | Partitioned, shape: tuple[int, ...], dtype: np.dtype[Any], reshape: bool
) -> str | None:
    """Why a value of a shape and dtype does not fit a variable, in words; None if it does."""
    own, wanted = shape_of(variable), np.dtype(operations_of(variable)[0]._outputs[0].dtype.as_numpy_dtype)
    sizes = sizes_of(variable) if reshape else None
    if dtype != wanted:
        return f"has dtype {wanted}, in the checkpoint {dtype}"
    if sizes is not None and math.prod(sizes) != math.prod(shape):
        return f"of shape {_shown(own)} cannot take the shape {_shown(shape)} there"
    if sizes is None and not own.is_compatible_with(shape):
        return f"has shape {_shown(own)}, in the checkpoint {_shown(shape)}"
    return None


def shape_of(variable: Operation | Partitioned) -> TensorShape:
    """The static shape of a variable, the whole of it if it is partitioned."""
    return variable.shape if isinstance(variable, Partitioned) else variable._outputs[0].shape


def sizes_of(variable: Operation | Partitioned) -> tuple[int, ...] | None:
    """The shape of a variable, if it is known."""
    sizes = shape_of(variable).sizes
    return None if sizes is None or None in sizes else tuple(size for size in sizes if size is not None)


def check(plan: RestorePlan, variables: Sequence[tuple[str, Operation | Partitioned]], strict: bool) -> None:
    """Checks that a restore can be carried out.

    Args:
        plan: What the checkpoint has.
        variables: Names in the checkpoint with variables.
        strict: Whether it must have everything, rather than something.

    Raises:
        NotFoundError: If a variable is missing; when not strict, if none gets a value.
        InvalidArgumentError: If one does not fit, and the restore is strict.
    """
    if plan.fits or (not strict and (plan.matched or plan.renamed)):
        return
    blamed = (plan.missing or tuple(plan.mismatched))[0]
    key, variable = next((name, variable) for name, variable in variables if variable.name == blamed)
    op = operations_of(variable)[0]
    if not strict:
        raise errors.NotFoundError(
            None, op, f"The checkpoint has nothing for this graph, so it is hardly the right one.\n{plan}"
        )
    example = next(iter(difflib.get_close_matches(blamed, plan.unused, 1, 0.3)), "<name in the checkpoint>")
    hints = (
        "To restore what fits and initialize the rest:\n"
        "  saver = tf.train.Saver(strict=False)\n"
        "  tf.train.SingularMonitoredSession(scaffold=tf.train.Scaffold(saver=saver), checkpoint_dir=...)"
    )
    start = "Restoring from checkpoint failed. This is most likely due to a "
    advice = "Please ensure that you have not altered the graph expected based on the checkpoint. Original error:\n\n"
    if not plan.missing:
        raise errors.InvalidArgumentError(
            None, op, f"{start}mismatch between the current graph and the graph from the checkpoint. {advice}"
            f"Variable {blamed} {plan.mismatched[blamed]}\n{plan.describe(_MOST)}\n{hints}",
        )  # fmt: skip
    if _OBJECT_GRAPH in plan.unused:
        hints = f"It was written by tf.train.Checkpoint, which names values by the objects that hold them.\n{hints}"
    raise errors.NotFoundError(
        None, op, f"{start}Variable name or other graph key that is missing from the checkpoint. {advice}"
        f"Key {key} not found in checkpoint {plan.checkpoint}\n{plan.describe(_MOST)}\n"
        f"If a variable had another name when it was saved, say so:\n"
        f"  tf.train.Saver(renamed={{{blamed!r}: {example!r}}})\n{hints}",
    )  # fmt: skip


def _shown(shape: Any) -> str:
    return str(shape.as_list() if hasattr(shape, "as_list") else list(shape)).replace("None", "?")


def _listed(names: Sequence[str]) -> str:
    more = f", ... and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more if names else "none"
