"""`Operation`, a node of a graph, and `Tensor`, one of its outputs."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from monitored._graph import defaults, dtypes, node_def
from monitored._graph.operators import Operators
from monitored._graph.shapes import TensorShape, as_shape

if TYPE_CHECKING:
    from monitored._graph.graph import Graph
    from monitored._graph.opdef import OpDef


class Operation:
    """A node of a `Graph`: an op type applied to tensors.

    Operations are made by the functions of the public interface (`matmul`, `constant`, ...), not directly.
    """

    __slots__ = (
        "__weakref__", "_attrs", "_control_inputs", "_definition", "_device", "_graph", "_id", "_inputs", "_name",
        "_outputs", "_site",
    )  # fmt: skip

    def __init__(
        self,
        graph: Graph,
        definition: OpDef,
        name: str,
        inputs: tuple[Tensor, ...],
        attrs: dict[str, Any],
        control_inputs: tuple[Operation, ...],
        device: str,
        site: tuple[str, int, str],
        op_id: int,
    ) -> None:
        self._graph = graph
        self._definition = definition
        self._name = name
        self._inputs = inputs
        self._attrs = attrs
        self._control_inputs = control_inputs
        self._device = device
        self._site = site
        self._id: float = op_id  # its place in the program's order
        self._outputs: tuple[Tensor, ...] = ()

    @property
    def name(self) -> str:
        """The full name, unique in the graph."""
        return self._name

    @property
    def type(self) -> str:
        """TensorFlow's name of the op's type, such as ``'MatMul'``."""
        return self._definition.type

    @property
    def graph(self) -> Graph:
        """The graph that holds this operation."""
        return self._graph

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The data inputs."""
        return self._inputs

    @property
    def outputs(self) -> list[Tensor]:
        """The outputs."""
        return list(self._outputs)

    @property
    def control_inputs(self) -> list[Operation]:
        """The operations that run before this one without passing it data."""
        return list(self._control_inputs)

    @property
    def device(self) -> str:
        """The device asked for, or an empty string."""
        return self._device

    @property
    def creation_site(self) -> str:
        """Where the op was created, as ``file:line in function``."""
        return "{}:{} in {}".format(*self._site)

    @property
    def traceback(self) -> list[tuple[str, int, str, str | None]]:
        """The user's frame that created the op: a list with one ``(file, line, function, None)``."""
        return [(*self._site, None)]

    @property
    def node_def(self) -> Any:
        """The op as TensorFlow's `NodeDef` protocol buffer."""
        return node_def.to_node_def(self)

    @property
    def op_def(self) -> OpDef:
        """The definition of the op's type."""
        return self._definition

    def get_attr(self, name: str) -> Any:
        """The value of an attribute.

        Args:
            name: The attribute's name, such as ``'T'``.

        Returns:
            Its value: a Python value, `DType`, `TensorShape` as proto, bytes for strings, or a list of these.

        Raises:
            ValueError: If the operation has no such attribute.
        """
        try:
            value = self._attrs[name]
        except KeyError:
            raise ValueError(f"Operation '{self._name}' has no attr named '{name}'.") from None
        return value.encode() if isinstance(value, str) else value

    def values(self) -> tuple[Tensor, ...]:
        """The outputs, as a tuple."""
        return self._outputs

    def colocation_groups(self) -> list[bytes]:
        """The names of the groups this op shares a device with; its own unless told otherwise."""
        return list(self._attrs.get("_class") or [f"loc:@{self._name}".encode()])

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Runs this operation in a session.

        Args:
            feed_dict: Values for tensors, as for `Session.run`.
            session: The session; the default one when None.

        Raises:
            ValueError: If there is no session.
        """
        defaults.session_for(session, self._graph, "run()", "execute operation").run(self, feed_dict)

    def _add_control_inputs(self, ops: Sequence[Operation]) -> None:
        """Makes this operation wait for others, which must be in the same graph."""
        self._graph._check_not_finalized()
        self._control_inputs += tuple(op for op in ops if op not in self._control_inputs)
        self._graph._version += 1

    def _add_control_input(self, op: Operation) -> None:
        self._add_control_inputs([op])

    def _set_attr(self, name: str, value: Any) -> None:
        self._attrs[name] = value

    def __repr__(self) -> str:
        return f"<tf.Operation '{self._name}' type={self.type}>"

    def __str__(self) -> str:
        return str(self.node_def)


class Tensor(Operators):
    """One output of an `Operation`: a symbol for a value that a session's run computes."""

    __slots__ = ("__weakref__", "_consumers", "_dtype", "_index", "_keras_mask", "_op", "_shape")

    def __init__(self, op: Operation, index: int, dtype: dtypes.DType, shape: TensorShape) -> None:
        self._op = op
        self._index = index
        self._dtype = dtype
        self._shape = shape
        self._consumers: list[Operation] = []

    @property
    def op(self) -> Operation:
        """The operation that produces this tensor."""
        return self._op

    @property
    def dtype(self) -> dtypes.DType:
        """The type of the elements."""
        return self._dtype

    @property
    def graph(self) -> Graph:
        """The graph that holds this tensor."""
        return self._op._graph

    @property
    def name(self) -> str:
        """The name: the operation's, a colon, and the index of the output."""
        return f"{self._op._name}:{self._index}"

    @property
    def device(self) -> str:
        """The device asked for, or an empty string."""
        return self._op._device

    @property
    def assign(self) -> Any:
        """Of a slice of a variable, the function that gives it a new value: ``variable[0].assign(value)``."""
        if self._op.type != "StridedSlice":
            raise AttributeError(f"'Tensor' object has no attribute 'assign': {self} is no slice of a variable.")
        return functools.partial(self._functions.assign_slice, self)

    @property
    def value_index(self) -> int:
        """The index of this tensor among its operation's outputs."""
        return self._index

    @property
    def shape(self) -> TensorShape:
        """What is known of the shape before running."""
        return self._shape

    def get_shape(self) -> TensorShape:
        """What is known of the shape before running."""
        return self._shape

    def set_shape(self, shape: Any) -> None:
        """Adds what the caller knows of the shape.

        Args:
            shape: A shape that does not contradict what is known.

        Raises:
            ValueError: If it does.
        """
        self._shape = self._shape.merge_with(as_shape(shape))

    def consumers(self) -> list[Operation]:
        """The operations that have this tensor as an input."""
        return list(self._consumers)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Computes this tensor in a session.

        Args:
            feed_dict: Values for tensors, as for `Session.run`.
            session: The session; the default one when None.

        Returns:
            A NumPy array (a NumPy scalar when the rank is 0).

        Raises:
            ValueError: If there is no session.
        """
        return defaults.session_for(session, self.graph, "eval()", "evaluate tensor").run(self, feed_dict)

    def __iter__(self) -> Iterator[Tensor]:
        if self._shape.ndims is None:
            raise TypeError("Cannot iterate over a tensor with unknown shape.")
        if self._shape.ndims == 0:
            raise TypeError("Cannot iterate over a scalar tensor.")
        length = self._shape[0].value
        if length is None:
            raise TypeError("Cannot iterate over a tensor with unknown first dimension.")
        return (self[i] for i in range(length))

    def __len__(self) -> int:
        raise TypeError("len is not well defined for a symbolic Tensor. Please call `x.shape` rather than `len(x)`.")

    def __bool__(self) -> bool:
        raise TypeError(
            f"Using a `tf.Tensor` ('{self.name}') as a Python `bool` is not allowed: its value is known only when a "
            "session runs. Use `if t is not None:` instead of `if t:` to test if a tensor is defined, and "
            "`tf.cond` to choose by its value."
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"Cannot convert a symbolic Tensor ({self.name}) to a numpy array: run it in a session first."
        )

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={self._shape} dtype={self._dtype.name}>"

    def __str__(self) -> str:
        shape = "" if self._shape.ndims is None else f", shape={self._shape}"
        return f'Tensor("{self.name}"{shape}, dtype={self._dtype.name})'

    # Tensors are compared by identity (TensorFlow 1): they are keys of feed dictionaries.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other
