"""Starting a new training from an older checkpoint: `init_from_checkpoint` and `warm_start`.

Both replace variables' initializers by ones that read the checkpoint, so that nothing happens until the initializers
run, and nothing at all when a session restores a checkpoint of its own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._checkpoint import TensorReader, open_checkpoint
from monitored._graph.build import apply
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._ops.io import restore_v2
from monitored._ops.partitioned_variables import PartitionedVariable
from monitored._ops.variable_ops import global_variables, local_variables
from monitored._ops.variable_store import store_of
from monitored._ops.variables import Variable
from monitored._train.restore_plan import RestorePlan, check, checkpoint_path, compare
from monitored._train.saver_nodes import by_name, named_variables

__all__ = ["init_from_checkpoint", "warm_start"]

_log = logging.getLogger("monitored")

Path = str | os.PathLike[str]

# New initializers take the places of the old ones in the program's order, right behind them.
_STEP: Final = 2.0**-20


def init_from_checkpoint(
    ckpt_dir_or_file: Path, assignment_map: Mapping[str, Any], *, strict: bool = True
) -> RestorePlan:
    """Makes variables of the default graph begin with values from a checkpoint.

        tf.train.init_from_checkpoint("runs/old", {"dense/": "encoder/dense/", "logits/kernel": logits_kernel})

    Args:
        ckpt_dir_or_file: A directory with a `checkpoint` file, or a checkpoint's path without `.index`.
        assignment_map: Names in the checkpoint -> variables or their names; or scopes, which end with a slash:
            ``'scope/'`` -> ``'other/'`` for the variables in ``other/``, ``'/'`` for all.
        strict: Whether the checkpoint must have everything that is asked for, of the right shape and type. If not,
            what does not fit keeps the initializer that it has.

    Returns:
        What was found, for printing.

    Raises:
        ValueError: If a tensor or variable is not there, a shape does not fit, or a scope is mapped to a variable.
        InvalidArgumentError: If a type does not fit.
        NotFoundError: If there is no such checkpoint; when not strict, if it has nothing of what is asked for.
        TypeError: If `assignment_map` is no mapping, or holds something else than names and variables.
    """
    path = checkpoint_path(ckpt_dir_or_file)
    reader = open_checkpoint(path)
    found = _resolve(assignment_map, reader)
    pairs = [pair for name, variable, _ in found for pair in by_name(named_variables({name: variable})).items()]
    plan, sources = compare(reader, path, pairs)
    if strict:
        _check_strictly(found, reader, os.fspath(ckpt_dir_or_file), plan)
    elif pairs:
        check(plan, pairs, strict)
    for (_, variable, _), (_, key) in zip(found, pairs, strict=True):
        if key in sources:
            if isinstance(variable, PartitionedVariable):
                for part in variable:
                    _read_when_initialized(part, path, sources[key], part._get_save_slice_info().spec)
            else:
                _read_when_initialized(variable, path, sources[key])
    _log.log(logging.INFO if plan.fits else logging.WARNING, "%s", plan)
    return plan


_Target = Variable | PartitionedVariable
_Found = tuple[str, _Target, str]  # name in the checkpoint, variable, what the map said of it


def _resolve(assignment_map: Mapping[str, Any], reader: TensorReader) -> list[_Found]:
    if not isinstance(assignment_map, Mapping):
        raise TypeError(
            f"assignment_map must be a mapping, such as {{'scope_there/': 'scope_here/'}}, not {assignment_map!r}"
        )
    store = store_of()
    in_parts = {part for variable in store.partitioned.values() for part in variable}
    whole = {name: variable for name, variable in store.variables.items() if variable not in in_parts}
    stored: dict[str, _Target] = {**whole, **store.partitioned}  # what `get_variable` made
    others = [v for v in (*global_variables(), *local_variables()) if isinstance(v, Variable) and v not in in_parts]
    named: dict[str, _Target] = {**{v.op.name: v for v in others}, **stored}
    found: list[_Found] = []
    for key, target in sorted(assignment_map.items(), key=lambda item: item[0]):
        if isinstance(target, (list, tuple)) and target:
            target = target[0] if len(target) == 1 else _joined(target, store.partitioned.values())
        if isinstance(target, (Variable, PartitionedVariable)):
            found.append((key, target, key))
        elif not isinstance(target, str):
            raise TypeError(f"assignment_map: {key!r} must be mapped to a variable or a name, not to {target!r}")
        elif target in named:
            found.append((key, named[target], key))
        else:
            found += _in_scope(key, target, named, stored, reader)
    return found


def _joined(parts: Sequence[Any], partitioned: Iterable[PartitionedVariable]) -> Any:
    """The partitioned variable of which a list holds the parts."""
    return next((variable for variable in partitioned if list(variable) == list(parts)), parts)


def _in_scope(
    key: str, target: str, named: Mapping[str, _Target], stored: Mapping[str, _Target], reader: TensorReader
) -> list[_Found]:
    if not (key.endswith("/") and target.endswith("/")):
        hint = ""
        if not target.endswith("/"):
            hint = f" The graph has no variable {target!r}; its variables are: {', '.join(sorted(named)) or 'none'}."
        raise ValueError(
            f"Assignment map with scope only name {target.rstrip('/')} should map to scope only {key}. Should be "
            f"'scope/': 'other_scope/'.{hint}"
        )
    there, here = key.removesuffix("/") and key, target.removesuffix("/") and target
    found = []
    for name in sorted(named):
        if name.startswith(here):
            rest = name[len(here) :]
            # Variables that `get_variable` did not make are taken along when the checkpoint has them.
            if name in stored or reader.has(there + rest):
                found.append((there + rest, named[name], f"{there + rest} ({rest} in {key})"))
    if not found:
        _log.warning("assignment_map: no variable of the graph stands in the scope %r.", target)
    return found


def _check_strictly(found: Sequence[_Found], reader: TensorReader, given: str, plan: RestorePlan) -> None:
    shapes, dtypes = reader.shape_map(), reader.dtype_map()
    for name, variable, text in found:
        if name not in shapes:
            raise ValueError(f"Tensor {text} is not found in {given} checkpoint\n{plan}")
        if not variable.shape.is_compatible_with(shapes[name]):
            raise ValueError(
                f"Shape of variable {variable.name} ({variable.shape}) doesn't match with shape of tensor {name} "
                f"({list(shapes[name])}) from checkpoint reader.\n{plan}"
            )
        wanted = np.dtype(variable.dtype.base_dtype.as_numpy_dtype)
        if dtypes[name] != wanted:
            raise errors.InvalidArgumentError(
                None, next(iter(variable)).op if isinstance(variable, PartitionedVariable) else variable.op,
                f"tensor_name = {name}; expected dtype {wanted} does not equal original dtype {dtypes[name]}\n{plan}",
            )  # fmt: skip


def _read_when_initialized(variable: Variable, path: str, name: str, spec: str = "") -> None:
    """Gives a variable an initializer that reads a checkpoint, in the place of the one that it has."""
    old, dtype = variable.initializer, variable.dtype.base_dtype
    graph = variable.graph
    with graph.as_default(), graph.control_dependencies(None), graph.device("/cpu:0"):
        value = restore_v2(path, [name], [dtype], [spec], name="checkpoint_initializer")[0]
        value.set_shape(variable.shape)
        validate = variable.shape.is_fully_defined()
        assigned = apply("Assign", variable._ref(), value, validate_shape=validate, name="Assign")
    value.op._id, assigned.op._id = old._id + _STEP, old._id + 2 * _STEP
    variable._initial_value, variable._initializer_op = value, assigned.op


def warm_start(
    ckpt_to_initialize_from: Path,
    vars_to_warm_start: Any = ".*",
    var_name_to_vocab_info: Any = None,
    var_name_to_prev_var_name: Mapping[str, str] | None = None,
    *,
    strict: bool = True,
) -> RestorePlan:
    """Makes variables of the default graph begin with values from a checkpoint.

    Args:
        ckpt_to_initialize_from: A directory with a `checkpoint` file, or a checkpoint's path without `.index`.
        vars_to_warm_start: Which variables: a regular expression for names of trainable variables; a list of regular
            expressions for names of global variables; or a list of variables. None for no variable.
        var_name_to_vocab_info: Not supported: must be None.
        var_name_to_prev_var_name: Variables' names -> their names in the checkpoint, where those are others.
        strict: As for `init_from_checkpoint`.

    Returns:
        What was found, for printing.

    Raises:
        ValueError: If a variable is not in the checkpoint, its shape is another there, or an argument does not fit.
        InvalidArgumentError: If a type does not fit.
        NotFoundError: If there is no such checkpoint; when not strict, if it has none of the variables.
        UnimplementedError: If `var_name_to_vocab_info` is given.
    """
    if var_name_to_vocab_info:
        raise errors.UnimplementedError(
            None,
            None,
            "warm_start: var_name_to_vocab_info (embeddings whose vocabulary changed) is not supported. Leave it out, "
            "and give the rows their new places yourself: tf.train.load_variable(checkpoint, name) gives the old ones.",
        )
    _log.info("Warm-starting from: %s", ckpt_to_initialize_from)
    chosen = _chosen(vars_to_warm_start)
    before = dict(var_name_to_prev_var_name or {})
    unknown = before.keys() - {variable.op.name for variable in chosen}
    if unknown:
        raise ValueError(
            f"You provided the following variables in var_name_to_prev_var_name that were not used: {unknown}.  "
            "Perhaps you misspelled them?  Here is the list of viable variable names: "
            f"{[variable.op.name for variable in chosen]}"
        )
    if vars_to_warm_start is None:
        chosen = []
    names = {before.get(variable.op.name, variable.op.name): variable for variable in chosen}
    plan = init_from_checkpoint(ckpt_to_initialize_from, names, strict=strict)
    _log.info("Warm-started %d variables.", len(plan.matched) + len(plan.renamed))
    return plan


def _chosen(vars_to_warm_start: Any) -> list[Any]:
    graph = get_default_graph()
    if vars_to_warm_start is None or isinstance(vars_to_warm_start, str):
        _log.info("Warm-starting variables only in TRAINABLE_VARIABLES.")
        return graph.get_collection(GraphKeys.TRAINABLE_VARIABLES, vars_to_warm_start)
    if not isinstance(vars_to_warm_start, list):
        raise ValueError(f"`vars_to_warm_start must be a `list` or `str`.  Given type is {type(vars_to_warm_start)}")
    if all(isinstance(item, str) for item in vars_to_warm_start):
        hits = [v for item in vars_to_warm_start for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES, item)]
        return list(dict.fromkeys(hits))
    if all(isinstance(item, Variable) for item in vars_to_warm_start):
        return vars_to_warm_start
    raise ValueError(
        "If `vars_to_warm_start` is a list, it must be all `Variable` or all `str`.  Given types are "
        f"{[type(item) for item in vars_to_warm_start]}"
    )
