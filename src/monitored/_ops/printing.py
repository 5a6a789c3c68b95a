"""Operations that write values out when they run: `Print`, `print_v2` (TensorFlow's `tf.print`) and `Assert`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._graph import dtypes, infer
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._ops.rules import scope
from monitored._ops.value_text import leading_values, outer_values

__all__ = ["Assert", "Print", "print_v2"]

_writing = threading.Lock()  # lines of different threads must not mix


# -- Print ----------------------------------------------------------------------------------------------------


class _Count:
    """How often a `Print` has run in a session."""

    def __init__(self) -> None:
        self.runs = 0


def _print(context: Any, op: Operation, value: Any, *data: Any) -> tuple[Any]:
    first_n = op._attrs["first_n"]
    if first_n > 0:
        with _writing:
            count = context.resource(op, _Count)
            count.runs += 1
            if count.runs > first_n:
                return (value,)
    text = "".join(leading_values(item, op._attrs["summarize"]) for item in data)
    _write(sys.stderr, f"{op._attrs['message']}{text}\n")
    return (value,)


def _write(stream: Any, text: str) -> None:
    with _writing:
        stream.write(text)
        stream.flush()


define(
    "Print", "input:T data:[U] -> output:T", host=_print, infer=infer.unchanged, stateful=True,
    grad=lambda op, gradient: [gradient] + [None] * (len(op.inputs) - 1),
    message="", first_n=-1, summarize=3,
)  # fmt: skip


def Print(
    input_: Any,
    data: Sequence[Any],
    message: str | None = None,
    first_n: int | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Passes a tensor on, and writes values to the standard error when it does.

    Args:
        input_: The tensor.
        data: The tensors whose values to write.
        message: A text before them.
        first_n: Write only that many times in a session; always by default.
        summarize: Write only that many elements of each; 3 by default, all when negative.
        name: A name for the operation.

    Returns:
        A tensor like `input_`.
    """
    values = [convert_to_tensor(item) for item in data]
    result: Tensor = apply(
        "Print", input_, values, name=name, message=message or "", first_n=-1 if first_n is None else first_n,
        summarize=3 if summarize is None else summarize,
    )  # fmt: skip
    return result


# -- print ----------------------------------------------------------------------------------------------------


def _format(context: Any, op: Operation, *values: Any) -> tuple[bytes]:
    pieces = op._attrs["template"].split(op._attrs["placeholder"])
    parts = [pieces[0]]
    for value, piece in zip(values, pieces[1:], strict=True):
        parts += (outer_values(value, op._attrs["summarize"]), piece)
    return ("".join(parts).encode(),)


def _print_line(context: Any, op: Operation, line: Any) -> tuple[()]:
    text = (line if isinstance(line, bytes) else line[()]).decode(errors="backslashreplace") + op._attrs["end"]
    stream = op._attrs["output_stream"]
    if stream.startswith("file://"):
        with _writing, open(stream.removeprefix("file://"), "a", encoding="utf-8") as file:
            file.write(text)
    else:
        _write(sys.stdout if stream == "stdout" else sys.stderr, text)
    return ()


define(
    "StringFormat", "inputs:[T] -> output:string", host=_format, infer=infer.scalar,
    template="%s", placeholder="%s", summarize=3,
)  # fmt: skip
define("PrintV2", "input:string ->", host=_print_line, stateful=True, output_stream="stderr", end="\n")

_PLACEHOLDER: Final = "{}"


def print_v2(*inputs: Any, **kwargs: Any) -> Operation:
    """Writes tensors, values and structures of them in a line, as Python's ``print`` does.

    Args:
        inputs: What to write: tensors, Python values, lists and dictionaries of them.
        kwargs: ``output_stream`` (`sys.stderr` by default, `sys.stdout`, or ``'file://' + path`` to append to a
            file), ``summarize`` (the number of elements at each end of a dimension, 3 by default, all when -1),
            ``sep``, ``end`` and ``name``.

    Returns:
        The operation that writes; nothing is written before a session runs it.

    Raises:
        ValueError: If a keyword or the stream is unknown.
    """
    given: dict[str, Any] = {"output_stream": sys.stderr, "summarize": 3, "sep": " ", "end": "\n", "name": None}
    unknown = [key for key in kwargs if key not in given]
    if unknown:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {unknown}")
    given.update(kwargs)
    stream = _stream_name(given["output_stream"])
    end, name = str(given["end"]), given["name"]
    only = inputs[0] if len(inputs) == 1 else None
    if isinstance(only, Tensor) and only.dtype == dtypes.string and only.shape.ndims == 0:
        line = only
    else:
        tensors: list[Tensor] = []
        template = str(given["sep"]).join(
            item if isinstance(item, str) else _template(item, tensors.append) for item in inputs
        )
        line = apply(
            "StringFormat", tensors, template=template, placeholder=_PLACEHOLDER, summarize=int(given["summarize"])
        )  # fmt: skip
    op: Operation = apply("PrintV2", line, name=name, output_stream=stream, end=end)
    return op


def _stream_name(stream: Any) -> str:
    if stream is sys.stderr or stream is sys.__stderr__ or stream == "stderr":
        return "stderr"
    if stream is sys.stdout or stream is sys.__stdout__ or stream == "stdout":
        return "stdout"
    if isinstance(stream, str) and stream.startswith("file://"):
        return stream
    raise ValueError(f"Unknown output stream, logging level, or file: {stream!r}. Use sys.stdout or sys.stderr.")


def _template(item: Any, found: Callable[[Tensor], None]) -> str:
    """The text of a structure with a placeholder for each tensor, which `found` receives."""
    if hasattr(item, "_as_tensor"):
        item = item._as_tensor(None)
    if isinstance(item, Tensor):
        found(item)
        return _PLACEHOLDER
    if isinstance(item, Mapping):
        return "{" + ", ".join(f"{key!r}: {_template(item[key], found)}" for key in sorted(item)) + "}"
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        fields = (f"{field}={_template(getattr(item, field), found)}" for field in item._fields)
        return f"{type(item).__name__}({', '.join(fields)})"
    if isinstance(item, (list, tuple)):
        inner = ", ".join(_template(part, found) for part in item)
        if isinstance(item, list):
            return f"[{inner}]"
        return f"({inner},)" if len(item) == 1 else f"({inner})"
    return repr(item)


# -- Assert ---------------------------------------------------------------------------------------------------


def _assert(context: Any, op: Operation, condition: Any, *data: Any) -> tuple[()]:
    if np.ndim(condition):
        raise errors.InvalidArgumentError(None, op, f"condition must be a scalar, but its shape is {condition.shape}")
    if not condition:
        text = " ".join(leading_values(item, op._attrs["summarize"]) for item in data)
        raise errors.InvalidArgumentError(None, op, f"assertion failed: {text}")
    return ()


define("Assert", "condition:bool data:[T] ->", host=_assert, stateful=True, summarize=3)


def Assert(condition: Any, data: Sequence[Any], summarize: int | None = None, name: str | None = None) -> Operation:
    """Checks a condition when a session runs it.

    Use it as a control dependency of what must not run otherwise.

    Args:
        condition: A boolean scalar tensor.
        data: Tensors whose values the message shows when the condition is false.
        summarize: How many elements of each to show; 3 by default, all when negative.
        name: A name for the operation.

    Returns:
        The operation. Running it raises `errors.InvalidArgumentError` when the condition is false.

    Raises:
        TypeError: If `condition` is no boolean, or `data` no list.
    """
    if not isinstance(data, (list, tuple)):
        raise TypeError("values must be a sequence.")
    with scope(name, "Assert", condition, *data) as full:
        tensors = [convert_to_tensor(item, name=f"data_{index}") for index, item in enumerate(data)]
        plain = all(tensor.dtype.base_dtype in (dtypes.string, dtypes.int32) for tensor in tensors)
        # TensorFlow guards other data by a condition, and its messages name the op within.
        inner = f"{full}Assert/" if plain else f"{full}AssertGuard/Assert/"
        summarize = 3 if summarize is None else summarize
        op: Operation = apply("Assert", condition, tensors, name=inner, summarize=summarize)
        return op
