"""From a `Segment` to one pure JAX function of its state and inputs.

Operations are lowered in program order, with the current value of each variable at hand, so that every use reads the
variable where it stands. Values that XLA must know when it compiles (shapes, axes) are computed from shapes and
constants with NumPy as they are asked for; what cannot be known that way is reported by `NeedStatic`, and the run is
planned again with that value computed beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from monitored import errors
from monitored._graph.constant import constant_value, fold, shape_value
from monitored._graph.operation import Operation, Tensor
from monitored._plan.build import is_foldable
from monitored._plan.effects import bodies_of, variable_of, variable_read_by
from monitored._plan.plan import Segment

Array = Any
State = dict[Operation, Array]


class NeedStatic(Exception):
    """A value must be known when compiling that is known only when running."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor.name)
        self.tensor = tensor


def lower_segment(segment: Segment, statics: Sequence[np.ndarray[Any, Any]]) -> Callable[..., Any]:
    """The function of a segment.

    Args:
        segment: The segment.
        statics: The values of `segment.static`.

    Returns:
        ``f(*updates, *reads, *inputs) -> (outputs, new values of updates and creates)``, to be compiled with the
        updates donated.
    """
    static = dict(zip(segment.static, statics, strict=True))
    count_updates, count_state = len(segment.updates), len(segment.updates) + len(segment.reads)

    def function(*args: Array) -> tuple[list[Array], list[Array]]:
        state = dict(zip((*segment.updates, *segment.reads), args[:count_state], strict=True))
        at_start = dict(state)
        values: dict[Tensor, Array] = dict(zip(segment.inputs, args[count_state:], strict=True))
        scope = Lowering(values, static, state, boundary=frozenset(segment.inputs), given=None)
        scope.differentiated = _differentiated(segment.ops)
        scope.run(segment.ops)
        outputs = []
        for tensor in segment.outputs:
            variable = variable_read_by(tensor) if tensor not in values else None
            value = scope.value(tensor) if variable is None else at_start[variable]
            # A buffer of the state itself must not leave: a later run donates it.
            outputs.append(jnp.copy(value) if any(value is s for s in at_start.values()) else jnp.asarray(value))
        return outputs, [state[v] for v in (*segment.updates, *segment.creates)]

    function.__name__ = f"segment_{segment.ops[-1].name.rpartition('/')[2] if segment.ops else 'reads'}"
    assert count_updates <= count_state
    return function


def _differentiated(ops: Sequence[Operation]) -> dict[Operation, Operation]:
    """The operations whose gradient is in the segment too: they are lowered once, through `jax.vjp`."""
    inside = set(ops)
    pairs = {}
    for op in ops:
        if op.type == "VJP":
            forward = op.graph.get_operation_by_name(op._attrs["forward"])
            if forward in inside:
                pairs[forward] = op
    return pairs


class Lowering:
    """The values and the state while the operations of a segment, or of a body within it, are lowered in order.

    Attributes:
        values: What has been computed so far.
        static: The values known before compiling.
        state: The current values of variables and random streams.
        differentiated: Operations with a gradient among the operations being lowered.
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
        self.differentiated: dict[Operation, Operation] = {}
        self._boundary = boundary
        self._outer = given
        self._known: dict[Tensor, np.ndarray[Any, Any]] = {}
        self._pullbacks: dict[Operation, Any] = {}

    def run(self, ops: Sequence[Operation]) -> None:
        """Lowers operations in order."""
        for op in ops:
            if op.op_def.lower is None and op.type != "VJP" and not bodies_of(op):
                continue  # structural: constants, placeholders, variables, no-ops
            if op.outputs and variable_read_by(op.outputs[0]) is not None:
                continue  # a reading alias: read where it is used
            try:
                outputs = self._lower(op)
            except (NeedStatic, errors.OpError):
                raise
            except (TypeError, ValueError, IndexError, ZeroDivisionError, NotImplementedError) as error:
                given = ", ".join(f"{t.name} {self._describe(t)}" for t in op.inputs)
                raise errors.InvalidArgumentError(op.node_def, op, f"{error} (inputs: {given})") from error
            for tensor, value in zip(op._outputs, outputs, strict=True):
                self.values[tensor] = value

    def value(self, tensor: Tensor) -> Array:
        """The present value of a tensor: computed, constant, or the variable that it reads."""
        if tensor in self.values:
            return self.values[tensor]
        if tensor in self.static:
            return self.static[tensor]
        if tensor.op.type == "Const":
            return tensor.op._attrs["value"]
        variable = variable_read_by(tensor)
        if variable is None:
            raise AssertionError(f"{tensor.name} is used before it is computed")
        return self.state[variable]

    def known(self, tensor: Tensor) -> np.ndarray[Any, Any]:
        """The value of a tensor that XLA must know when compiling.

        Raises:
            NeedStatic: If it is not known.
        """
        found = self._known.get(tensor)
        if found is None:
            found = self._known[tensor] = self._find_known(tensor)
        return found

    def _find_known(self, tensor: Tensor) -> np.ndarray[Any, Any]:
        if tensor in self.static:
            return self.static[tensor]
        constant = constant_value(tensor)
        if constant is not None:
            return constant
        op = tensor.op
        captured = op.graph._captured_tensor(tensor)
        if captured is not None and self._outer is not None:
            return self._outer.known(captured)
        if op.type in ("Shape", "Size", "Rank"):
            value = shape_value(op, np.shape(self.value(op.inputs[0])))
            assert value is not None
            return value
        if tensor in self._boundary or is_foldable(tensor, self._boundary) or op.op_def.fold is None:
            raise NeedStatic(tensor)
        value = fold(op, tensor.value_index, self.known)
        assert value is not None
        return value

    # -- one operation --------------------------------------------------------------------------------------

    def _lower(self, op: Operation) -> Sequence[Array]:
        if op.type == "VJP":
            return self._gradient(op)
        call, arguments = self._call(op)
        gradient = self.differentiated.get(op)
        if gradient is None:
            outputs, updates = call(arguments)
            self.state.update(updates)
            return list(outputs)
        wrt: Sequence[int] = gradient._attrs["wrt"]

        def differentiable(*chosen: Array) -> tuple[list[Array], tuple[list[Array], State]]:
            given = list(arguments)
            for position, value in zip(wrt, chosen, strict=True):
                given[position] = value
            outputs, updates = call(given)
            wanted = [outputs[i] for i in gradient._attrs["given"]]
            return wanted, (list(outputs), updates)

        primals = [jnp.asarray(arguments[i]) for i in wrt]
        _, pullback, (outputs, updates) = jax.vjp(differentiable, *primals, has_aux=True)
        self._pullbacks[op] = pullback
        self.state.update(updates)
        return outputs

    def _gradient(self, op: Operation) -> Sequence[Array]:
        """The gradients of an operation's inputs: its kept pullback, or a new one where it ran elsewhere."""
        forward = op.graph.get_operation_by_name(op._attrs["forward"])
        count = len(op.inputs) - len(op._attrs["given"])
        cotangents = [jnp.asarray(self.value(t)) for t in op.inputs[count:]]
        pullback = self._pullbacks.get(forward)
        if pullback is None or op in self.differentiated:
            return self._fresh_gradient(op, forward, count, cotangents)
        return list(pullback(cotangents))

    def _fresh_gradient(
        self, op: Operation, forward: Operation, count: int, cotangents: list[Array]
    ) -> Sequence[Array]:
        call, _ = self._call(forward)
        arguments = [
            self.value(t) if not t.dtype._is_ref_dtype or not bodies_of(forward) else None for t in op.inputs[:count]
        ]
        wrt: Sequence[int] = op._attrs["wrt"]

        def gradients(chosen: list[Array], cotangents: list[Array]) -> list[Array]:
            def run(*values: Array) -> list[Array]:
                given = list(arguments)
                for position, value in zip(wrt, values, strict=True):
                    given[position] = value
                outputs, _ = call(given)
                return [outputs[i] for i in op._attrs["given"]]

            return list(jax.vjp(run, *chosen)[1](cotangents))

        chosen = [jnp.asarray(arguments[i]) for i in wrt]
        second = self.differentiated.get(op)
        if second is None:
            return gradients(chosen, cotangents)
        # A gradient of this gradient is wanted: keep its pullback with respect to the inputs that it is asked for.
        positions: Sequence[int] = second._attrs["wrt"]

        def of_inputs(*values: Array) -> list[Array]:
            inputs = dict(zip(positions, values, strict=True))
            new_chosen = [inputs.get(p, c) for p, c in zip(wrt, chosen, strict=True)]
            new_cotangents = [inputs.get(count + i, c) for i, c in enumerate(cotangents)]
            results = gradients(new_chosen, new_cotangents)
            return [results[i] for i in second._attrs["given"]]

        everything = gradients(chosen, cotangents)
        _, pullback = jax.vjp(of_inputs, *(jnp.asarray(self.value(op.inputs[p])) for p in positions))
        self._pullbacks[op] = pullback
        return everything

    def _call(self, op: Operation) -> tuple[Callable[[list[Array]], tuple[Sequence[Array], State]], list[Array]]:
        """An operation as a pure function of its input values, and those values.

        The function returns the outputs and the new values of the state that it changes.
        """
        if bodies_of(op):
            return self._function_call(op)
        definition = op.op_def
        lower = definition.lower
        assert lower is not None
        attrs = {name: op._attrs[name] for name in definition.lower_attrs}
        count = len(op.inputs)
        arguments: list[Array] = []
        for position, tensor in enumerate(op.inputs):
            if position in definition.updates:
                arguments.append(None if definition.overwrites else self.state[variable_of(tensor)])
            elif position in definition.static or position - count in definition.static:
                arguments.append(self.known(tensor))
            else:
                arguments.append(self.value(tensor))
        stream = self.state[op] if definition.random else None

        def call(values: list[Array]) -> tuple[Sequence[Array], State]:
            updates: State = {}
            if definition.overwrites:
                values = values[len(definition.updates) :]
            if stream is not None:
                key = jax.random.fold_in(jax.random.wrap_key_data(stream[:2]), stream[2])
                updates[op] = stream.at[2].add(1)
                values = [key, *values]
            result = lower(*values, **attrs)
            outputs = [*result] if isinstance(result, (tuple, list)) else [result]
            if definition.updates:
                for position, value in zip(definition.updates, outputs, strict=True):
                    variable = variable_of(op.inputs[position])
                    updates[variable] = _as_declared(value, variable._outputs[0])
                outputs = outputs[: len(op._outputs)]
            return [_as_declared(v, t) for v, t in zip(outputs, op._outputs, strict=True)], updates

        return call, arguments

    def _function_call(
        self, op: Operation
    ) -> tuple[Callable[[list[Array]], tuple[Sequence[Array], State]], list[Array]]:
        lower = op.op_def.lower
        assert lower is not None
        arguments = [None if t.dtype._is_ref_dtype else self.value(t) for t in op.inputs]

        def call(values: list[Array]) -> tuple[Sequence[Array], State]:
            result: tuple[Sequence[Array], State] = lower(self, op, values)
            return result

        return call, arguments

    def body(self, values: dict[Tensor, Array], state: State) -> Lowering:
        """A scope for lowering the body of a branch or loop, in which values known here stay known."""
        return Lowering(values, {}, state, frozenset(), self)

    def _describe(self, tensor: Tensor) -> str:
        try:
            return str(tuple(np.shape(self.value(tensor))))
        except (AssertionError, KeyError):
            return "of unknown shape"


def _as_declared(value: Array, tensor: Tensor) -> Array:
    """The value with the type that the graph promises."""
    wanted = np.dtype(tensor.dtype.as_numpy_dtype)
    value = jnp.asarray(value) if not hasattr(value, "dtype") else value
    return value if value.dtype == wanted else jnp.asarray(value, wanted)
