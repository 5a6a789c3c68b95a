"""`tf.compat`: the same names under the paths that programs for several versions of TensorFlow use."""

from __future__ import annotations

import sys
from typing import Any


def as_bytes(bytes_or_text: str | bytes, encoding: str = "utf-8") -> bytes:
    """The value as bytes.

    Raises:
        TypeError: If it is neither text nor bytes.
    """
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


def as_text(bytes_or_text: str | bytes, encoding: str = "utf-8") -> str:
    """The value as text.

    Raises:
        TypeError: If it is neither text nor bytes.
    """
    return as_bytes(bytes_or_text, encoding).decode(encoding)


as_str = as_text


def __getattr__(name: str) -> Any:
    if name == "v1":  # the whole interface is version 1's
        return sys.modules["monitored"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["as_bytes", "as_str", "as_text", "v1"]  # noqa: F822  (`v1` is found by `__getattr__`)
