"""Python functions as operations: `py_func` and `numpy_function`."""

from __future__ import annotations

import itertools
import threading
import traceback
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._graph.build import apply
from monitored._graph.dtypes import DType, as_dtype
from monitored._graph.graph import get_default_graph
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation

__all__ = ["numpy_function", "py_func"]

# What a graph's operations call must live as long as the graph, and no longer.
_COLLECTION: Final = ("py_func",)
_functions: weakref.WeakValueDictionary[str, _Function] = weakref.WeakValueDictionary()
_tokens = itertools.count()
_registering = threading.Lock()

# TensorFlow's class for each kind of Python error; `UnknownError` for all others.
_ERROR_CLASSES: Final = (
    (StopIteration, errors.OutOfRangeError),
    ((TypeError, ValueError), errors.InvalidArgumentError),
    (MemoryError, errors.ResourceExhaustedError),
    (NotImplementedError, errors.UnimplementedError),
)


class _Function:
    """A Python function under the token by which operations name it."""

    __slots__ = ("__weakref__", "call", "token")

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call
        with _registering:
            self.token = f"pyfunc_{next(_tokens)}"
            _functions[self.token] = self


def _call(context: Any, op: Operation, *values: Any) -> list[Any]:
    token = op._attrs["token"]
    function = _functions.get(token)
    if function is None:
        raise errors.UnknownError(
            None, op, f"KeyError: callback {token} is not found: Python functions are not part of a saved graph."
        )
    try:
        # Copies, which the function may change: what it gets may be a feed, a constant or a view of device memory.
        results = function.call(*[v.copy() if type(v) is np.ndarray and v.ndim else _item(v) for v in values])
    except Exception as error:
        raise _translated(op, error) from error
    if results is None:
        results = ()
    elif not isinstance(results, (list, tuple)):
        results = (results,)
    types = op._attrs["Tout"]
    if len(results) != len(types):
        raise errors.InvalidArgumentError(
            None, op, f"{token} returns {len(results)} values, but expects to see {len(types)} values."
        )
    return [_checked(op, token, index, result, dtype) for index, (result, dtype) in enumerate(zip(results, types))]  # noqa: B905


def _item(value: Any) -> Any:
    return value[()] if type(value) is np.ndarray else value


def _translated(op: Operation, error: Exception) -> errors.OpError:
    frames = error.__traceback__.tb_next if error.__traceback__ else None  # without the frame that called the function
    trace = "".join(traceback.format_exception(type(error), error, frames))
    message = f"{type(error).__name__}: {error}\n{trace}"
    for kinds, error_class in _ERROR_CLASSES:
        if isinstance(error, kinds):
            return error_class(None, op, message)
    return errors.UnknownError(None, op, message)


def _checked(op: Operation, token: str, index: int, result: Any, dtype: DType) -> Any:
    """One result as the array that the operation declares."""
    wanted = dtype.as_numpy_dtype
    if wanted is np.object_:
        array = _strings(op, result)
    else:
        array = np.asarray(result)
        if array.dtype != wanted:
            raise _wrong_type(op, token, index, result, array, dtype)
    declared = op._outputs[index]._shape._sizes
    if (
        declared is not None
        and declared != array.shape
        and not op._outputs[index]._shape.is_compatible_with(array.shape)
    ):
        raise errors.InvalidArgumentError(
            None,
            op,
            f"{index}-th value returned by {token} has shape {array.shape}, but {op._outputs[index].name} was declared "
            f"to have shape {op._outputs[index].shape}",
        )
    return array


def _strings(op: Operation, result: Any) -> Any:
    array = np.asarray(result, None if isinstance(result, np.ndarray) else object)
    strings = np.empty(array.shape, object)
    for position, item in enumerate(array.ravel()):
        if not isinstance(item, (str, bytes)):
            raise errors.InternalError(None, op, f"Unsupported object type {type(item).__name__}")
        strings.flat[position] = item.encode() if isinstance(item, str) else bytes(item)
    return strings


def _wrong_type(op: Operation, token: str, index: int, result: Any, array: Any, dtype: DType) -> errors.OpError:
    try:
        found = as_dtype(array.dtype)
    except TypeError:
        return errors.InternalError(None, op, f"Unsupported object type {type(result).__name__}")
    if array.dtype == object:
        return errors.InternalError(None, op, f"Unsupported object type {type(result).__name__}")
    # Python's numbers are 64 bits wide, which is what this message is about nine times out of ten.
    return errors.InvalidArgumentError(
        None,
        op,
        f"{index}-th value returned by {token} is {_type_name(found)}, but expects {_type_name(dtype)}. "
        f"Let the function return np.{np.dtype(dtype.as_numpy_dtype).name} values, or declare Tout as tf.{found.name}.",
    )


def _type_name(dtype: DType) -> str:
    return {"float32": "float", "float64": "double", "float16": "half"}.get(dtype.name, dtype.name)


define("PyFunc", "input:[Tin] -> output:[Tout]", host=_call, stateful=True, no_grad=True, token=REQUIRED)
define("PyFuncStateless", "input:[Tin] -> output:[Tout]", host=_call, no_grad=True, token=REQUIRED)


def py_func(
    func: Callable[..., Any], inp: Sequence[Any], Tout: Any, stateful: bool = True, name: str | None = None
) -> Any:
    """Wraps a Python function as an operation that is called when a session runs.

    The function gets its inputs as NumPy arrays of its own (scalars and bytes for rank 0) and runs on the host,
    in the thread of the run, outside of XLA. What it raises comes out of the run as `errors.OutOfRangeError`
    (StopIteration), `errors.InvalidArgumentError` (TypeError, ValueError), `errors.ResourceExhaustedError`
    (MemoryError), `errors.UnimplementedError` (NotImplementedError) or `errors.UnknownError`, with the function's
    own traceback in the message.

    Args:
        func: The function. It returns one value for each of `Tout`, of exactly that type.
        inp: The tensors whose values it is called with.
        Tout: The type of the result, or a list of types for several results.
        stateful: Whether the function has effects or may differ from call to call. One without, whose results
            nobody needs, is not called.
        name: A name for the operation.

    Returns:
        A tensor, or a list of them when `Tout` is a list; the operation when `Tout` is an empty list.

    Raises:
        ValueError: If `func` cannot be called.
        TypeError: If `inp` is no list.
    """
    if not callable(func):
        raise ValueError(f"Expected func to be callable, got func of type {type(func)}")
    if not isinstance(inp, (list, tuple)):
        raise TypeError(f"Expected list for 'input' argument to 'PyFunc' Op, not {inp}.")
    several = isinstance(Tout, (list, tuple))
    types = [as_dtype(t) for t in Tout] if several else [as_dtype(Tout)]
    function = _Function(func)
    get_default_graph().get_collection_ref(_COLLECTION).append(function)
    op_type = "PyFunc" if stateful else "PyFuncStateless"
    outputs = apply(op_type, inp, name=name or "PyFunc", Tout=types, token=function.token)
    if not types:
        op: Operation = get_default_graph()._operations[-1]
        return op
    return outputs if several else outputs[0]


def numpy_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None = None) -> Any:
    """Wraps a Python function as an operation; see `py_func`, of which this is the stateful form.

    Args:
        func: The function.
        inp: The tensors whose values it is called with.
        Tout: The type of the result, or a list of types.
        name: A name for the operation.

    Returns:
        A tensor, or a list of them when `Tout` is a list.
    """
    return py_func(func, inp, Tout, stateful=True, name=name)
