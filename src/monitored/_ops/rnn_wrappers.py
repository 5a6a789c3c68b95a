"""Wrappers of recurrent cells: `DropoutWrapper` and `ResidualWrapper`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from monitored._graph import nest
from monitored._graph.build import constant, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops.array import identity
from monitored._ops.joining import concat
from monitored._ops.layers_base import Layer
from monitored._ops.math import floor
from monitored._ops.nn import dropout
from monitored._ops.random import random_uniform
from monitored._ops.rnn_cells import LSTMStateTuple, RNNCell
from monitored._ops.tensor_array import TensorArray

__all__ = ["DropoutWrapper", "ResidualWrapper"]


class _Wrapper(RNNCell):
    """A cell around another, which adds nothing to the names of its variables."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        check_cell("cell", cell)
        self.cell = cell

    @property
    def wrapped_cell(self) -> Any:
        """The cell inside."""
        return self.cell

    @property
    def state_size(self) -> Any:
        """The cell's."""
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        """The cell's."""
        return self.cell.output_size

    @property
    def trainable_weights(self) -> list[Any]:
        """The cell's variables that are trained."""
        return self.cell.trainable_weights if isinstance(self.cell, Layer) else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The cell's variables that are not trained."""
        return self.cell.non_trainable_weights if isinstance(self.cell, Layer) else []

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros; see `RNNCell.zero_state`."""
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return self.cell.zero_state(batch_size, dtype)


class DropoutWrapper(_Wrapper):
    """A cell with dropout of its inputs, outputs and state.

    Args:
        cell: The cell.
        input_keep_prob: The probability of keeping an element of the input: a number or a scalar tensor.
        output_keep_prob: The same for the output.
        state_keep_prob: The same for the new state; of an `LSTMStateTuple` the memory `c` is always kept.
        variational_recurrent: Whether all steps of a run use the same mask (https://arxiv.org/abs/1512.05287).
        input_size: The shape of the input without the batch, when the mask of inputs is to be the same.
        dtype: The type of input, state and output, when masks are to be the same.
        seed: A seed.
        dropout_state_filter_visitor: A function of the state that gives True for the parts to which dropout applies, in
            their structure.

    Raises:
        TypeError: If `cell` is no cell, or the visitor no function.
        ValueError: If a probability is not between 0 and 1, or what `variational_recurrent` needs is missing.
    """

    def __init__(
        self,
        cell: Any,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
        dropout_state_filter_visitor: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(cell)
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError("dropout_state_filter_visitor must be callable")
        self._filter = dropout_state_filter_visitor or _all_but_memory
        self._seed = seed
        self._variational_recurrent = variational_recurrent
        with get_default_graph().name_scope("DropoutWrapperInit"):
            self._input_keep_prob = _probability("input_keep_prob", input_keep_prob)
            self._state_keep_prob = _probability("state_keep_prob", state_keep_prob)
            self._output_keep_prob = _probability("output_keep_prob", output_keep_prob)
        if not variational_recurrent:
            return
        if dtype is None:
            raise ValueError("When variational_recurrent=True, dtype must be provided")
        self._input_noise: Any = None
        if _drops(self._input_keep_prob):
            if input_size is None:
                raise ValueError(
                    "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, input_size must be "
                    "provided"
                )
            self._input_noise = self._noise(input_size, "input", dtype)
        self._state_noise = self._noise(cell.state_size, "state", dtype)
        self._output_noise = self._noise(cell.output_size, "output", dtype)

    def _noise(self, sizes: Any, salt: str, dtype: Any) -> Any:
        """Uniform numbers for masks, the same for all examples."""
        shapes = [as_shape(s if isinstance(s, TensorShape) else [s]) for s in nest.flatten(sizes)]
        noise = [
            random_uniform(concat([[1], s.as_list()], 0), seed=self._salted_seed(salt, i), dtype=dtype)
            for i, s in enumerate(shapes)
        ]
        return nest.pack_sequence_as(sizes, noise)

    def _salted_seed(self, salt: str, index: int) -> int | None:
        if self._seed is None:
            return None
        digest = hashlib.md5(f"{self._seed}{salt}_{index}".encode(), usedforsecurity=False).hexdigest()
        return int(digest[:8], 16) & 0x7FFFFFFF

    def __call__(self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Makes one step of the cell, with dropout; see `RNNCell.__call__`."""
        if _drops(self._input_keep_prob):
            noise = self._input_noise if self._variational_recurrent else None
            inputs = self._dropped(inputs, "input", noise, self._input_keep_prob)
        output, new_state = self.cell(inputs, state, scope=scope, *args, **kwargs)  # noqa: B026
        if _drops(self._state_keep_prob):
            noise = self._state_noise if self._variational_recurrent else None
            new_state = self._dropped(new_state, "state", noise, self._state_keep_prob, self._filter(new_state))
        if _drops(self._output_keep_prob):
            noise = self._output_noise if self._variational_recurrent else None
            output = self._dropped(output, "output", noise, self._output_keep_prob)
        return output, new_state

    def _dropped(self, values: Any, salt: str, noise: Any, keep_prob: Tensor, chosen: Any = True) -> Any:
        leaves = nest.flatten(values)
        noises = [None] * len(leaves) if noise is None else nest.flatten(noise)
        choices = _spread(chosen, values)
        kept = [
            (self._masked(v, n, keep_prob) if n is not None else self._dropped_anew(v, salt, i, keep_prob)) if c else v
            for i, (v, n, c) in enumerate(zip(leaves, noises, choices, strict=True))
        ]
        return nest.pack_sequence_as(values, kept)

    def _dropped_anew(self, value: Tensor, salt: str, index: int, keep_prob: Tensor) -> Tensor:
        return dropout(value, keep_prob=keep_prob, seed=self._salted_seed(salt, index))

    @staticmethod
    def _masked(value: Tensor, noise: Tensor, keep_prob: Tensor) -> Tensor:
        result: Tensor = value / keep_prob * floor(keep_prob + noise)
        result.set_shape(value.shape)
        return result


class ResidualWrapper(_Wrapper):
    """A cell whose input is added to its output.

    Args:
        cell: The cell.
        residual_fn: A function of the inputs and outputs to use in place of the sum.

    Raises:
        TypeError: If `cell` is no cell.
    """

    def __init__(self, cell: Any, residual_fn: Callable[[Any, Any], Any] | None = None) -> None:
        super().__init__(cell)
        self._residual_fn = residual_fn

    def __call__(self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Makes one step of the cell and adds the input; see `RNNCell.__call__`."""
        outputs, new_state = self.cell(inputs, state, scope=scope, *args, **kwargs)  # noqa: B026
        return (self._residual_fn or _sum)(inputs, outputs), new_state


def _sum(inputs: Any, outputs: Any) -> Any:
    nest.assert_same_structure(inputs, outputs)
    inputs = nest.map_structure(identity, inputs)
    outputs = nest.map_structure(identity, outputs)
    for one, other in zip(nest.flatten(inputs), nest.flatten(outputs), strict=True):
        one.shape.assert_is_compatible_with(other.shape)
    return nest.map_structure(lambda one, other: one + other, inputs, outputs)


def _probability(name: str, value: Any) -> Any:
    tensor = convert_to_tensor(value) if not isinstance(value, float) else constant(value)
    known = constant_value(tensor)
    if known is None:
        return tensor
    if not 0 <= known <= 1:
        raise ValueError(f"Parameter {name} must be between 0 and 1: {int(known)}")
    return float(known)


def _drops(keep_prob: Any) -> bool:
    return not isinstance(keep_prob, float) or keep_prob < 1


def _all_but_memory(state: Any) -> Any:
    if isinstance(state, LSTMStateTuple):
        return LSTMStateTuple(c=False, h=True)
    if isinstance(state, TensorArray):
        return False
    if nest.is_nested(state) and isinstance(state, (list, tuple)):
        return [_all_but_memory(part) for part in state]
    return True


def _spread(chosen: Any, structure: Any) -> list[bool]:
    """A choice for each leaf, where one for a structure counts for all its leaves."""
    if not nest.is_nested(chosen):
        return [bool(chosen)] * len(nest.flatten(structure))
    parts = list(structure.values()) if isinstance(structure, dict) else list(structure)
    choices = list(chosen.values()) if isinstance(chosen, dict) else list(chosen)
    return [choice for c, part in zip(choices, parts, strict=True) for choice in _spread(c, part)]


def check_cell(label: str, cell: Any) -> None:
    """Checks that an argument is a cell.

    Raises:
        TypeError: If it lacks what a cell has.
    """
    problems = [f"'{name}' property is missing" for name in ("output_size", "state_size") if not _has(cell, name)]
    if not (_has(cell, "zero_state") or _has(cell, "get_initial_state")):
        problems.append("either 'zero_state' or 'get_initial_state' method is required")
    if not callable(cell):
        problems.append("is not callable")
    if problems:
        raise TypeError(f"The argument {label!r} ({cell}) is not an RNNCell: {', '.join(problems)}.")


def _has(cell: Any, name: str) -> bool:
    return hasattr(type(cell), name) or hasattr(cell, name)
