"""`SparseTensor`: a tensor given by the places and values of its elements that are not zero."""

from __future__ import annotations

from typing import Any, NamedTuple

from monitored._graph import build, defaults, dtypes
from monitored._graph.constant import constant_value_as_shape
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape


class SparseTensorValue(NamedTuple):
    """A sparse tensor's parts as arrays: what fetching a `SparseTensor` gives, and what it is fed with."""

    indices: Any
    values: Any
    dense_shape: Any


class SparseTensor:
    """A tensor of which only some elements are kept; all others are zero.

    Args:
        indices: The places of the elements, int64 ``[n, rank]``.
        values: The elements, ``[n]``.
        dense_shape: The shape of the whole, int64 ``[rank]``.

    Raises:
        ValueError: If the shapes of the parts do not fit together.
    """

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        self._indices = build.convert_to_tensor(indices, dtypes.int64, name="indices")
        self._values = build.convert_to_tensor(values, name="values")
        self._dense_shape = build.convert_to_tensor(dense_shape, dtypes.int64, name="shape")
        places = self._indices.shape.with_rank(2)
        places[0].merge_with(self._values.shape.with_rank(1)[0])
        places[1].merge_with(self._dense_shape.shape.with_rank(1)[0])

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> SparseTensor:
        """The sparse tensor of a `SparseTensorValue`; a `SparseTensor` as it is.

        Raises:
            TypeError: If it is neither.
        """
        if isinstance(sparse_tensor_value, SparseTensor):
            return sparse_tensor_value
        if not isinstance(sparse_tensor_value, SparseTensorValue):
            raise TypeError(f"Neither a SparseTensor nor SparseTensorValue: {sparse_tensor_value}.")
        return cls(*sparse_tensor_value)

    @property
    def indices(self) -> Tensor:
        """The places of the elements."""
        return self._indices

    @property
    def values(self) -> Tensor:
        """The elements."""
        return self._values

    @property
    def dense_shape(self) -> Tensor:
        """The shape of the whole."""
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """What is known of the shape of the whole before running."""
        return constant_value_as_shape(self._dense_shape)

    def get_shape(self) -> TensorShape:
        """What is known of the shape of the whole before running."""
        return self.shape

    @property
    def dtype(self) -> dtypes.DType:
        """The type of the elements."""
        return self._values.dtype

    @property
    def op(self) -> Operation:
        """The operation that computes the values."""
        return self._values.op

    @property
    def graph(self) -> Graph:
        """The graph that holds the parts."""
        return self._values.graph

    def eval(self, feed_dict: Any = None, session: Any = None) -> SparseTensorValue:
        """Computes this tensor in a session; see `Tensor.eval`."""
        found: SparseTensorValue = defaults.session_for(session, self.graph, "eval()", "evaluate tensor").run(
            self, feed_dict
        )
        return found

    def _fetch_parts(self) -> tuple[list[Tensor], Any]:
        return [self._indices, self._values, self._dense_shape], lambda parts: SparseTensorValue(*parts)

    def __str__(self) -> str:
        return f"SparseTensor(indices={self._indices}, values={self._values}, dense_shape={self._dense_shape})"
