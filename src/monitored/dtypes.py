"""Data types."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._graph.dtypes import (
    DType, as_dtype, bfloat16, bool_ as bool, complex128, complex64, double, float16, float32, float64, half, int16,
    int32, int64, int8, qint16, qint32, qint8, quint16, quint8, resource, string, uint16, uint32, uint64, uint8,
    variant,
)

__all__ = [  # noqa: RUF022  (in alphabetical order)
    "DType", "as_dtype", "bfloat16", "bool", "complex128", "complex64", "double", "float16", "float32", "float64",
    "half", "int16", "int32", "int64", "int8", "qint16", "qint32", "qint8", "quint16", "quint8", "resource",
    "string", "uint16", "uint32", "uint64", "uint8", "variant",
]
# fmt: on
