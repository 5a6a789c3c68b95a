"""The nodes of a `Saver`: what TensorFlow's savers add to a graph, with the same names, types and inputs.

    save/filename/input -> save/filename -> save/Const         the checkpoint's path, to be fed
    save/SaveV2, and save/control_dependency after it          running it saves
    save/RestoreV2 -> save/Assign, save/Assign_1, ... ; save/restore_all after them

Those of a sharded saver write a file for each device that has variables, and put these together:

    save/StringJoin                                            the path of the parts, in a directory for a while
    save/ShardedFilename, save/SaveV2, ... for each device     a part
    save/MergeV2Checkpoints, and save/Identity after it        running it saves
    save/restore_shard, ... for each device; save/restore_all after them

They are what a `SaverDef` names, and what TensorFlow runs when it has imported our graph. The `Saver` itself works on
the session's state directly.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from monitored import errors
from monitored._graph.build import apply, constant
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import int32, string
from monitored._graph.effects import VARIABLE_TYPES, variable_behind
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.array import placeholder_with_default
from monitored._ops.control_flow import group
from monitored._ops.io import parse_slice, restore_v2, save_v2
from monitored._ops.joining import stack
from monitored._ops.partitioned_variables import PartitionedVariable
from monitored._ops.save_slices import SaveSliceInfo
from monitored._ops.sharded_saving import merge_v2_checkpoints, sharded_filename, string_join
from monitored._ops.variables import Variable

__all__: list[str] = []

Array = np.ndarray[Any, Any]


class Saved(NamedTuple):
    """One thing that a saver saves: a variable, or a part of a partitioned one.

    Attributes:
        name: The name in the checkpoint, which all parts of a variable share.
        reference: The variable's reference.
        value: What is saved.
        part: Which slice of the whole it is; None for a variable that is saved by itself.
    """

    name: str
    reference: Tensor
    value: Tensor
    part: SaveSliceInfo | None

    @property
    def spec(self) -> str:
        """Which slice it is, as `SaveV2` takes it; empty for a whole."""
        return "" if self.part is None else self.part.spec


@dataclass(frozen=True, eq=False)
class Partitioned:
    """Variables that are the parts of one tensor in a checkpoint.

    Attributes:
        name: The name of the whole in the graph.
        parts: The variables, and which slices they hold.
    """

    name: str
    parts: tuple[tuple[Operation, SaveSliceInfo], ...]

    @property
    def shape(self) -> TensorShape:
        """The shape of the whole."""
        return TensorShape(self.parts[0][1].full_shape)

    def taken_from(self, whole: Array) -> dict[Operation, Array]:
        """Each part's share of a value of the whole."""
        return {
            op: whole[tuple(slice(at, at + size) for at, size in zip(info.var_offset, info.var_shape, strict=True))]
            for op, info in self.parts
        }


Variables = Mapping[str, Operation | Partitioned]  # by their names in the checkpoint


def operations_of(variable: Operation | Partitioned) -> tuple[Operation, ...]:
    """The operations that hold a variable: its parts', if it is partitioned."""
    return tuple(op for op, _ in variable.parts) if isinstance(variable, Partitioned) else (variable,)


def by_name(saved: Iterable[Saved]) -> dict[str, Operation | Partitioned]:
    """What is saved, by its names in the checkpoint.

    Args:
        saved: What is saved; the parts of one variable have one name.

    Returns:
        Name -> the variable.
    """
    found: dict[str, Operation | Partitioned] = {}
    for name, reference, _, part in saved:
        if part is None:
            found[name] = reference.op
        else:
            before = found.get(name)
            parts = before.parts if isinstance(before, Partitioned) else ()
            found[name] = Partitioned(part.full_name, (*parts, (reference.op, part)))
    return found


def named_variables(var_list: Any) -> list[Saved]:
    """The variables that a saver is given, with their names in the checkpoint.

    Args:
        var_list: A list of variables, or a mapping of names to variables. A partitioned variable, or the list of its
            parts, counts as one.

    Returns:
        What is saved, in the order of the names.

    Raises:
        TypeError: If it is neither, or something in it is no variable.
        ValueError: If two variables have one name, or one variable two.
    """
    found: list[Saved] = []
    if isinstance(var_list, Mapping):
        for name, value in var_list.items():
            if isinstance(value, (PartitionedVariable, list, tuple)):
                found += _parts(name, value)
            else:
                reference = _reference(name, value)
                found.append(Saved(name, reference, reference, None))
    elif isinstance(var_list, (list, tuple, set)):
        for value in var_list:
            if isinstance(value, PartitionedVariable):
                found += _parts(value.name, value)
            elif getattr(value, "_save_slice_info", None) is not None:
                found += _parts(value._save_slice_info.full_name, [value])
            else:
                reference = _reference(None, value)
                found.append(Saved(reference.op.name, reference, reference, None))
    else:
        raise TypeError(f"Variables to save should be passed in a dict or a list: {var_list}")
    found.sort(key=lambda saved: saved.name)
    _check_names(found)
    return found


def _check_names(found: list[Saved]) -> None:
    whole: dict[str, bool] = {}
    names_of: dict[Tensor, str] = {}
    for name, reference, value, part in found:
        if name in whole:
            if whole[name] != (part is None):
                raise ValueError(f"Mixing slices and non-slices with the same name: {name}")
            if part is None:
                raise ValueError(f"At least two variables have the same name: {name}")
        if value in names_of:
            raise ValueError(
                f"The same saveable will be restored with two names: {name} (variable {reference.op.name}, which is "
                f"{names_of[value]} already)"
            )
        whole[name], names_of[value] = part is None, name


def _parts(name: str, variables: Iterable[Any]) -> list[Saved]:
    """The parts of a variable, under one name."""
    found: list[Saved] = []
    for variable in variables:
        if not isinstance(variable, Variable):
            raise ValueError(f"Slices must all be Variables: {variable}")
        info = variable._save_slice_info
        if info is None:
            raise ValueError(f"Slices must all be slices: {variable}")
        first = found[0].part if found else None
        if first is not None and first.full_name != info.full_name:
            raise ValueError(f"Slices must all be from the same tensor: {first.full_name} != {info.full_name}")
        found.append(Saved(name, variable._ref(), variable.value(), info))
    return found


def _reference(name: str | None, value: Any) -> Tensor:
    found = value._ref() if hasattr(value, "_ref") else value
    if isinstance(found, Tensor) and found.op.type in VARIABLE_TYPES:
        return found
    if name is None:
        raise TypeError(f"Variable to save is not a Variable: {value}")
    raise TypeError(
        f"names_to_saveables must be a dict mapping string names to Tensors/Variables. Not a variable: {value}"
    )


def _shards_of(saved: Sequence[Saved]) -> list[tuple[str, list[Saved]]]:
    """What is saved by its devices, each with a file of its own in a sharded checkpoint."""
    found: dict[str, list[Saved]] = {}
    for one in saved:
        found.setdefault(one.reference.device, []).append(one)
    return sorted(found.items(), key=lambda item: item[0])


def add_nodes(
    saved: Sequence[Saved], name: str | None, filename: str, reshape: bool, sharded: bool = False
) -> tuple[str, str, str]:
    """Adds a saver's nodes to the graph of its variables.

    Args:
        saved: What is saved.
        name: The nodes' name scope; ``'save'`` by default.
        filename: The checkpoint's path for a run that is not fed one.
        reshape: Whether restored values are given the variables' shapes.
        sharded: Whether the variables of each device are saved in a file of their own.

    Returns:
        What a `SaverDef` names: the tensor to feed the path, the one to fetch to save, the operation that restores.
    """
    with saved[0].reference.graph.as_default() as graph, graph.name_scope(name or "save"):
        with graph.name_scope("filename") as scope:
            default = constant(filename, string, name="input")
        inner = placeholder_with_default(default, [], name=scope)
        path = placeholder_with_default(inner, [], name="Const")
        if sharded:
            done, restored = _add_shards(path, saved, reshape)
        else:
            done = _add_save(path, path, saved)
            restored = group(*_add_restore(path, saved, reshape, ""), name="restore_all")
    return path.name, done.name, restored.name


def _add_save(path: Tensor, file: Tensor, saved: Sequence[Saved]) -> Tensor:
    """Adds the nodes that save variables in a file; the result is the file's path, after that."""
    written = save_v2(file, [one.name for one in saved], [one.value for one in saved], [one.spec for one in saved])
    with path.graph.control_dependencies([written]):
        done: Tensor = apply("Identity", file, name="control_dependency")
    done.op._set_attr("_class", [f"loc:@{file.op.name}".encode()])
    return done


def _add_restore(path: Tensor, saved: Sequence[Saved], reshape: bool, device: str) -> list[Operation]:
    """Adds the nodes that restore the variables of a device."""
    kinds = [one.reference.dtype.base_dtype for one in saved]
    with path.graph.device(None), path.graph.device(_host_of(device)):
        values = restore_v2(path, [one.name for one in saved], kinds, [one.spec for one in saved])
    return [_add_assign(one.reference, value, reshape) for one, value in zip(saved, values, strict=True)]


def _add_shards(path: Tensor, saved: Sequence[Saved], reshape: bool) -> tuple[Tensor, Operation]:
    """Adds the nodes of a sharded saver: the tensor to fetch to save, and the operation that restores."""
    graph = path.graph
    shards = _shards_of(saved)
    # TensorFlow draws this name at random; here the graph of a program is the same each time.
    place = hashlib.sha256("\n".join(one.name for one in saved).encode()).hexdigest()[:32]
    parts = string_join([path, f"_temp_{place}/part"])
    count = constant(len(shards), int32, name="num_shards")
    files, done = [], []
    for index, (device, part) in enumerate(shards):
        with graph.device(_host_of(device)):
            files.append(sharded_filename(parts, index, count))
            done.append(_add_save(path, files[-1], part))
    with graph.device(_host_of(shards[-1][0])):
        with graph.control_dependencies([tensor.op for tensor in done]):
            prefixes = stack(files, name="MergeV2Checkpoints/checkpoint_prefixes")
        merged = merge_v2_checkpoints(prefixes, path)
        with graph.control_dependencies([merged, *(tensor.op for tensor in done)]):
            after: Tensor = apply("Identity", path, name="Identity")
    restored = []
    for device, part in shards:
        with graph.device(device):
            restored.append(group(*_add_restore(path, part, reshape, device), name="restore_shard"))
    return after, group(*restored, name="restore_all")


def _host_of(device: str) -> str:
    """The processor that saves what is on a device."""
    return f"{re.sub('/device:.*', '', device)}/device:CPU:0"


def _add_assign(reference: Tensor, value: Tensor, reshape: bool) -> Operation:
    shape = reference.shape
    if reshape and shape.is_fully_defined():
        value = apply("Reshape", value, shape.as_list())
    validate = not reshape and shape.is_fully_defined()
    with reference.graph.device(None), reference.graph.device(reference.op.device):
        assigned: Operation = apply("Assign", reference, value, validate_shape=validate, name="Assign").op
    assigned._set_attr("_class", [f"loc:@{reference.op.name}".encode()])
    return assigned


def saved_by(graph: Graph, save_tensor_name: str) -> dict[str, Operation | Partitioned]:
    """The variables that the nodes of a saver save, found from the tensor that its `SaverDef` names.

    Args:
        graph: The graph that holds the nodes.
        save_tensor_name: The tensor that is fetched to save.

    Returns:
        Name in the checkpoint -> variable.

    Raises:
        KeyError: If the graph has no such tensor.
        UnimplementedError: If something else than variables is saved.
    """
    found: list[Saved] = []
    seen: set[Operation] = set()
    stack = [graph.get_tensor_by_name(save_tensor_name).op]
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        if op.type in ("SaveV2", "SaveSlices"):
            found += _saved_by_one(op)
        else:
            stack.extend((*(tensor.op for tensor in op.inputs), *op.control_inputs))
    return by_name(found)


def _saved_by_one(op: Operation) -> list[Saved]:
    names, slices = constant_value(op.inputs[1]), constant_value(op.inputs[2])
    variables = [variable_behind(tensor) for tensor in op.inputs[3:]]
    if names is None or slices is None or None in variables:
        raise errors.UnimplementedError(None, op, f"'{op.name}' saves something else than variables under fixed names.")
    found = []
    for name, spec, variable, value in zip(names, slices, variables, op.inputs[3:], strict=True):
        if variable is not None:
            whole, starts, sizes = parse_slice(spec.decode(), op) if spec else ([], [], [])
            part = SaveSliceInfo(name.decode(), whole, starts, sizes) if spec else None
            found.append(Saved(name.decode(), variable._outputs[0], value, part))
    return found
