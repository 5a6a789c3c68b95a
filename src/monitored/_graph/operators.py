"""Python's operators on tensors and variables, in TensorFlow's names and types of operations."""

from __future__ import annotations

from typing import Any, ClassVar


class Operators:
    """Mixed into everything that can be an operand: `Tensor` and `Variable`.

    The functions behind the operators belong to the vocabulary, a room above this one: `monitored._ops.operators`
    puts itself here when it is imported.
    """

    __slots__ = ()
    _functions: ClassVar[Any]
    __array_priority__ = 100  # so that `numpy_array + tensor` asks the tensor

    def __add__(self, other: Any) -> Any:
        return self._functions.binary("AddV2", "add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._functions.binary("AddV2", "add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._functions.binary("Sub", "sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._functions.binary("Sub", "sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._functions.binary("Mul", "mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._functions.binary("Mul", "mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._functions.true_divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._functions.true_divide(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._functions.binary("FloorDiv", "floordiv", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._functions.binary("FloorDiv", "floordiv", other, self)

    def __mod__(self, other: Any) -> Any:
        return self._functions.binary("FloorMod", "mod", self, other)

    def __rmod__(self, other: Any) -> Any:
        return self._functions.binary("FloorMod", "mod", other, self)

    def __pow__(self, other: Any) -> Any:
        return self._functions.binary("Pow", "pow", self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._functions.binary("Pow", "pow", other, self)

    def __matmul__(self, other: Any) -> Any:
        return self._functions.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._functions.matmul(other, self)

    def __lt__(self, other: Any) -> Any:
        return self._functions.binary("Less", "Less", self, other)

    def __le__(self, other: Any) -> Any:
        return self._functions.binary("LessEqual", "LessEqual", self, other)

    def __gt__(self, other: Any) -> Any:
        return self._functions.binary("Greater", "Greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return self._functions.binary("GreaterEqual", "GreaterEqual", self, other)

    def __and__(self, other: Any) -> Any:
        return self._functions.binary("LogicalAnd", "and", self, other)

    def __rand__(self, other: Any) -> Any:
        return self._functions.binary("LogicalAnd", "and", other, self)

    def __or__(self, other: Any) -> Any:
        return self._functions.binary("LogicalOr", "or", self, other)

    def __ror__(self, other: Any) -> Any:
        return self._functions.binary("LogicalOr", "or", other, self)

    def __xor__(self, other: Any) -> Any:
        return self._functions.logical_xor(self, other)

    def __rxor__(self, other: Any) -> Any:
        return self._functions.logical_xor(other, self)

    def __invert__(self) -> Any:
        return self._functions.apply("LogicalNot", self)

    def __neg__(self) -> Any:
        return self._functions.apply("Neg", self)

    def __abs__(self) -> Any:
        return self._functions.absolute(self)

    def __getitem__(self, key: Any) -> Any:
        return self._functions.slice_helper(self, key)
