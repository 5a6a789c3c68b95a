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
from collections.abc import Mapping
from typing import Any

from monitored import errors
from monitored._graph.build import apply, constant
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import int32, string
from monitored._graph.effects import VARIABLE_TYPES, variable_behind
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._ops.array import placeholder_with_default
from monitored._ops.control_flow import group
from monitored._ops.io import restore_v2, save_v2
from monitored._ops.joining import stack
from monitored._ops.sharded_saving import merge_v2_checkpoints, sharded_filename, string_join

__all__: list[str] = []


def named_variables(var_list: Any) -> dict[str, Tensor]:
    """The variables that a saver is given, by their names in the checkpoint.

    Args:
        var_list: A list of variables, or a mapping of names to variables.

    Returns:
        Name -> the variable's reference, in the order of the names.

    Raises:
        TypeError: If it is neither, or something in it is no variable.
        ValueError: If two variables have one name, or one variable two.
    """
    if isinstance(var_list, Mapping):
        pairs = [(name, _reference(name, value)) for name, value in var_list.items()]
    elif isinstance(var_list, (list, tuple, set)):
        references = [_reference(None, value) for value in var_list]
        pairs = [(reference.op.name, reference) for reference in references]
    else:
        raise TypeError(f"Variables to save should be passed in a dict or a list: {var_list}")
    named: dict[str, Tensor] = {}
    names_of: dict[Tensor, str] = {}
    for name, reference in sorted(pairs, key=lambda pair: pair[0]):
        if name in named:
            raise ValueError(f"At least two variables have the same name: {name}")
        if reference in names_of:
            raise ValueError(
                f"The same saveable will be restored with two names: {name} (variable {reference.op.name}, which is "
                f"{names_of[reference]} already)"
            )
        named[name], names_of[reference] = reference, name
    return named


def _reference(name: str | None, value: Any) -> Tensor:
    found = value._ref() if hasattr(value, "_ref") else value
    if isinstance(found, Tensor) and found.op.type in VARIABLE_TYPES:
        return found
    if name is None:
        raise TypeError(f"Variable to save is not a Variable: {value}")
    raise TypeError(
        f"names_to_saveables must be a dict mapping string names to Tensors/Variables. Not a variable: {value}"
    )


def shards_of(variables: Mapping[str, Operation]) -> list[tuple[str, list[str]]]:
    """The variables by their devices, as a sharded saver puts them into files.

    Args:
        variables: Name in the checkpoint -> variable.

    Returns:
        Each device with the names of its variables, both in their order.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(variables):
        found.setdefault(variables[name].device, []).append(name)
    return sorted(found.items())


def add_nodes(
    named: Mapping[str, Tensor], name: str | None, filename: str, reshape: bool, sharded: bool = False
) -> tuple[str, str, str]:
    """Adds a saver's nodes to the graph of its variables.

    Args:
        named: Name in the checkpoint -> the variable's reference.
        name: The nodes' name scope; ``'save'`` by default.
        filename: The checkpoint's path for a run that is not fed one.
        reshape: Whether restored values are given the variables' shapes.
        sharded: Whether the variables of each device are saved in a file of their own.

    Returns:
        What a `SaverDef` names: the tensor to feed the path, the one to fetch to save, the operation that restores.
    """
    with next(iter(named.values())).graph.as_default() as graph, graph.name_scope(name or "save"):
        with graph.name_scope("filename") as scope:
            default = constant(filename, string, name="input")
        inner = placeholder_with_default(default, [], name=scope)
        path = placeholder_with_default(inner, [], name="Const")
        if sharded:
            done, restored = _add_shards(path, named, reshape)
        else:
            done = _add_save(path, path, named)
            restored = group(*_add_restore(path, named, reshape, ""), name="restore_all")
    return path.name, done.name, restored.name


def _add_save(path: Tensor, file: Tensor, named: Mapping[str, Tensor]) -> Tensor:
    """Adds the nodes that save variables in a file; the result is the file's path, after that."""
    saved = save_v2(file, list(named), list(named.values()))
    with path.graph.control_dependencies([saved]):
        done: Tensor = apply("Identity", file, name="control_dependency")
    done.op._set_attr("_class", [f"loc:@{file.op.name}".encode()])
    return done


def _add_restore(path: Tensor, named: Mapping[str, Tensor], reshape: bool, device: str) -> list[Operation]:
    """Adds the nodes that restore the variables of a device."""
    with path.graph.device(None), path.graph.device(_host_of(device)):
        values = restore_v2(path, list(named), [reference.dtype.base_dtype for reference in named.values()])
    return [_add_assign(ref, value, reshape) for ref, value in zip(named.values(), values, strict=True)]


def _add_shards(path: Tensor, named: Mapping[str, Tensor], reshape: bool) -> tuple[Tensor, Operation]:
    """Adds the nodes of a sharded saver: the tensor to fetch to save, and the operation that restores."""
    graph = path.graph
    groups = shards_of({name: reference.op for name, reference in named.items()})
    shards = [(device, {name: named[name] for name in names}) for device, names in groups]
    # TensorFlow draws this name at random; here the graph of a program is the same each time.
    place = hashlib.sha256("\n".join(named).encode()).hexdigest()[:32]
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
            saved: Tensor = apply("Identity", path, name="Identity")
    restored = []
    for device, part in shards:
        with graph.device(device):
            restored.append(group(*_add_restore(path, part, reshape, device), name="restore_shard"))
    return saved, group(*restored, name="restore_all")


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


def saved_by(graph: Graph, save_tensor_name: str) -> dict[str, Operation]:
    """The variables that the nodes of a saver save, found from the tensor that its `SaverDef` names.

    Args:
        graph: The graph that holds the nodes.
        save_tensor_name: The tensor that is fetched to save.

    Returns:
        Name in the checkpoint -> variable.

    Raises:
        KeyError: If the graph has no such tensor.
        UnimplementedError: If something else than whole variables is saved.
    """
    found: dict[str, Operation] = {}
    seen: set[Operation] = set()
    stack = [graph.get_tensor_by_name(save_tensor_name).op]
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        if op.type in ("SaveV2", "SaveSlices"):
            found.update(_saved_by_one(op))
        else:
            stack.extend((*(tensor.op for tensor in op.inputs), *op.control_inputs))
    return found


def _saved_by_one(op: Operation) -> dict[str, Operation]:
    names, slices = constant_value(op.inputs[1]), constant_value(op.inputs[2])
    variables = [variable_behind(tensor) for tensor in op.inputs[3:]]
    if names is None or slices is None or any(slices) or None in variables:
        raise errors.UnimplementedError(
            None, op, f"'{op.name}' saves something else than whole variables under fixed names."
        )
    return {name.decode(): variable for name, variable in zip(names, variables, strict=True) if variable is not None}
