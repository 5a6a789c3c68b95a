"""TensorFlow's data types: names, wire numbers (`types.proto`), NumPy equivalents and reference variants."""

from __future__ import annotations

from typing import Any, Final

import ml_dtypes
import numpy as np

_REF_OFFSET: Final = 100  # types.proto: DT_X_REF == DT_X + 100


class DType:
    """The type of the elements of a `Tensor`.

    Two DTypes are equal when they are the same type; anything `as_dtype` accepts (a NumPy type, a name)
    compares equal to its DType. A reference type (``float32_ref``, what a variable's tensor has) differs
    from its base type.
    """

    __slots__ = ("_enum", "_name", "_numpy")

    def __init__(self, name: str, enum: int, numpy_type: Any) -> None:
        self._name = name
        self._enum = enum
        self._numpy = numpy_type

    @property
    def name(self) -> str:
        """The name, such as ``'float32'``."""
        return self._name

    @property
    def as_datatype_enum(self) -> int:
        """The number of the type in `types.proto`."""
        return self._enum

    @property
    def as_numpy_dtype(self) -> Any:
        """The NumPy scalar type, such as `numpy.float32` (`numpy.object_` for strings)."""
        return self._numpy

    @property
    def _is_ref_dtype(self) -> bool:
        return self._enum > _REF_OFFSET

    @property
    def base_dtype(self) -> DType:
        """The type without its reference mark."""
        return _BY_ENUM[self._enum - _REF_OFFSET] if self._is_ref_dtype else self

    @property
    def _as_ref(self) -> DType:
        return self if self._is_ref_dtype else _BY_ENUM[self._enum + _REF_OFFSET]

    @property
    def real_dtype(self) -> DType:
        """The type of the real part: float32 for complex64, float64 for complex128, else the type itself."""
        return {"complex64": float32, "complex128": float64}.get(self.base_dtype.name, self)

    @property
    def is_floating(self) -> bool:
        """Whether this is a (real) floating point type."""
        return self.base_dtype.name in _FLOATING

    @property
    def is_integer(self) -> bool:
        """Whether this is an integer type that is not quantized."""
        return self.base_dtype.name in _INTEGER

    @property
    def is_complex(self) -> bool:
        """Whether this is a complex floating point type."""
        return self.base_dtype.name in ("complex64", "complex128")

    @property
    def is_bool(self) -> bool:
        """Whether this is the boolean type."""
        return self.base_dtype.name == "bool"

    @property
    def is_quantized(self) -> bool:
        """Whether this is a quantized type."""
        return self.base_dtype.name.lstrip("qu").startswith("int") and self.name.startswith("q")

    @property
    def is_unsigned(self) -> bool:
        """Whether this is an unsigned integer type."""
        return self.base_dtype.name.startswith("uint")

    @property
    def is_numpy_compatible(self) -> bool:
        """Whether values of this type can be NumPy arrays."""
        return self.base_dtype.name not in ("resource", "variant")

    @property
    def min(self) -> Any:
        """The least representable value.

        Raises:
            TypeError: For a type that has no least value (strings, complex numbers).
        """
        return self._limits("min")

    @property
    def max(self) -> Any:
        """The greatest representable value.

        Raises:
            TypeError: For a type that has no greatest value (strings, complex numbers).
        """
        return self._limits("max")

    @property
    def limits(self) -> tuple[int, int]:
        """The range in which image values of this type lie: 0 to 1 for floating types."""
        return (0, 1) if self.is_floating else (self.min, self.max)

    @property
    def size(self) -> int:
        """Bytes per element."""
        return 1 if self._numpy is np.object_ else np.dtype(self._numpy).itemsize

    def _limits(self, end: str) -> Any:
        if self.is_bool:
            return end == "max"
        if self.is_floating:
            limits: Any = ml_dtypes.finfo
            return getattr(limits(self._numpy), end)
        if self.is_integer:
            return getattr(np.iinfo(self._numpy), end)
        raise TypeError(f"{self!r} has no {end}imum.")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a value of type `other` can be used where this type is wanted (reference marks aside)."""
        other = as_dtype(other)
        return self._enum in (other._enum, other.base_dtype._enum)

    def __eq__(self, other: object) -> bool:
        if type(other) is DType:
            return self._enum == other._enum
        try:
            return self._enum == as_dtype(other)._enum
        except TypeError:
            return False

    def __hash__(self) -> int:
        return self._enum

    def __int__(self) -> int:
        return self._enum

    def __repr__(self) -> str:
        return f"tf.{self._name}"

    def __str__(self) -> str:
        return f"<dtype: {self._name!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self._name,)


_FLOATING: Final = frozenset({"float16", "bfloat16", "float32", "float64"})
_INTEGER: Final = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})

float32: Final = DType("float32", 1, np.float32)
float64: Final = DType("float64", 2, np.float64)
int32: Final = DType("int32", 3, np.int32)
uint8: Final = DType("uint8", 4, np.uint8)
int16: Final = DType("int16", 5, np.int16)
int8: Final = DType("int8", 6, np.int8)
string: Final = DType("string", 7, np.object_)
complex64: Final = DType("complex64", 8, np.complex64)
int64: Final = DType("int64", 9, np.int64)
bool_: Final = DType("bool", 10, np.bool_)
qint8: Final = DType("qint8", 11, np.int8)
quint8: Final = DType("quint8", 12, np.uint8)
qint32: Final = DType("qint32", 13, np.int32)
bfloat16: Final = DType("bfloat16", 14, ml_dtypes.bfloat16)
qint16: Final = DType("qint16", 15, np.int16)
quint16: Final = DType("quint16", 16, np.uint16)
uint16: Final = DType("uint16", 17, np.uint16)
complex128: Final = DType("complex128", 18, np.complex128)
float16: Final = DType("float16", 19, np.float16)
resource: Final = DType("resource", 20, np.object_)
variant: Final = DType("variant", 21, np.object_)
uint32: Final = DType("uint32", 22, np.uint32)
uint64: Final = DType("uint64", 23, np.uint64)
half: Final = float16
double: Final = float64

_BASE: Final = (
    float32, float64, int32, uint8, int16, int8, string, complex64, int64, bool_, qint8, quint8, qint32,
    bfloat16, qint16, quint16, uint16, complex128, float16, resource, variant, uint32, uint64,
)  # fmt: skip
_REFS: Final = tuple(DType(f"{t.name}_ref", t.as_datatype_enum + _REF_OFFSET, t.as_numpy_dtype) for t in _BASE)
_BY_ENUM: Final = {t.as_datatype_enum: t for t in _BASE + _REFS}
_BY_NAME: Final = {t.name: t for t in _BASE + _REFS} | {"half": float16, "float": float32, "double": float64}
# Quantized types share NumPy's integers, and a plain integer is what a NumPy value means.
_BY_NUMPY: Final = {np.dtype(t.as_numpy_dtype): t for t in reversed(_BASE) if t not in (resource, variant)} | {
    np.dtype(t.as_numpy_dtype): t for t in (int8, uint8, int16, uint16, int32)
}
_BY_PYTHON: Final = {float: float32, int: int32, str: string, bytes: string, complex: complex128}


def as_dtype(type_value: Any) -> DType:
    """Converts a name, a NumPy type, a wire number or a Python type to a `DType`.

    Args:
        type_value: A `DType`, a string such as ``'float32'``, a NumPy type, a `types.proto` number, or one of
            Python's ``float`` (float32), ``int`` (int32), ``bool``, ``str``, ``complex``.

    Returns:
        The DType.

    Raises:
        TypeError: If `type_value` names no type.
    """
    if type(type_value) is DType:
        return type_value
    found: DType | None = None
    if isinstance(type_value, int):
        found = _BY_ENUM.get(type_value)
    elif isinstance(type_value, str):
        found = _BY_NAME.get(type_value)
    elif isinstance(type_value, type) and type_value in _BY_PYTHON:
        found = _BY_PYTHON[type_value]
    if found is None and not isinstance(type_value, (int, str)) and type_value is not None:
        try:
            numpy_type = np.dtype(type_value)
        except TypeError:
            pass
        else:
            found = string if numpy_type.kind in "SU" else _BY_NUMPY.get(numpy_type)
    if found is None:
        raise TypeError(f"Cannot convert value {type_value!r} to a TensorFlow DType.")
    return found
