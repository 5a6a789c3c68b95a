"""Recurrent networks: a cell applied along a sequence.

`dynamic_rnn` is a `while_loop` that reads its inputs from one `TensorArray` and writes its outputs to another, as in
TensorFlow. How it comes to be fast is the matter of `monitored._ops.counted_loop`, for loops written by hand too.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from monitored._graph import dtypes, nest
from monitored._graph.build import constant, convert_to_tensor
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops.array import expand_dims, identity, transpose
from monitored._ops.array import rank as rank_of
from monitored._ops.array import shape as shape_of
from monitored._ops.casts import cast
from monitored._ops.fill import zeros
from monitored._ops.gathering import where
from monitored._ops.joining import concat, reverse, reverse_sequence
from monitored._ops.rnn_wrappers import check_cell
from monitored._ops.sequences import range
from monitored._ops.tensor_array import TensorArray
from monitored._ops.variable_scope import variable_scope
from monitored._ops.while_loop import while_loop

__all__ = ["bidirectional_dynamic_rnn", "dynamic_rnn", "static_bidirectional_rnn", "static_rnn"]


def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[Any, Any]:
    """Applies a cell along sequences.

    Args:
        cell: An `RNNCell`.
        inputs: A tensor ``[batch, time, ...]``, or a nested structure of them.
        sequence_length: The length of each sequence, ``[batch]``: beyond it outputs are zeros and the state stays.
        initial_state: The state before the first step; zeros by default.
        dtype: The type of the initial state and the outputs, when `initial_state` is not given.
        parallel_iterations: Accepted as TensorFlow does; XLA runs steps in order.
        swap_memory: Accepted as TensorFlow does.
        time_major: Whether inputs and outputs are ``[time, batch, ...]``.
        scope: The variable scope; ``"rnn"`` by default.

    Returns:
        The outputs, ``[batch, time, output_size]``, and the state after the last step.

    Raises:
        TypeError: If `cell` is no cell.
        ValueError: If neither `initial_state` nor `dtype` is given, or a shape does not fit.
    """
    check_cell("cell", cell)
    with variable_scope(scope or "rnn"):
        flat = [convert_to_tensor(t) for t in nest.flatten(inputs)]
        if not time_major:
            flat = [_swap_batch_and_time(t) for t in flat]
        if sequence_length is not None:
            sequence_length = cast(sequence_length, dtypes.int32)
            if sequence_length.shape.ndims not in (None, 1):
                raise ValueError(
                    f"sequence_length must be a vector of length batch_size, but saw shape: {sequence_length.shape}"
                )
            sequence_length = identity(sequence_length, name="sequence_length")
        batch_size = _batch_size(flat)
        state = _initial_state(cell, initial_state, batch_size, dtype)
        time_major_inputs = nest.pack_sequence_as(inputs, flat)
        outputs, last = _loop(cell, time_major_inputs, flat, state, sequence_length, batch_size, dtype, swap_memory)
        if not time_major:
            outputs = nest.map_structure(_swap_batch_and_time, outputs)
        return outputs, last


def _loop(
    cell: Any, inputs: Any, flat: list[Tensor], state: Any, lengths: Tensor | None, batch_size: Any, dtype: Any,
    swap_memory: bool,
) -> tuple[Any, Any]:  # fmt: skip
    for tensor in flat:
        for depth in tensor.shape.with_rank_at_least(3).as_list()[2:]:
            if depth is None:
                raise ValueError(
                    "Input size (depth of inputs) must be accessible via shape inference, but saw value None."
                )
    static_steps, static_batch = flat[0].shape.as_list()[:2]
    for tensor in flat[1:]:
        flat[0].shape[:2].assert_is_compatible_with(tensor.shape[:2])
    steps = shape_of(flat[0])[0]
    sizes = nest.flatten(cell.output_size)
    types = [dtype if dtype is not None else nest.flatten(state)[0].dtype.base_dtype] * len(sizes)
    blanks = None
    if lengths is not None:
        blanks = [_zeros(batch_size, _size(s), t) for s, t in zip(sizes, types, strict=True)]
    time = constant(0, dtypes.int32, name="time")
    with get_default_graph().name_scope("dynamic_rnn") as base:
        pass

    def array(name: str, dtype: Any, element_shape: TensorShape) -> TensorArray:
        return TensorArray(dtype, size=steps, element_shape=element_shape, tensor_array_name=base + name)

    results = [
        array(f"output_{i}", t, TensorShape([static_batch]).concatenate(_size(s)))
        for i, (s, t) in enumerate(zip(sizes, types, strict=True))
    ]
    given = [array(f"input_{i}", t.dtype.base_dtype, t.shape[1:]).unstack(t) for i, t in enumerate(flat)]

    def step(time: Tensor, results: list[TensorArray], state: Any) -> tuple[Tensor, list[TensorArray], Any]:
        now = nest.pack_sequence_as(inputs, [a.read(time) for a in given])
        output, after = cell(now, state)
        nest.assert_same_structure(cell.output_size, output)
        flat_output = nest.flatten(output)
        if lengths is not None and blanks is not None:
            done = time >= lengths
            flat_output = [_chosen(done, old, new) for old, new in zip(blanks, flat_output, strict=True)]
            after = _carried(done, state, after)
        written = [a.write(time, o) for a, o in zip(results, flat_output, strict=True)]
        return time + 1, written, after

    _, results, last = while_loop(
        lambda time, *_: time < steps, step, (time, results, state), parallel_iterations=32, swap_memory=swap_memory,
        maximum_iterations=steps,
    )  # fmt: skip
    outputs = [a.stack() for a in results]
    for output, size in zip(outputs, sizes, strict=True):
        output.set_shape(TensorShape([static_steps, static_batch]).concatenate(_size(size)))
    return nest.pack_sequence_as(cell.output_size, outputs), last


def _carried(done: Tensor, before: Any, after: Any) -> Any:
    """The new state of the sequences that are not at their end, the old one of the others."""
    nest.assert_same_structure(before, after)
    leaves = [_chosen(done, old, new) for old, new in zip(_leaves(before), _leaves(after), strict=True)]
    return nest.pack_sequence_as(after, [t for leaf in leaves for t in nest.flatten(leaf)])


def _leaves(structure: Any) -> list[Any]:
    """The leaves of a structure, where a `TensorArray` is one."""
    if nest.is_nested(structure):
        children = [structure[k] for k in sorted(structure)] if isinstance(structure, dict) else structure
        return [leaf for child in children for leaf in _leaves(child)]
    return [structure]


def _chosen(done: Tensor, old: Any, new: Any) -> Any:
    if isinstance(old, TensorArray) or new.shape.ndims == 0:
        return new  # what has no batch cannot be chosen for each example
    result = where(done, old, new)
    result.set_shape(new.shape)
    return result


def _initial_state(cell: Any, initial_state: Any, batch_size: Any, dtype: Any) -> Any:
    if initial_state is not None:
        return nest.map_structure(lambda t: t if isinstance(t, TensorArray) else convert_to_tensor(t), initial_state)
    if not dtype:
        raise ValueError("If there is no initial_state, you must give a dtype.")
    if getattr(cell, "get_initial_state", None) is not None:
        return cell.get_initial_state(inputs=None, batch_size=batch_size, dtype=dtype)
    return cell.zero_state(batch_size, dtype)


def _batch_size(flat: list[Tensor]) -> Any:
    """The number of examples: an integer where it is known."""
    for tensor in flat:
        if tensor.shape.ndims is not None and tensor.shape.ndims >= 2 and tensor.shape[1].value is not None:
            return tensor.shape[1].value
    return shape_of(flat[0])[1]


def _size(size: Any) -> TensorShape:
    return as_shape(size if isinstance(size, TensorShape) else [size])


def _zeros(batch_size: Any, rest: TensorShape, dtype: Any) -> Tensor:
    if isinstance(batch_size, int):
        return zeros([batch_size, *rest.as_list()], dtype)
    result = zeros(concat([expand_dims(batch_size, 0), constant(rest.as_list(), dtypes.int32)], 0), dtype)
    result.set_shape(TensorShape([None]).concatenate(rest))
    return result


def _swap_batch_and_time(tensor: Tensor) -> Tensor:
    rank = tensor.shape.ndims
    if rank is not None and rank < 2:
        raise ValueError(f"Expected input tensor {tensor.name} to have rank at least 2, but saw shape: {tensor.shape}")
    swapped = transpose(tensor, concat(([1, 0], range(2, rank_of(tensor))), axis=0))
    if rank is not None:
        first, second, *rest = tensor.shape.as_list()
        swapped.set_shape([second, first, *rest])
    return swapped


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[Any, Any]:
    """Applies one cell along sequences and another backward along them.

    Args:
        cell_fw: The cell for the forward direction.
        cell_bw: The cell for the backward direction.
        inputs: A tensor ``[batch, time, ...]``, or a nested structure of them.
        sequence_length: The length of each sequence, ``[batch]``: each is reversed within its length.
        initial_state_fw: The forward cell's state before its first step; zeros by default.
        initial_state_bw: The backward cell's.
        dtype: The type of the initial states and the outputs, when the states are not given.
        parallel_iterations: Accepted as TensorFlow does; XLA runs steps in order.
        swap_memory: Accepted as TensorFlow does.
        time_major: Whether inputs and outputs are ``[time, batch, ...]``.
        scope: The variable scope; ``"bidirectional_rnn"`` by default.

    Returns:
        Both outputs, ``(forward, backward)``, in the order of the inputs, and both last states.

    Raises:
        TypeError: If a cell is no cell.
        ValueError: See `dynamic_rnn`.
    """
    check_cell("cell_fw", cell_fw)
    check_cell("cell_bw", cell_bw)
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)

    def reversed_in_time(tensor: Any) -> Tensor:
        if sequence_length is not None:
            return reverse_sequence(tensor, sequence_length, seq_axis=time_axis, batch_axis=batch_axis)
        return reverse(tensor, axis=[time_axis])

    def run(cell: Any, inputs: Any, state: Any, scope: Any) -> tuple[Any, Any]:
        return dynamic_rnn(
            cell, inputs, sequence_length, state, dtype, parallel_iterations, swap_memory, time_major, scope
        )

    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as scope_fw:
            output_fw, state_fw = run(cell_fw, inputs, initial_state_fw, scope_fw)
        with variable_scope("bw") as scope_bw:
            backward = nest.map_structure(reversed_in_time, inputs)
            output, state_bw = run(cell_bw, backward, initial_state_bw, scope_bw)
    output_bw = nest.map_structure(reversed_in_time, output)
    return (output_fw, output_bw), (state_fw, state_bw)


def static_rnn(
    cell: Any,
    inputs: Any,
    initial_state: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """Applies a cell along a list of inputs, with nodes of its own for each step.

    Args:
        cell: An `RNNCell`.
        inputs: A list with a tensor ``[batch, depth]``, or a nested structure of them, for each step.
        initial_state: The state before the first step; zeros by default.
        dtype: The type of the initial state, when that is not given.
        sequence_length: The length of each sequence, ``[batch]``: beyond it outputs are zeros and the state stays.
        scope: The variable scope; ``"rnn"`` by default.

    Returns:
        The list of outputs, and the state after the last step.

    Raises:
        TypeError: If `cell` is no cell or `inputs` no list.
        ValueError: If there are no inputs, or neither `initial_state` nor `dtype` is given.
    """
    check_cell("cell", cell)
    if not isinstance(inputs, (list, tuple)):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")
    with variable_scope(scope or "rnn") as entered:
        first = convert_to_tensor(nest.flatten(inputs[0])[0])
        if first.shape.ndims is not None and first.shape.ndims < 2:
            raise ValueError(f"Expected input tensor {first.name} to have rank at least 2, but saw {first.shape}")
        known = None if first.shape.ndims is None else first.shape[0].value
        batch_size = shape_of(first)[0] if known is None else known
        state = _initial_state(cell, initial_state, batch_size, dtype)
        lengths, blanks = None, None
        if sequence_length is not None:
            lengths = cast(sequence_length, dtypes.int32)
            if lengths.shape.ndims not in (None, 1):
                raise ValueError("sequence_length must be a vector of length batch_size")
            lengths = identity(lengths, name="sequence_length")
            kind = nest.flatten(state)[0].dtype.base_dtype
            blanks = nest.map_structure(lambda size: _zeros(batch_size, _size(size), kind), cell.output_size)
        outputs = []
        for time, value in enumerate(inputs):
            if time:
                entered.reuse_variables()
            output, after = cell(value, state)
            if lengths is not None:
                done = time >= lengths
                output = nest.map_structure(partial(_chosen, done), blanks, output)
                after = _carried(done, state, after)
            state = after
            outputs.append(output)
        return outputs, state


def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any, Any]:
    """Applies one cell along a list of inputs and another backward along it.

    Args:
        cell_fw: The cell for the forward direction.
        cell_bw: The cell for the backward direction.
        inputs: A list with a tensor ``[batch, depth]``, or a nested structure of them, for each step.
        initial_state_fw: The forward cell's state before its first step; zeros by default.
        initial_state_bw: The backward cell's.
        dtype: The type of the initial states, when they are not given.
        sequence_length: The length of each sequence, ``[batch]``: each is reversed within its length.
        scope: The variable scope; ``"bidirectional_rnn"`` by default.

    Returns:
        For each step both outputs side by side, ``[batch, forward + backward]``; the forward cell's last state; the
        backward cell's.

    Raises:
        TypeError: If a cell is no cell or `inputs` no list.
        ValueError: See `static_rnn`.
    """
    check_cell("cell_fw", cell_fw)
    check_cell("cell_bw", cell_bw)
    if not isinstance(inputs, (list, tuple)):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as scope_fw:
            forward, state_fw = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope_fw)
        with variable_scope("bw") as scope_bw:
            turned = _reversed_list(inputs, sequence_length)
            output, state_bw = static_rnn(cell_bw, turned, initial_state_bw, dtype, sequence_length, scope_bw)
    backward = _reversed_list(output, sequence_length)
    flat = [
        [concat([f, b], 1) for f, b in zip(nest.flatten(one), nest.flatten(other), strict=True)]
        for one, other in zip(forward, backward, strict=True)
    ]
    outputs = [nest.pack_sequence_as(one, leaves) for one, leaves in zip(forward, flat, strict=True)]
    return outputs, state_fw, state_bw


def _reversed_list(steps: Any, lengths: Any) -> list[Any]:
    if lengths is None:
        return list(reversed(steps))
    columns = []
    for leaves in zip(*(nest.flatten(step) for step in steps), strict=True):
        joined = concat([expand_dims(leaf, 0) for leaf in leaves], 0)
        turned = reverse_sequence(joined, cast(lengths, dtypes.int32), seq_axis=0, batch_axis=1)
        columns.append([turned[i] for i, _ in enumerate(steps)])
    return [nest.pack_sequence_as(steps[0], leaves) for leaves in zip(*columns, strict=True)]
