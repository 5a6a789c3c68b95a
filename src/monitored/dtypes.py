"""Data types."""

from __future__ import annotations

from monitored._graph.dtypes import DType as DType
from monitored._graph.dtypes import as_dtype as as_dtype
from monitored._graph.dtypes import bfloat16 as bfloat16
from monitored._graph.dtypes import bool_ as bool
from monitored._graph.dtypes import complex64 as complex64
from monitored._graph.dtypes import complex128 as complex128
from monitored._graph.dtypes import double as double
from monitored._graph.dtypes import float16 as float16
from monitored._graph.dtypes import float32 as float32
from monitored._graph.dtypes import float64 as float64
from monitored._graph.dtypes import half as half
from monitored._graph.dtypes import int8 as int8
from monitored._graph.dtypes import int16 as int16
from monitored._graph.dtypes import int32 as int32
from monitored._graph.dtypes import int64 as int64
from monitored._graph.dtypes import qint8 as qint8
from monitored._graph.dtypes import qint16 as qint16
from monitored._graph.dtypes import qint32 as qint32
from monitored._graph.dtypes import quint8 as quint8
from monitored._graph.dtypes import quint16 as quint16
from monitored._graph.dtypes import resource as resource
from monitored._graph.dtypes import string as string
from monitored._graph.dtypes import uint8 as uint8
from monitored._graph.dtypes import uint16 as uint16
from monitored._graph.dtypes import uint32 as uint32
from monitored._graph.dtypes import uint64 as uint64
from monitored._graph.dtypes import variant as variant

__all__ = [
    "DType",
    "as_dtype",
    "bfloat16",
    "bool",
    "complex64",
    "complex128",
    "double",
    "float16",
    "float32",
    "float64",
    "half",
    "int8",
    "int16",
    "int32",
    "int64",
    "qint8",
    "qint16",
    "qint32",
    "quint8",
    "quint16",
    "resource",
    "string",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "variant",
]
