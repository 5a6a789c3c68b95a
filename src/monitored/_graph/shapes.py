"""Static shapes: `TensorShape` and `Dimension`, in which any dimension, or the rank, may be unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class Dimension:
    """One dimension of a `TensorShape`: a size, or unknown (``None``).

    Arithmetic with an unknown dimension is unknown; comparison of sizes where one is unknown gives None.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        if isinstance(value, Dimension):
            value = value.value
        if value is not None:
            value = value.__index__()
            if value < 0:
                raise ValueError(f"Dimension {value} must be >= 0")
        self._value: int | None = value

    @property
    def value(self) -> int | None:
        """The size, or None where unknown."""
        return self._value

    def is_compatible_with(self, other: Any) -> bool:
        """Whether both can be the same size: equal, or either is unknown."""
        other = as_dimension(other)
        return self._value is None or other._value is None or self._value == other._value

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raises ValueError unless `is_compatible_with(other)`."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {other} are not compatible")

    def merge_with(self, other: Any) -> Dimension:
        """The known one of two compatible dimensions.

        Raises:
            ValueError: If both are known and differ.
        """
        other = as_dimension(other)
        self.assert_is_compatible_with(other)
        return other if self._value is None else self

    def _combine(self, other: Any, operation: Any, swap: bool = False) -> Dimension:
        left, right = self._value, as_dimension(other)._value
        if left is None or right is None:
            return Dimension(None)
        return Dimension(operation(right, left) if swap else operation(left, right))

    def __add__(self, other: Any) -> Dimension:
        return self._combine(other, int.__add__)

    def __radd__(self, other: Any) -> Dimension:
        return self._combine(other, int.__add__, swap=True)

    def __sub__(self, other: Any) -> Dimension:
        return self._combine(other, int.__sub__)

    def __rsub__(self, other: Any) -> Dimension:
        return self._combine(other, int.__sub__, swap=True)

    def __mul__(self, other: Any) -> Dimension:
        return self._combine(other, int.__mul__)

    def __rmul__(self, other: Any) -> Dimension:
        return self._combine(other, int.__mul__, swap=True)

    def __floordiv__(self, other: Any) -> Dimension:
        return self._combine(other, int.__floordiv__)

    def __rfloordiv__(self, other: Any) -> Dimension:
        return self._combine(other, int.__floordiv__, swap=True)

    def __mod__(self, other: Any) -> Dimension:
        return self._combine(other, int.__mod__)

    def __rmod__(self, other: Any) -> Dimension:
        return self._combine(other, int.__mod__, swap=True)

    def _compare(self, other: Any, operation: Any) -> bool | None:
        left, right = self._value, as_dimension(other)._value
        return None if left is None or right is None else operation(left, right)

    def __lt__(self, other: Any) -> bool | None:
        return self._compare(other, int.__lt__)

    def __le__(self, other: Any) -> bool | None:
        return self._compare(other, int.__le__)

    def __gt__(self, other: Any) -> bool | None:
        return self._compare(other, int.__gt__)

    def __ge__(self, other: Any) -> bool | None:
        return self._compare(other, int.__ge__)

    def __eq__(self, other: object) -> Any:
        try:
            return self._compare(other, int.__eq__)
        except (TypeError, ValueError, AttributeError):
            return NotImplemented

    def __ne__(self, other: object) -> Any:
        try:
            return self._compare(other, int.__ne__)
        except (TypeError, ValueError, AttributeError):
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    def __int__(self) -> int:
        if self._value is None:
            raise TypeError("An unknown dimension has no size.")
        return self._value

    __index__ = __int__

    def __repr__(self) -> str:
        return f"Dimension({self._value})"

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)


def as_dimension(value: Any) -> Dimension:
    """Converts an int, None or `Dimension` to a `Dimension`."""
    return value if isinstance(value, Dimension) else Dimension(value)


class TensorShape:
    """The static shape of a tensor: fully known, partly known, or of unknown rank.

    Args:
        dims: An iterable of sizes (None where unknown), one size, another shape, or None for unknown rank.
    """

    __slots__ = ("_sizes",)

    def __init__(self, dims: Any) -> None:
        self._sizes: tuple[int | None, ...] | None
        if dims is None:
            self._sizes = None
        elif isinstance(dims, TensorShape):
            self._sizes = dims._sizes
        elif hasattr(dims, "unknown_rank") and hasattr(dims, "dim"):  # TensorShapeProto
            self._sizes = None if dims.unknown_rank else tuple(None if d.size == -1 else d.size for d in dims.dim)
        elif isinstance(dims, Iterable):
            self._sizes = tuple(_size(d) for d in dims)
        else:
            self._sizes = (_size(dims),)

    @property
    def dims(self) -> list[Dimension] | None:
        """The dimensions, or None when the rank is unknown."""
        return None if self._sizes is None else [Dimension(s) for s in self._sizes]

    @property
    def sizes(self) -> tuple[int | None, ...] | None:
        """The sizes as a tuple (None where unknown), or None when the rank is unknown."""
        return self._sizes

    @property
    def ndims(self) -> int | None:
        """The rank, or None when unknown."""
        return None if self._sizes is None else len(self._sizes)

    rank = ndims

    def __len__(self) -> int:
        if self._sizes is None:
            raise ValueError("Cannot take the length of Shape with unknown rank.")
        return len(self._sizes)

    def __bool__(self) -> bool:
        return self._sizes is not None

    def __iter__(self) -> Iterator[Dimension]:
        if self._sizes is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return (Dimension(s) for s in self._sizes)

    def __getitem__(self, key: Any) -> Any:
        if self._sizes is None:
            if not isinstance(key, slice):
                return Dimension(None)
            if key.stop is None or key.stop < 0 or (key.start or 0) < 0:
                return TensorShape(None)
            return TensorShape([None] * (key.stop - (key.start or 0)))
        return TensorShape(self._sizes[key]) if isinstance(key, slice) else Dimension(self._sizes[key])

    def num_elements(self) -> int | None:
        """The number of elements, or None unless fully defined."""
        if self._sizes is None or None in self._sizes:
            return None
        count = 1
        for size in self._sizes:
            count *= size  # type: ignore[operator]  # None was excluded above
        return count

    def is_fully_defined(self) -> bool:
        """Whether the rank and every dimension are known."""
        return self._sizes is not None and None not in self._sizes

    def assert_is_fully_defined(self) -> None:
        """Raises ValueError unless `is_fully_defined()`."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor could have both shapes."""
        mine, theirs = self._sizes, as_shape(other)._sizes
        if mine is None or theirs is None:
            return True
        return len(mine) == len(theirs) and all(
            a is None or b is None or a == b for a, b in zip(mine, theirs, strict=True)
        )

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raises ValueError unless `is_compatible_with(other)`."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {as_shape(other)} are incompatible")

    def assert_same_rank(self, other: Any) -> None:
        """Raises ValueError when both ranks are known and differ."""
        other = as_shape(other)
        if self.ndims is not None and other.ndims is not None and self.ndims != other.ndims:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def assert_has_rank(self, rank: int) -> None:
        """Raises ValueError when the rank is known and is not `rank`."""
        if self.ndims not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def with_rank(self, rank: int) -> TensorShape:
        """This shape with the given rank.

        Raises:
            ValueError: If the rank is known and differs.
        """
        self.assert_has_rank(rank)
        return unknown_shape(rank) if self._sizes is None else self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """This shape, checked to have at least the given rank.

        Raises:
            ValueError: If the rank is known and lower.
        """
        if self.ndims is not None and self.ndims < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """This shape, checked to have at most the given rank.

        Raises:
            ValueError: If the rank is known and higher.
        """
        if self.ndims is not None and self.ndims > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def merge_with(self, other: Any) -> TensorShape:
        """The most that is known from two compatible shapes.

        Raises:
            ValueError: If they contradict each other.
        """
        other = as_shape(other)
        self.assert_is_compatible_with(other)
        if self._sizes is None or other._sizes is None:
            return other if self._sizes is None else self
        return TensorShape([b if a is None else a for a, b in zip(self._sizes, other._sizes, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        """This shape followed by `other`."""
        other = as_shape(other)
        if self._sizes is None or other._sizes is None:
            return TensorShape(None)
        return TensorShape(self._sizes + other._sizes)

    def as_list(self) -> list[int | None]:
        """The sizes as a list, None where unknown.

        Raises:
            ValueError: If the rank is unknown.
        """
        if self._sizes is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self._sizes)

    def as_proto(self) -> Any:
        """The shape as a `TensorShapeProto`."""
        from tensorboard.compat.proto import tensor_shape_pb2

        if self._sizes is None:
            return tensor_shape_pb2.TensorShapeProto(unknown_rank=True)
        dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=-1 if s is None else s) for s in self._sizes]
        return tensor_shape_pb2.TensorShapeProto(dim=dims)

    def __eq__(self, other: object) -> bool:
        try:
            return self._sizes == as_shape(other)._sizes
        except (TypeError, ValueError):
            return False

    def __hash__(self) -> int:
        return hash(self._sizes)

    def __repr__(self) -> str:
        return f"TensorShape({None if self._sizes is None else self.dims})"

    def __str__(self) -> str:
        if self._sizes is None:
            return "<unknown>"
        sizes = ["?" if s is None else str(s) for s in self._sizes]
        return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorShape, (self._sizes,)


def _size(dimension: Any) -> int | None:
    return dimension if type(dimension) is int and dimension >= 0 else Dimension(dimension).value


def as_shape(shape: Any) -> TensorShape:
    """Converts anything that describes a shape to a `TensorShape`."""
    return shape if type(shape) is TensorShape else TensorShape(shape)


def unknown_shape(rank: int | None = None) -> TensorShape:
    """A shape of the given rank with every dimension unknown; of unknown rank when `rank` is None."""
    return TensorShape(None if rank is None else [None] * rank)


def broadcast_shape(left: TensorShape, right: TensorShape) -> TensorShape:
    """The shape of an elementwise operation on two operands (NumPy's broadcasting, unknowns kept).

    Raises:
        ValueError: If the shapes cannot be broadcast together.
    """
    a, b = left.sizes, right.sizes
    if a is None or b is None:
        return TensorShape(None)
    if a == b:
        return left
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    sizes: list[int | None] = []
    for m, n in zip(a, b, strict=True):
        if m == n or n == 1:
            sizes.append(m)
        elif m == 1:
            sizes.append(n)
        elif m is None or n is None:
            sizes.append(n if m is None else m)  # an unknown dimension must match the known one, which is not 1
        else:
            raise ValueError(f"Incompatible shapes for broadcasting: {left} and {right}")
    return TensorShape(sizes)
