"""`FuncGraph`: the body of a branch or a loop."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from monitored._graph import dtypes
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape


class FuncGraph(Graph):
    """The body of a branch or a loop: a graph whose inputs stand for tensors of the graph around it.

    Using a tensor of the outer graph inside captures it: a placeholder takes its place, and the operation that
    runs the body receives the outer tensor as an input. Constants are copied, except those with respect to which one
    may differentiate.
    """

    def __init__(self, name: str, outer: Graph) -> None:
        super().__init__()
        self.name = name
        self.outer = outer
        self.seed = outer.seed
        self.captures: dict[Tensor, Tensor] = {}  # outer -> inner
        self._captured_by: dict[Tensor, Tensor] = {}  # inner -> outer
        self.arguments: list[Tensor] = []
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self._scopes.name = outer._scopes.name  # names inside tell where the body stands

    @property
    def building_function(self) -> bool:
        """True: this is the body of a branch or a loop."""
        return True

    def add_argument(self, dtype: dtypes.DType, shape: TensorShape, name: str) -> Tensor:
        """A new argument of the function, before the tensors that it captures."""
        tensor = self._placeholder(dtype, shape, name)
        self.arguments.append(tensor)
        return tensor

    def _placeholder(self, dtype: dtypes.DType, shape: TensorShape, name: str) -> Tensor:
        with self.control_dependencies(None):
            return self.create_op("Placeholder", [], name=name, attrs={"dtype": dtype, "shape": shape})._outputs[0]

    @property
    def captured(self) -> list[Tensor]:
        """The outer tensors that the body uses, in the order of their first use."""
        return list(self._captured_by.values())

    def take_in_order(self, captures: list[Tensor]) -> None:
        """Makes its inputs the arguments and one for each outer tensor in a list, used or not, in that order."""
        self.inputs = [*self.arguments, *(self._captured(t) for t in captures)]

    @cached_property
    def needed(self) -> list[Operation]:
        """The operations that the outputs need, in program order; to be asked for when the body is complete."""
        found: set[Operation] = set()
        stack = [t.op for t in self.outputs]
        while stack:
            op = stack.pop()
            if op not in found:
                found.add(op)
                stack.extend(t.op for t in op.inputs)
                stack.extend(op.control_inputs)
        return [op for op in self._operations if op in found]

    def _captured(self, tensor: Tensor) -> Tensor:
        if tensor.graph is not self.outer:
            tensor = self.outer._captured(tensor)
        inner = self.captures.get(tensor)
        if inner is None:
            with self.control_dependencies(None):
                if tensor.op.type == "Const" and not (tensor.dtype.is_floating or tensor.dtype.is_complex):
                    inner = self.create_op(
                        "Const", [], name=tensor.op.name.replace("/", "_"), attrs=tensor.op._attrs
                    )._outputs[0]
                else:
                    name = "capture_" + tensor.op.name.replace("/", "_")
                    inner = self._placeholder(tensor.dtype, tensor.shape, name)
                    self._captured_by[inner] = tensor
            self.captures[tensor] = inner
        return inner

    def _captured_tensor(self, tensor: Tensor) -> Tensor | None:
        return self._captured_by.get(tensor)

    def get_collection_ref(self, name: Any) -> list[Any]:
        """The outer graph's collection: bodies add to the same ones."""
        return self.outer.get_collection_ref(name)

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Adds a value to the outer graph's collection."""
        self.outer.add_to_collection(name, value)

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """A copy of the outer graph's collection."""
        return self.outer.get_collection(name, scope)
