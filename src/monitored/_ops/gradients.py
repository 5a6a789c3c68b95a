"""`gradients`: reverse-mode differentiation as nodes of the graph.

Each differentiated operation gets one node of type ``VJP``, whose meaning is `jax.vjp` of the operation's lowering.
When both stand in one device segment the operation is lowered once and the node applies the kept pullback, so that
nothing is computed twice.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

from monitored._graph import build, dtypes
from monitored._graph.effects import bodies_of, variable_read_by
from monitored._graph.graph import Graph
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape

__all__ = ["AggregationMethod", "RegisterGradient", "UnconnectedGradients", "gradients", "no_gradient"]

Gradient = Tensor | IndexedSlices
Key = Tensor | Operation  # what a gradient belongs to: a tensor, or the variable that tensors read


def _gradient_shapes(op: Operation) -> list[TensorShape]:
    return [op.inputs[i].shape for i in op._attrs["wrt"]]


define(
    "VJP", "inputs:[Tin] gradients:[Tgrad] -> output:[Tout]", infer=_gradient_shapes,
    forward=REQUIRED, wrt=REQUIRED, given=REQUIRED,
)  # fmt: skip


_REGISTERED: dict[str, Callable[..., Any] | None] = {}


class RegisterGradient:
    """A decorator that makes a function the gradient of a type of operation, or of an override's name.

        @tf.RegisterGradient("ClippedIdentity")
        def clipped(op, grad):
            return tf.clip_by_norm(grad, 1.0)

        with tf.get_default_graph().gradient_override_map({"Identity": "ClippedIdentity"}):
            y = tf.identity(x)

    The function takes the `Operation` and a gradient for each output, and returns one (or None) for each input.

    Args:
        op_type: The type of operation, or a name for `Graph.gradient_override_map`.

    Raises:
        TypeError: If `op_type` is no string.
    """

    def __init__(self, op_type: str) -> None:
        if not isinstance(op_type, str):
            raise TypeError("op_type must be a string")
        self._op_type = op_type

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Registers the function.

        Raises:
            KeyError: If the name has a gradient already.
        """
        _register(self._op_type, function)
        return function


def no_gradient(op_type: str) -> None:
    """Says that nothing flows back through a type of operation.

    Args:
        op_type: The type.

    Raises:
        TypeError: If it is no string.
        KeyError: If the type has a gradient already.
    """
    if not isinstance(op_type, str):
        raise TypeError("op_type must be a string")
    _register(op_type, None)


def _register(name: str, function: Callable[..., Any] | None) -> None:
    if name in _REGISTERED:
        raise KeyError(f"Registering two gradient with name '{name}'!")
    _REGISTERED[name] = function


class UnconnectedGradients(enum.Enum):
    """What `gradients` gives for an x on which no y depends."""

    NONE = "none"
    ZERO = "zero"


class AggregationMethod:
    """How partial gradients are summed; XLA chooses, so all mean the same."""

    ADD_N = 0
    DEFAULT = ADD_N
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
    stop_gradients: Any = None,
    unconnected_gradients: UnconnectedGradients | str = UnconnectedGradients.NONE,
) -> list[Any]:
    """The derivatives of the sum of `ys` with respect to each of `xs`.

    Args:
        ys: A tensor or list of tensors to differentiate.
        xs: A tensor or variable, or a list of them.
        grad_ys: A gradient for each y, of its shape; ones by default.
        name: A name scope for the new operations.
        colocate_gradients_with_ops: Accepted as TensorFlow does; XLA places the work.
        gate_gradients: Accepted as TensorFlow does; a run computes all gradients of one operation together.
        aggregation_method: See `AggregationMethod`.
        stop_gradients: Tensors through which nothing is differentiated, as if they were constants.
        unconnected_gradients: What to give where no y depends on an x: None, or zeros.

    Returns:
        For each x a tensor of its shape, an `IndexedSlices` where only some rows of a variable are touched, or None.

    Raises:
        LookupError: If an operation on the way has no gradient.
        ValueError: If `grad_ys` does not match `ys`.
        TypeError: If a y is no number, or complex and without a gradient.
    """
    targets = [build.convert_to_tensor(y) for y in _listed(ys)]
    sources = _listed(xs)
    if not targets or not sources:
        return [None] * len(sources)
    given = _listed(grad_ys) if grad_ys is not None else [None] * len(targets)
    if len(given) != len(targets):
        raise ValueError(f"Passed {len(given)} grad_ys for {len(targets)} ys")
    unconnected = UnconnectedGradients(unconnected_gradients)
    graph = targets[0].graph
    keys = [_key(x) for x in sources]
    stopped = {build.convert_to_tensor(t).op for t in _listed(stop_gradients or [])}
    with graph.as_default(), graph.name_scope(name):
        backward = _Backward(graph, targets, keys, stopped)
        for index, (y, grad_y) in enumerate(zip(targets, given, strict=True)):
            backward.add(y, _initial(y, grad_y, index))
        found = backward.run()
        return [
            _zeros(x) if found.get(key) is None and unconnected is UnconnectedGradients.ZERO else found.get(key)
            for x, key in zip(sources, keys, strict=True)
        ]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _key(value: Any) -> Key:
    tensor = value._ref() if hasattr(value, "_ref") else build.convert_to_tensor(value)
    return variable_read_by(tensor) or tensor


def _zeros(x: Any) -> Tensor:
    zeros: Tensor = build.apply("ZerosLike", x)
    return zeros


def _initial(y: Tensor, grad_y: Any, index: int) -> Gradient:
    if not _differentiable(y) and not y.dtype.is_integer:  # integers have the gradient of themselves alone
        raise TypeError(f"Gradients must be of numbers, but {y.name} is of type {y.dtype.name}.")
    if grad_y is None and y.dtype.is_complex:
        raise TypeError(f"Gradients of complex tensors must set grad_ys (y.dtype = {y.dtype!r})")
    if grad_y is None:
        if y.shape.is_fully_defined():
            ones = build.constant(1, y.dtype.base_dtype, name=f"grad_ys_{index}/Const")
            sizes = [int(s) for s in y.shape]
            return build.apply("Fill", sizes, ones, name=f"grad_ys_{index}") if sizes else ones
        result: Gradient = build.apply("OnesLike", y, name=f"grad_ys_{index}")
        return result
    if isinstance(grad_y, IndexedSlices):
        return grad_y
    tensor = build.convert_to_tensor(grad_y, y.dtype.base_dtype, name=f"grad_ys_{index}")
    if not tensor.shape.is_compatible_with(y.shape):
        raise ValueError(f"grad_ys[{index}] has shape {tensor.shape}, but {y.name} has shape {y.shape}.")
    return tensor


def _differentiable(tensor: Tensor) -> bool:
    return tensor.dtype.is_floating or tensor.dtype.is_complex


class _Backward:
    """One pass backward through the operations between the sources and the targets."""

    def __init__(self, graph: Graph, targets: list[Tensor], sources: Sequence[Key], stopped: set[Operation]) -> None:
        self.graph = graph
        self.stopped = stopped
        self.sources = sources
        self.partial: dict[Key, list[Gradient]] = {}
        self.between = self._operations_between(targets, set(sources))

    def _operations_between(self, targets: list[Tensor], sources: set[Key]) -> list[Operation]:
        behind: set[Operation] = set()
        stack = [t.op for t in targets]
        while stack:
            op = stack.pop()
            if op not in behind and op not in self.stopped:
                behind.add(op)
                stack.extend(t.op for t in op.inputs if _differentiable(t))
        self.reached: set[Key] = set(sources)
        between = []
        for op in sorted(behind, key=lambda op: op._id):
            if any(self._key_of(t) in self.reached for t in op.inputs if _differentiable(t)):
                between.append(op)
                self.reached.update(op.outputs)
        return between

    @staticmethod
    def _key_of(tensor: Tensor) -> Key:
        return variable_read_by(tensor) or tensor

    def add(self, tensor: Tensor, gradient: Gradient | None) -> None:
        """Adds a partial gradient of a tensor."""
        if gradient is not None:
            self.partial.setdefault(self._key_of(tensor), []).append(gradient)

    def run(self) -> dict[Key, Gradient]:
        """The total gradients of the sources."""
        for op in reversed(self.between):
            if op.outputs and variable_read_by(op.outputs[0]) is not None:
                continue  # a reading alias: its gradient is the variable's
            received = [self._total(t) for t in op.outputs]
            if any(g is not None for g in received):
                self._through(op, received)
        return {key: total for key in self.sources if (total := self._total(key)) is not None}

    def _total(self, key: Key) -> Gradient | None:
        partial = self.partial.get(key)
        if not partial:
            return None
        if len(partial) > 1:
            partial[:] = [_sum(partial)]
        return partial[0]

    def _through(self, op: Operation, received: list[Gradient | None]) -> None:
        definition = op.op_def
        gradient_function = _gradient_function(op)
        if gradient_function is None and (definition.no_grad or definition.updates):
            return
        results: Any = NotImplemented
        if gradient_function is not None:
            with self.graph.name_scope(f"{op.name}_grad"):
                results = gradient_function(op, *received)
        if results is not NotImplemented:
            results = results if isinstance(results, (list, tuple)) else [results]
            for tensor, gradient in zip(op.inputs, results, strict=True):
                if gradient is not None and self._key_of(tensor) in self.reached:
                    self.add(tensor, gradient)
            return
        if definition.lower is None and definition.type != "VJP" and not bodies_of(op):
            raise LookupError(
                f"No gradient defined for operation '{op.name}' (op type: {op.type}), created at {op.creation_site}"
            )
        wrt = [i for i, t in enumerate(op.inputs) if self._wanted(op, i, t)]
        given = [i for i, g in enumerate(received) if g is not None and _differentiable(op.outputs[i])]
        if not wrt or not given:
            return
        for position, gradient in zip(wrt, vjp(op, wrt, given, [received[i] for i in given]), strict=True):
            self.add(op.inputs[position], gradient)

    def _wanted(self, op: Operation, position: int, tensor: Tensor) -> bool:
        static = position in op.op_def.static or position - len(op.inputs) in op.op_def.static
        return _differentiable(tensor) and not static and self._key_of(tensor) in self.reached


def _gradient_function(op: Operation) -> Callable[..., Any] | None:
    """What the user registered for the op, or for its type; else what its definition says."""
    override = op._attrs.get("_gradient_op_type")
    if override is not None:
        try:
            return _with_zeros(_REGISTERED[override])
        except KeyError:
            raise LookupError(
                f"No gradient is registered as '{override}', which gradient_override_map gave to '{op.name}'."
            ) from None
    if op.type in _REGISTERED:
        return _with_zeros(_REGISTERED[op.type])
    return op.op_def.grad


def _with_zeros(function: Callable[..., Any] | None) -> Callable[..., Any]:
    """A registered function gets zeros for outputs that nothing depends on, and gives what TensorFlow allows."""

    def call(op: Operation, *received: Gradient | None) -> Sequence[Any]:
        if function is None:
            return [None] * len(op.inputs)
        full = [
            build.apply("ZerosLike", output) if gradient is None and _differentiable(output) else gradient
            for output, gradient in zip(op.outputs, received, strict=True)
        ]
        results = function(op, *full)
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        if len(results) != len(op.inputs):
            raise ValueError(
                f"Num gradients {len(results)} generated for op '{op.name}' ({op.type}) do not match num inputs "
                f"{len(op.inputs)}"
            )
        return [
            None if r is None else r if isinstance(r, IndexedSlices) else build.convert_to_tensor(r) for r in results
        ]

    return call


def vjp(op: Operation, wrt: Sequence[int], given: Sequence[int], received: Sequence[Any]) -> list[Tensor]:
    """The node that gives an operation's gradients.

    Args:
        op: The operation.
        wrt: The positions of the inputs whose gradients are wanted.
        given: The positions of the outputs whose gradients are given.
        received: Those gradients.

    Returns:
        A tensor for each of `wrt`.
    """
    gradients_in = [build.convert_to_tensor(g) for g in received]
    node = op.graph.create_op(
        "VJP",
        [*op.inputs, *gradients_in],
        name=f"{op.name}_grad",
        attrs={
            "Tin": [t.dtype.base_dtype for t in op.inputs],
            "Tgrad": [t.dtype.base_dtype for t in gradients_in],
            "Tout": [op.inputs[i].dtype.base_dtype for i in wrt],
            "forward": op.name,
            "wrt": list(wrt),
            "given": list(given),
        },
    )
    return node.outputs


def _sum(partial: list[Gradient]) -> Gradient:
    if all(isinstance(g, IndexedSlices) for g in partial):
        slices = [g for g in partial if isinstance(g, IndexedSlices)]
        values = build.apply("ConcatV2", [s.values for s in slices], 0, name="concat")
        indices = build.apply("ConcatV2", [_as_int64(s.indices, slices) for s in slices], 0, name="concat")
        return IndexedSlices(values, indices, slices[0].dense_shape)
    total: Tensor = build.apply("AddN", [build.convert_to_tensor(g) for g in partial], name="AddN")
    return total


def _as_int64(indices: Tensor, slices: list[IndexedSlices]) -> Tensor:
    if len({s.indices.dtype for s in slices}) == 1:
        return indices
    wide: Tensor = build.apply("Cast", indices, DstT=dtypes.int64)
    return wide
