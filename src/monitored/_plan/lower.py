"""From a `Segment` to one pure JAX function of its state and inputs.

Operations are lowered in program order, with the current value of each variable at hand, so that every use reads the
variable where it stands. Values that XLA must know when it compiles (shapes, axes) are computed from shapes and
constants with NumPy as they are asked for; what cannot be known that way is reported by `NeedStatic`, and the run is
planned again with that value computed beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from monitored import errors
from monitored._graph import dtypes
from monitored._graph.constant import constant_value, fold, shape_value
from monitored._graph.effects import bodies_of, variable_of, variable_read_by
from monitored._graph.func_graph import FuncGraph
from monitored._graph.graph import Graph
from monitored._graph.opdef import ShapesVary, StaticNeeded
from monitored._graph.operation import Operation, Tensor
from monitored._plan.alike import Alike, Differentiation, Pullback, trace, with_replaced
from monitored._plan.build import is_foldable
from monitored._plan.guard import Guard
from monitored._plan.held import Held
from monitored._plan.plan import Segment
from monitored._plan.threefry import IMPLEMENTATION

Array = Any
State = dict[Operation, Array]
PureFunction = Callable[[list[Array]], tuple[Sequence[Array], State]]


class NeedStatic(Exception):
    """A value must be known when compiling that is known only when running."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor.name)
        self.tensor = tensor


class NeedHost(Exception):
    """An operation with bodies cannot be one XLA computation, and must run step by step on the host."""

    def __init__(self, op: Operation) -> None:
        super().__init__(op.name)
        self.op = op


def lower_segment(
    segment: Segment, statics: Sequence[np.ndarray[Any, Any]], alike: Alike, held: Held | None = None
) -> Callable[..., Any]:
    """The function of a segment.

    Args:
        segment: The segment.
        statics: The values of `segment.static`.
        alike: What traces its operations.
        held: What the gradients of a matrix product go through; see `held.py`.

    Returns:
        ``f(*updates, *reads, *inputs) -> (outputs, new values of updates and creates)``, to be compiled with the
        updates donated.
    """
    static = dict(zip(segment.static, statics, strict=True))
    count_state = len(segment.updates) + len(segment.reads)
    guard = Guard(segment.ops)

    def function(*args: Array) -> tuple[list[Array], list[Array]]:
        state = dict(zip((*segment.updates, *segment.reads), args[:count_state], strict=True))
        at_start = dict(state)
        values: dict[Tensor, Array] = dict(zip(segment.inputs, args[count_state:], strict=True))
        scope = Lowering(values, static, state, boundary=frozenset(segment.inputs), given=None)
        scope.differentiated = differentiated(segment.ops)
        scope.replaced.update(guard.replaced())
        scope.alike = alike
        scope.held = held
        scope.run(segment.ops)
        guard.select(scope, at_start)
        outputs = []
        for tensor in segment.outputs:
            variable = variable_read_by(tensor, values)
            value = scope.value(tensor) if variable is None else at_start[variable]
            # A buffer of the state itself must not leave: a later run donates it.
            outputs.append(jnp.copy(value) if any(value is s for s in at_start.values()) else jnp.asarray(value))
        return outputs, [state[v] for v in (*segment.updates, *segment.creates)]

    function.__name__ = f"segment_{segment.ops[-1].name.rpartition('/')[2] if segment.ops else 'reads'}"
    return function


def differentiated(ops: Sequence[Operation]) -> dict[Operation, Differentiation]:
    """The operations with gradients in the segment: they are lowered once, through `jax.vjp`."""
    inside = set(ops)
    wrt: dict[Operation, set[int]] = {}
    given: dict[Operation, set[int]] = {}
    for op in ops:
        if op.type == "VJP":
            forward = _forward_of(op)
            if forward in inside:
                wrt.setdefault(forward, set()).update(op._attrs["wrt"])
                given.setdefault(forward, set()).update(op._attrs["given"])
    return {op: Differentiation(tuple(sorted(wrt[op])), tuple(sorted(given[op]))) for op in wrt}


class Lowering:
    """The values and the state while the operations of a segment, or of a body within it, are lowered in order.

    Attributes:
        values: What has been computed so far.
        static: The values known before compiling.
        state: The current values of variables and random streams.
        differentiated: Operations with gradients among the operations being lowered.
        differentiating: Whether what is being lowered will be differentiated by JAX.
        replaced: Functions that take the place of some operations' lowerings.
        alike: What traces operations that are alike once, if that can be done here.
        held: What the gradients of a matrix product go through, except in a body.
    """

    def __init__(
        self,
        values: dict[Tensor, Array],
        static: dict[Tensor, np.ndarray[Any, Any]],
        state: State,
        boundary: frozenset[Tensor],
        given: Lowering | None,
    ) -> None:
        self.values = values
        self.static = static
        self.state = state
        self.differentiated: dict[Operation, Differentiation] = {}
        self.differentiating = False
        self.replaced: dict[Operation, Callable[[Lowering], Sequence[Array]]] = {}
        self.alike: Alike | None = None
        self.held: Held | None = None
        self._boundary = boundary
        self._outer = given
        self._known: dict[Tensor, np.ndarray[Any, Any]] = {}
        self._constants: dict[Tensor, Any] = {}  # what the graph alone tells of tensors, or None
        self._foldable: dict[Tensor, bool] = {}  # whether the host can compute tensors from the boundary
        self._pullbacks: dict[Operation, Pullback] = {}

    def run(self, ops: Sequence[Operation]) -> None:
        """Lowers operations in order."""
        for op in ops:
            if op.op_def.lower is None and op.type != "VJP" and not bodies_of(op):
                continue  # structural: constants, placeholders, variables, no-ops
            if op.outputs and variable_read_by(op.outputs[0], self.values) is not None:
                continue  # a reading alias: read where it is used
            try:
                outputs = self._lower(op)
            except NeedStatic as need:
                if _stands_within(need.tensor.graph, op.graph):
                    self._give_to_host(op)  # asked for within a body, where nothing can be known beforehand
                raise
            except StaticNeeded as need:
                raise NeedStatic(self._demanded(op.inputs[need.position])) from None
            except (ShapesVary, NeedHost):
                self._give_to_host(op)
            except errors.OpError:
                raise
            except (TypeError, ValueError, IndexError, ZeroDivisionError, NotImplementedError) as error:
                given = ", ".join(f"{t.name} {self._describe(t)}" for t in op.inputs)
                raise errors.InvalidArgumentError(op.node_def, op, f"{error} (inputs: {given})") from error
            for tensor, value in zip(op._outputs, outputs, strict=True):
                if tensor not in self._boundary:  # fed, while another output is not
                    self.values[tensor] = value

    def _give_to_host(self, op: Operation) -> NoReturn:
        if op.type == "VJP":
            raise errors.UnimplementedError(
                op.node_def, op,
                f"The gradient of '{op._attrs['forward']}' cannot be computed: its values change shape, or its body "
                "holds operations of the host, so that it runs step by step on the host.",
            ) from None  # fmt: skip
        raise NeedHost(op) from None

    def value(self, tensor: Tensor) -> Array:
        """The present value of a tensor: computed, constant, or the variable that it reads."""
        if tensor in self.values:
            return self.values[tensor]
        if tensor in self.static:
            return self.static[tensor]
        if tensor.op.type == "Const":
            return tensor.op._attrs["value"]
        variable = variable_read_by(tensor, self.values)
        if variable is None:
            raise AssertionError(f"{tensor.name} is used before it is computed")
        return self.state[variable]

    def known(self, tensor: Tensor) -> np.ndarray[Any, Any]:
        """The value of a tensor that XLA must know when compiling.

        Raises:
            NeedStatic: If it is not known.
        """
        found = self._known.get(tensor)
        return self._find_known(tensor) if found is None else found

    def _demanded(self, tensor: Tensor) -> Tensor:
        """The tensor to compute beforehand so that another is known: what `known` asks for."""
        try:
            self.known(tensor)
        except NeedStatic as need:
            return need.tensor
        raise AssertionError(f"{tensor.name} is known and asked for again")

    def known_or_none(self, tensor: Tensor) -> np.ndarray[Any, Any] | None:
        """The value of a tensor if it happens to be known when compiling."""
        try:
            return self.known(tensor)
        except NeedStatic:
            return None

    def _find_known(self, tensor: Tensor) -> np.ndarray[Any, Any]:
        """The value of a tensor, from those of its inputs where need be: without recursion, for chains are long."""
        stack = [tensor]
        while stack:
            one = stack[-1]
            if one not in self._known:
                value = self._known_at_once(one)
                missing = [] if value is not None else [t for t in one.op.inputs if t not in self._known]
                if missing:
                    stack.append(missing[0])
                    continue
                if value is None:
                    value = fold(one.op, one.value_index, self._known.get)
                    assert value is not None
                self._known[one] = value
            stack.pop()
        return self._known[tensor]

    def _known_at_once(self, tensor: Tensor) -> np.ndarray[Any, Any] | None:
        """The value of a tensor if it does not take those of its inputs."""
        if tensor in self.static:
            return self.static[tensor]
        constant = constant_value(tensor, self._constants)
        if constant is not None:
            return constant
        computed = self.values.get(tensor)
        if isinstance(computed, np.ndarray):
            return computed
        op = tensor.op
        captured = op.graph._captured_tensor(tensor)
        if captured is not None and self._outer is not None:
            return self._outer.known(captured)
        if op.type in ("Shape", "Size", "Rank"):
            if not self._has(op.inputs[0]):
                raise NeedStatic(tensor)
            value = shape_value(op, np.shape(self.value(op.inputs[0])))
            assert value is not None
            return value
        if tensor in self._boundary or self._is_foldable(tensor) or op.op_def.fold is None:
            raise NeedStatic(tensor)
        return None

    def _is_foldable(self, tensor: Tensor) -> bool:
        return is_foldable(tensor, self._boundary, self._constants, self._foldable)

    def _has(self, tensor: Tensor) -> bool:
        return tensor in self.values or tensor in self.static or tensor.op.type == "Const" or (
            variable_read_by(tensor) is not None
        )  # fmt: skip

    # -- one operation --------------------------------------------------------------------------------------

    def _lower(self, op: Operation) -> Sequence[Array]:
        if op in self.replaced:
            return self.replaced[op](self)
        differentiation = self.differentiated.get(op)
        if op.type == "VJP" and differentiation is None and _forward_of(op) in self._pullbacks:
            return self._pulled_back(op)
        arguments = self._arguments(op)
        if op.type == "VJP" or bodies_of(op):
            with self._differentiating(differentiation is not None):
                outputs, updates, pullback = trace(self._function(op), arguments, differentiation)
        else:
            traced = trace if self.alike is None else partial(self.alike.trace, _kind(op))
            outputs, written, pullback = traced(_meaning(op), self._with_stream(op, arguments), differentiation)
            updates = _updates(op, written)
        if pullback is not None:
            self._pullbacks[op] = pullback
        self.state.update(updates)
        return outputs

    def _pulled_back(self, op: Operation) -> Sequence[Array]:
        """A gradient by the pullback that was kept, which may serve several gradients of the operation."""
        forward = _forward_of(op)
        differentiation = self.differentiated[forward]
        received = dict(zip(op._attrs["given"], op.inputs[_count_forward_inputs(op) :], strict=True))
        gradients = self._pullbacks[forward](
            [self.value(received[i]) if i in received else None for i in differentiation.given]
        )
        if forward.type == "MatMul" and self.held is not None:
            gradients = self.held(gradients)
        by_position = dict(zip(differentiation.wrt, gradients, strict=True))
        return [by_position[i] for i in op._attrs["wrt"]]

    def _function(self, op: Operation) -> PureFunction:
        """An operation as a pure function of its input values, giving outputs and new values of state."""
        if op.type == "VJP":
            return self._gradient_function(op)
        if bodies_of(op):
            lower = op.op_def.lower
            assert lower is not None
            return lambda values: lower(self, op, values)
        meaning, stream = _meaning(op), self._with_stream(op, [])

        def call(values: list[Array]) -> tuple[Sequence[Array], State]:
            outputs, written = meaning([*values, *stream])
            return outputs, _updates(op, written)

        return call

    def _with_stream(self, op: Operation, arguments: list[Array]) -> list[Array]:
        """The arguments of an operation's `_meaning`."""
        return [*arguments, self.state[op]] if op.op_def.random else arguments

    def _arguments(self, op: Operation) -> list[Array]:
        definition = op.op_def
        has_bodies = bool(bodies_of(op))
        known = self._known_inputs(op)
        arguments: list[Array] = []
        for position, tensor in enumerate(op.inputs):
            if position in definition.updates:
                arguments.append(None if definition.overwrites else self.state[variable_of(tensor)])
            elif position in known:
                arguments.append(known[position])
            elif has_bodies and tensor.dtype._is_ref_dtype:
                arguments.append(None)  # the body reaches the variable through the state
            else:
                arguments.append(self.value(tensor))
        return arguments

    def _known_inputs(self, op: Operation) -> dict[int, Any]:
        """The inputs that the lowering gets as compile-time values, by position."""
        definition, count = op.op_def, len(op.inputs)
        found: dict[int, Any] = {i % count: self.known(op.inputs[i]) for i in definition.static}
        for position in definition.static_if_known:
            value = self._known_or_parts(op.inputs[position])
            if value is not None:
                found[position] = value
        return found

    def _known_or_parts(self, tensor: Tensor) -> Any:
        """What is known of a tensor when compiling: its value, a list of a stacked vector's elements, or None."""
        value = self.known_or_none(tensor)
        if value is not None or tensor.op.type != "Pack" or tensor.shape.ndims != 1:
            return value
        parts: list[Array] = []
        for part in tensor.op.inputs:
            known = self.known_or_none(part)
            if known is None and part not in self.values:
                return None
            parts.append(self.values[part] if known is None else known)
        return parts

    def _gradient_function(self, op: Operation) -> PureFunction:
        """A gradient as a function of the inputs and the gradients of the outputs of its operation."""
        forward, count = _forward_of(op), _count_forward_inputs(op)
        wrt, given = op._attrs["wrt"], op._attrs["given"]
        # Compile-time values (shapes, axes) stay what they are; the others come with each call.
        fixed = self._known_inputs(forward)
        self.differentiated.setdefault(forward, Differentiation(tuple(wrt), tuple(given)))  # a loop asks for it
        function = self._function(forward)

        def call(values: list[Array]) -> tuple[Sequence[Array], State]:
            inputs = [fixed.get(i, v) for i, v in enumerate(values[:count])]

            def run(*chosen: Array) -> list[Array]:
                with self._differentiating():
                    outputs, _ = function(with_replaced(inputs, wrt, chosen))
                return [outputs[i] for i in given]

            cotangents = [jnp.asarray(v) for v in values[count:]]
            return jax.vjp(run, *(jnp.asarray(inputs[i]) for i in wrt))[1](cotangents), {}

        return call

    def body(self, values: dict[Tensor, Array], state: State) -> Lowering:
        """A scope for lowering the body of a branch or loop, in which values known here stay known."""
        scope = Lowering(values, {}, state, frozenset(), self)
        scope.differentiating = self.differentiating
        return scope

    @contextmanager
    def _differentiating(self, really: bool = True) -> Iterator[None]:
        before, self.differentiating = self.differentiating, self.differentiating or really
        try:
            yield
        finally:
            self.differentiating = before

    def _describe(self, tensor: Tensor) -> str:
        try:
            return str(tuple(np.shape(self.value(tensor))))
        except (AssertionError, KeyError):
            return "of unknown shape"


def _stands_within(graph: Graph, outer: Graph) -> bool:
    """Whether a graph is a body within another."""
    while isinstance(graph, FuncGraph):
        graph = graph.outer
        if graph is outer:
            return True
    return False


def _forward_of(op: Operation) -> Operation:
    return op.graph.get_operation_by_name(op._attrs["forward"])


def _count_forward_inputs(op: Operation) -> int:
    return len(op.inputs) - len(op._attrs["given"])


def _meaning(op: Operation) -> Callable[[list[Array]], tuple[Sequence[Array], list[Array]]]:
    """An operation without bodies as a function, which follows from its `_kind`.

    Returns:
        From the values of its inputs, and its random stream if it has one, to its outputs, and the new values of the
        variables that it changes and of the stream.
    """
    definition, types = op.op_def, [tensor.dtype for tensor in op._outputs]
    lower = definition.lower
    assert lower is not None
    attrs = {name: op._attrs[name] for name in definition.lower_attrs}

    def meaning(values: list[Array]) -> tuple[Sequence[Array], list[Array]]:
        written: list[Array] = []
        if definition.random:
            *values, stream = values
            key = jax.random.fold_in(jax.random.wrap_key_data(stream[:2], impl=IMPLEMENTATION), stream[2])
            values, written = [key, *values], [stream.at[2].add(1)]
        if definition.overwrites:
            values = values[len(definition.updates) :]
        result = lower(*values, **attrs)
        outputs = [*result] if isinstance(result, (tuple, list)) else [result]
        if definition.updates:
            written, outputs = [*outputs[: len(definition.updates)], *written], outputs[: len(types)]
        return [_as_declared(value, dtype) for value, dtype in zip(outputs, types, strict=True)], written

    return meaning


def _kind(op: Operation) -> Hashable:
    """What an operation's `_meaning` follows from."""
    definition = op.op_def
    attrs = [_fixed(op._attrs[name]) for name in definition.lower_attrs]
    return definition, *attrs, *[tensor.dtype.as_datatype_enum for tensor in op._outputs]


def _fixed(value: Any) -> Hashable:
    """A value that equals only what is the same, as 1 is not True and 0.0 not -0.0."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_fixed, value))
    return type(value), value.hex() if isinstance(value, float) else value


def _updates(op: Operation, written: list[Array]) -> State:
    """The new values of state that an operation's `_meaning` gave."""
    updates: State = {}
    for position, value in zip(op.op_def.updates, written, strict=False):
        variable = variable_of(op.inputs[position])
        _check_keeps_shape(op, variable._outputs[0], value)
        updates[variable] = _as_declared(value, variable._outputs[0].dtype)
    if op.op_def.random:
        updates[op] = written[-1]
    return updates


def _check_keeps_shape(op: Operation, variable: Tensor, value: Array) -> None:
    """Checks a variable's new value against its declared shape, where the graph could not."""
    shape = np.shape(value)
    if op._attrs.get("validate_shape", True) and not variable.shape.is_compatible_with(shape):
        left, right = (str(list(s)).replace(" ", "") for s in (variable.shape.sizes or (), shape))
        raise errors.InvalidArgumentError(
            op.node_def, op, f"{op.type} requires shapes of both tensors to match. lhs shape= {left} rhs shape= {right}"
        )


def _as_declared(value: Array, dtype: dtypes.DType) -> Array:
    """The value with the type that the graph promises."""
    wanted = np.dtype(dtype.as_numpy_dtype)
    value = jnp.asarray(value) if not hasattr(value, "dtype") else value
    # A handle is what its operation makes of it.
    return value if value.dtype == wanted or dtype == dtypes.resource else jnp.asarray(value, wanted)
