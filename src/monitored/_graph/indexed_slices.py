"""`IndexedSlices`: some rows of a large tensor, as the gradient of a gather has them."""

from __future__ import annotations

from typing import Any, NamedTuple

from monitored._graph import build
from monitored._graph.constant import constant_value_as_shape
from monitored._graph.dtypes import DType
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape


class IndexedSlicesValue(NamedTuple):
    """What fetching an `IndexedSlices` gives: its three parts as arrays (``dense_shape`` may be None)."""

    values: Any
    indices: Any
    dense_shape: Any


class IndexedSlices:
    """Rows of a tensor: ``dense[indices[i]] = sum of values[i]``, zero elsewhere.

    Args:
        values: The rows, ``[n, ...]``.
        indices: Where they belong, integers ``[n]``; one may occur several times.
        dense_shape: The shape of the tensor of which these are rows, an integer vector, or None.
    """

    def __init__(self, values: Tensor, indices: Tensor, dense_shape: Tensor | None = None) -> None:
        self._values = values
        self._indices = indices
        self._dense_shape = dense_shape

    @property
    def values(self) -> Tensor:
        """The rows."""
        return self._values

    @property
    def indices(self) -> Tensor:
        """Where the rows belong."""
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        """The shape of the whole, or None."""
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """What is known of the shape of the whole."""
        if self._dense_shape is None:
            return TensorShape(None)
        return constant_value_as_shape(self._dense_shape)

    @property
    def name(self) -> str:
        """The name of the rows' tensor."""
        return self._values.name

    @property
    def device(self) -> str:
        """The device of the rows' tensor."""
        return self._values.device

    @property
    def op(self) -> Operation:
        """The operation that computes the rows."""
        return self._values.op

    @property
    def dtype(self) -> DType:
        """The type of the rows' elements."""
        return self._values.dtype

    @property
    def graph(self) -> Graph:
        """The graph that holds the parts."""
        return self._values.graph

    def _as_graph_element(self) -> Tensor:
        return self._values

    def _fetch_parts(self) -> tuple[list[Tensor], Any]:
        if self._dense_shape is None:
            return [self._values, self._indices], lambda parts: IndexedSlicesValue(parts[0], parts[1], None)
        return [self._values, self._indices, self._dense_shape], lambda parts: IndexedSlicesValue(*parts)

    def _as_tensor(self, name: str | None = None) -> Tensor:
        """The whole tensor.

        Raises:
            ValueError: If the shape of the whole is not known.
        """
        if self._dense_shape is None:
            raise ValueError(f"Tensor conversion requested for IndexedSlices without dense_shape: {self}")
        rows = build.apply("StridedSlice", self._dense_shape, [0], [1], [1], shrink_axis_mask=1)
        dense: Tensor = build.apply("UnsortedSegmentSum", self._values, self._indices, rows, name=name)
        return dense

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self._values, self._indices, self._dense_shape)

    def __str__(self) -> str:
        shape = "" if self._dense_shape is None else f", dense_shape={self._dense_shape}"
        return f"IndexedSlices(indices={self._indices}, values={self._values}{shape})"
