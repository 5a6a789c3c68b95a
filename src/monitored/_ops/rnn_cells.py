"""Recurrent cells: what `dynamic_rnn` does in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from monitored._graph import dtypes, nest
from monitored._graph.build import constant, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops.activations import bias_add, sigmoid
from monitored._ops.array import expand_dims
from monitored._ops.clip import clip_by_value
from monitored._ops.fill import zeros
from monitored._ops.initializers import constant_initializer, zeros_initializer
from monitored._ops.joining import concat, split
from monitored._ops.layers_base import Layer, activation_of
from monitored._ops.linalg import matmul
from monitored._ops.math import add, multiply, tanh
from monitored._ops.variable_scope import get_variable_scope, variable_scope

__all__ = [
    "BasicLSTMCell",
    "BasicRNNCell",
    "GRUCell",
    "LSTMCell",
    "LSTMStateTuple",
    "MultiRNNCell",
    "RNNCell",
]


class LSTMStateTuple(NamedTuple):
    """The state of an LSTM: the cell's memory and its last output."""

    c: Any
    h: Any

    @property
    def dtype(self) -> dtypes.DType:
        """The type of both.

        Raises:
            TypeError: If they differ.
        """
        if self.c.dtype != self.h.dtype:
            raise TypeError(f"Inconsistent internal state: {self.c.dtype} vs {self.h.dtype}")
        dtype: dtypes.DType = self.c.dtype
        return dtype


class RNNCell(Layer):
    """The base of recurrent cells: ``output, new_state = cell(input, state)``.

    A subclass gives `state_size` and `output_size`, and overrides `call` (variables then stand in the layer's scope),
    or `__call__` as older cells do.
    """

    _scope_of_call: Any = None

    def __call__(self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Makes one step.

        Args:
            inputs: The step's input, ``[batch, depth]``.
            state: The state before it, in the structure of `state_size`.
            scope: The variable scope of a first call.
            args: Passed on to `call`.
            kwargs: Passed on to `call`.

        Returns:
            The output, ``[batch, output_size]``, and the new state.
        """
        if scope is not None:
            with variable_scope(scope, custom_getter=self._tracking_getter) as entered:
                return super().__call__(inputs, state, *args, scope=entered, **kwargs)
        if self._scope_of_call is None:
            self._scope_of_call = variable_scope(get_variable_scope(), custom_getter=self._tracking_getter)
        with self._scope_of_call:
            return super().__call__(inputs, state, *args, **kwargs)

    def _tracking_getter(self, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        variable = getter(*args, **kwargs)
        self._track(variable, variable.trainable)
        return variable

    @property
    def state_size(self) -> Any:
        """The sizes of the state: an integer, a `TensorShape`, or a nested structure of them."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """The size of the output: an integer, a `TensorShape`, or a nested structure of them."""
        raise NotImplementedError("Abstract method")

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        """The state to begin with: zeros.

        Args:
            inputs: Tensors that tell the batch size and type when these are not given.
            batch_size: The number of examples: an integer or an int32 scalar.
            dtype: The type of the state.

        Returns:
            Zeros in the structure of `state_size`.

        Raises:
            ValueError: If neither `inputs` nor both of the others are given.
        """
        if inputs is not None:
            inputs = convert_to_tensor(inputs, name="inputs")
            batch_size = inputs.shape[0].value if batch_size is None else batch_size
            dtype = inputs.dtype if dtype is None else dtype
        if batch_size is None or dtype is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state: "
                f"batch_size={batch_size}, dtype={dtype}"
            )
        return self.zero_state(batch_size, dtype)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros.

        Args:
            batch_size: The number of examples: an integer or an int32 scalar.
            dtype: The type.

        Returns:
            Zeros of shape ``[batch_size, *size]`` in the structure of `state_size`.
        """
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return nest.map_structure(lambda size: _zeros(size, batch_size, dtype), self.state_size)


def _zeros(size: Any, batch_size: Any, dtype: Any) -> Tensor:
    rest = as_shape([size] if not isinstance(size, TensorShape) else size)
    known = constant_value(batch_size) if isinstance(batch_size, Tensor) else batch_size
    if known is None:
        sizes = concat([expand_dims(batch_size, 0), constant(rest.as_list(), dtypes.int32)], 0)
        result = zeros(sizes, dtype)
        result.set_shape(TensorShape([None]).concatenate(rest))
        return result
    return zeros([int(known), *rest.as_list()], dtype)


class _LayerCell(RNNCell):
    """A cell whose variables are made in `build` alone."""

    def __call__(self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Makes one step; see `RNNCell`."""
        return Layer.__call__(self, inputs, state, *args, scope=scope, **kwargs)

    def _check(self, inputs: Any) -> None:
        self._check_rank(inputs, 2)

    def _depth(self, input_shape: TensorShape) -> int:
        depth: int | None = input_shape[-1].value
        if depth is None:
            raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {input_shape}")
        return depth


class BasicRNNCell(_LayerCell):
    """The simplest cell: ``output = new_state = activation([input, state] W + b)``.

    Args:
        num_units: The size of the state and the output.
        activation: The nonlinearity: a function or its name; tanh by default.
        reuse: Whether to share variables that are there.
        name: The layer's name.
        dtype: The type of the variables; that of the first input by default.
        kwargs: See `Layer`.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units = num_units
        self._activation = activation_of(activation, tanh)

    @property
    def state_size(self) -> int:
        """`num_units`."""
        return self._num_units

    @property
    def output_size(self) -> int:
        """`num_units`."""
        return self._num_units

    def build(self, input_shape: Any) -> None:
        """Makes ``kernel`` and ``bias``."""
        depth, units = self._depth(input_shape), self._num_units
        self._kernel = self.add_weight("kernel", shape=[depth + units, units])
        self._bias = self.add_weight("bias", shape=[units], initializer=zeros_initializer(dtype=self.dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step; see the class."""
        output = self._activation(_affine(inputs, state, self._kernel, self._bias))
        return output, output


class GRUCell(_LayerCell):
    """The gated recurrent unit (http://arxiv.org/abs/1406.1078).

    Args:
        num_units: The size of the state and the output.
        activation: The nonlinearity: a function or its name; tanh by default.
        reuse: Whether to share variables that are there.
        kernel_initializer: Initializer of the kernels; the scope's by default.
        bias_initializer: Initializer of the biases; ones for the gates and zeros for the candidate by default.
        name: The layer's name.
        dtype: The type of the variables; that of the first input by default.
        kwargs: See `Layer`.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units = num_units
        self._activation = activation_of(activation, tanh)
        self._kernel_initializer = kernel_initializer
        self._bias_initializer = bias_initializer

    @property
    def state_size(self) -> int:
        """`num_units`."""
        return self._num_units

    @property
    def output_size(self) -> int:
        """`num_units`."""
        return self._num_units

    def build(self, input_shape: Any) -> None:
        """Makes ``gates/kernel``, ``gates/bias``, ``candidate/kernel`` and ``candidate/bias``."""
        depth, units = self._depth(input_shape), self._num_units
        kernel, bias = self._kernel_initializer, self._bias_initializer
        self._gate_kernel = self.add_weight("gates/kernel", shape=[depth + units, 2 * units], initializer=kernel)
        self._gate_bias = self.add_weight(
            "gates/bias", shape=[2 * units], initializer=bias or constant_initializer(1.0, dtype=self.dtype)
        )
        self._candidate_kernel = self.add_weight("candidate/kernel", shape=[depth + units, units], initializer=kernel)
        self._candidate_bias = self.add_weight(
            "candidate/bias", shape=[units], initializer=bias or zeros_initializer(dtype=self.dtype)
        )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step; see the class."""
        gates = sigmoid(_affine(inputs, state, self._gate_kernel, self._gate_bias))
        r, u = split(value=gates, num_or_size_splits=2, axis=1)
        c = self._activation(_affine(inputs, r * state, self._candidate_kernel, self._candidate_bias))
        new = u * state + (1 - u) * c
        return new, new


class BasicLSTMCell(_LayerCell):
    """The basic LSTM (http://arxiv.org/abs/1409.2329), its gates in the order input, new input, forget, output.

    Args:
        num_units: The size of the memory and the output.
        forget_bias: What is added to the forget gate, so that training begins with remembering.
        state_is_tuple: Whether the state is an `LSTMStateTuple`; else both parts are concatenated.
        activation: The nonlinearity: a function or its name; tanh by default.
        reuse: Whether to share variables that are there.
        name: The layer's name.
        dtype: The type of the variables; that of the first input by default.
        kwargs: See `Layer`.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units = num_units
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple
        self._activation = activation_of(activation, tanh)

    @property
    def state_size(self) -> Any:
        """The sizes of both parts, or their sum."""
        return LSTMStateTuple(self._num_units, self._num_units) if self._state_is_tuple else 2 * self._num_units

    @property
    def output_size(self) -> int:
        """`num_units`."""
        return self._num_units

    def build(self, input_shape: Any) -> None:
        """Makes ``kernel`` and ``bias``."""
        depth, units = self._depth(input_shape), self._num_units
        self._kernel = self.add_weight("kernel", shape=[depth + units, 4 * units])
        self._bias = self.add_weight("bias", shape=[4 * units], initializer=zeros_initializer(dtype=self.dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step; see the class."""
        c, h = state if self._state_is_tuple else split(value=state, num_or_size_splits=2, axis=1)
        i, j, f, o = split(value=_affine(inputs, h, self._kernel, self._bias), num_or_size_splits=4, axis=1)
        forget_bias = constant(self._forget_bias, dtype=f.dtype)
        new_c = add(multiply(c, sigmoid(add(f, forget_bias))), multiply(sigmoid(i), self._activation(j)))
        new_h = multiply(self._activation(new_c), sigmoid(o))
        return new_h, LSTMStateTuple(new_c, new_h) if self._state_is_tuple else concat([new_c, new_h], 1)


class LSTMCell(_LayerCell):
    """The LSTM with peepholes, clipping and a projection of its output, where they are asked for.

    See https://research.google.com/pubs/archive/43905.pdf. The gates' order is input, new input, forget, output.

    Args:
        num_units: The size of the memory.
        use_peepholes: Whether the gates see the memory, by diagonal weights.
        cell_clip: A bound on the memory's absolute values.
        initializer: Initializer of weights and projection; the scope's by default.
        num_proj: The size of the projected output; no projection by default.
        proj_clip: A bound on the projected output's absolute values.
        num_unit_shards: Accepted; weights are not split.
        num_proj_shards: Accepted; weights are not split.
        forget_bias: What is added to the forget gate, so that training begins with remembering.
        state_is_tuple: Whether the state is an `LSTMStateTuple`; else both parts are concatenated.
        activation: The nonlinearity: a function or its name; tanh by default.
        reuse: Whether to share variables that are there.
        name: The layer's name.
        dtype: The type of the variables; that of the first input by default.
        kwargs: See `Layer`.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: int | None = None,
        num_proj_shards: int | None = None,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units = num_units
        self._use_peepholes = use_peepholes
        self._cell_clip = cell_clip
        self._initializer = initializer
        self._num_proj = num_proj
        self._proj_clip = proj_clip
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple
        self._activation = activation_of(activation, tanh)

    @property
    def state_size(self) -> Any:
        """The sizes of both parts, or their sum."""
        sizes = LSTMStateTuple(self._num_units, self.output_size)
        return sizes if self._state_is_tuple else sizes.c + sizes.h

    @property
    def output_size(self) -> int:
        """`num_proj` if there is a projection, else `num_units`."""
        return self._num_proj or self._num_units

    def build(self, input_shape: Any) -> None:
        """Makes ``kernel`` and ``bias``, and ``w_f_diag``, ``w_i_diag``, ``w_o_diag``, ``projection/kernel``."""
        depth, units, given = self._depth(input_shape), self._num_units, self._initializer
        self._kernel = self.add_weight("kernel", shape=[depth + self.output_size, 4 * units], initializer=given)
        self._bias = self.add_weight("bias", shape=[4 * units], initializer=zeros_initializer(dtype=self.dtype))
        if self._use_peepholes:
            self._w_f = self.add_weight("w_f_diag", shape=[units], initializer=given)
            self._w_i = self.add_weight("w_i_diag", shape=[units], initializer=given)
            self._w_o = self.add_weight("w_o_diag", shape=[units], initializer=given)
        if self._num_proj is not None:
            self._projection = self.add_weight("projection/kernel", shape=[units, self._num_proj], initializer=given)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step; see the class."""
        c, h = state if self._state_is_tuple else split(state, [self._num_units, self.output_size], axis=1)
        i, j, f, o = split(value=_affine(inputs, h, self._kernel, self._bias), num_or_size_splits=4, axis=1)
        forget = f + self._forget_bias
        if self._use_peepholes:
            forget, i = forget + self._w_f * c, i + self._w_i * c
        new_c = sigmoid(forget) * c + sigmoid(i) * self._activation(j)
        if self._cell_clip is not None:
            new_c = clip_by_value(new_c, -self._cell_clip, self._cell_clip)
        if self._use_peepholes:
            o = o + self._w_o * new_c
        new_h = sigmoid(o) * self._activation(new_c)
        if self._num_proj is not None:
            new_h = matmul(new_h, self._projection)
            if self._proj_clip is not None:
                new_h = clip_by_value(new_h, -self._proj_clip, self._proj_clip)
        return new_h, LSTMStateTuple(new_c, new_h) if self._state_is_tuple else concat([new_c, new_h], 1)


class MultiRNNCell(RNNCell):
    """Cells on top of each other: the output of one is the input of the next.

    Args:
        cells: The cells, from the input's side.
        state_is_tuple: Whether the state is the tuple of the cells' states; else they are concatenated.

    Raises:
        ValueError: If there are no cells, or a state that is a structure is to be concatenated.
        TypeError: If `cells` is no list.
    """

    def __init__(self, cells: Any, state_is_tuple: bool = True) -> None:
        super().__init__()
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if not isinstance(cells, (list, tuple)):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        self._cells = list(cells)
        self._state_is_tuple = state_is_tuple
        if not state_is_tuple and any(nest.is_nested(cell.state_size) for cell in cells):
            raise ValueError(
                "Some cells return tuples of states, but the flag state_is_tuple is not set.  State sizes are: "
                f"{[cell.state_size for cell in cells]}"
            )

    @property
    def state_size(self) -> Any:
        """The cells' state sizes, or their sum."""
        sizes = tuple(cell.state_size for cell in self._cells)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        """The last cell's."""
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros; see `RNNCell.zero_state`."""
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            if self._state_is_tuple:
                return tuple(cell.zero_state(batch_size, dtype) for cell in self._cells)
        return super().zero_state(batch_size, dtype)

    @property
    def trainable_weights(self) -> list[Any]:
        """The cells' variables that are trained."""
        return [v for cell in self._cells if isinstance(cell, Layer) for v in cell.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The cells' variables that are not trained."""
        return [v for cell in self._cells if isinstance(cell, Layer) for v in cell.non_trainable_weights]

    def call(self, inputs: Any, state: Any) -> Any:
        """One step; see the class."""
        states = state
        if not self._state_is_tuple:
            states = split(state, [cell.state_size for cell in self._cells], axis=1)
        elif not nest.is_nested(state):
            raise ValueError(f"Expected state to be a tuple of length {len(self._cells)}, but received: {state}")
        new_states = []
        for index, (cell, before) in enumerate(zip(self._cells, states, strict=True)):
            with variable_scope(f"cell_{index}"):
                inputs, after = cell(inputs, before)
                new_states.append(after)
        return inputs, tuple(new_states) if self._state_is_tuple else concat(new_states, 1)


def _affine(inputs: Any, state: Any, kernel: Any, bias: Any) -> Tensor:
    return bias_add(matmul(concat([inputs, state], 1), kernel), bias)
