"""Assertions about tensors: settled while the graph is built where the values are known, and otherwise when it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from monitored import errors
from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import DType, as_dtype
from monitored._graph.graph import get_default_graph
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops.printing import Assert
from monitored._ops.rules import scope

__all__ = [
    "assert_equal", "assert_greater", "assert_greater_equal", "assert_integer", "assert_less", "assert_less_equal",
    "assert_near", "assert_negative", "assert_non_negative", "assert_non_positive", "assert_none_equal",
    "assert_positive", "assert_proper_iterable", "assert_rank", "assert_rank_at_least", "assert_rank_in",
    "assert_same_float_dtype", "assert_scalar", "assert_type", "ensure_shape", "is_numeric_tensor",
]  # fmt: skip


def _all(condition: Tensor) -> Tensor:
    rank = condition.shape.ndims
    if rank is None:
        axes: Any = apply("Range", 0, apply("Rank", condition), 1)
    else:
        axes = np.arange(rank, dtype=np.int32)
    result: Tensor = apply("All", condition, axes)
    return result


def _fail_or_pass(message: str | None, lines: Sequence[str], holds: bool) -> Operation:
    """What a statically known condition comes to."""
    if not holds:
        head = [] if message is None else [message]
        raise errors.InvalidArgumentError(None, None, "\n".join([*head, *lines]))
    op: Operation = apply("NoOp", name="static_checks_determined_all_ok")
    return op


def _compare(
    kind: str, op_type: str, symbol: str, holds: Callable[[Any, Any], Any], x: Any, y: Any, data: Any,
    summarize: int | None, message: str | None, name: str | None,
) -> Operation:  # fmt: skip
    with scope(name, kind, x, y):
        x, y = convert_to_tensor(x, name="x"), convert_to_tensor(y, name="y")
        condition = apply(op_type, x, y)
        text = f"Condition x {symbol} y did not hold element-wise:"
        names = (f"x ({x.name}) = ", f"y ({y.name}) = ")
        data = [text, names[0], x, names[1], y] if data is None else list(data)
        if message is not None:
            data = [message, *data]
        known_x, known_y = constant_value(x), constant_value(y)
        if known_x is not None and known_y is not None:
            lines = [text, names[0], str(known_x), names[1], str(known_y)]
            return _fail_or_pass(message, lines, bool(np.all(holds(known_x, known_y))))
        return Assert(_all(condition), data, summarize=summarize)


def _against_zero(
    kind: str, op_type: str, symbol: str, x: Any, swapped: bool, data: Any, summarize: int | None,
    message: str | None, name: str | None,
) -> Operation:  # fmt: skip
    message = message or ""
    with scope(name, kind, x):
        x = convert_to_tensor(x, name="x")
        text, shown = f"Condition x {symbol} 0 did not hold element-wise:", f"x ({x.name}) = "
        zero = convert_to_tensor(np.zeros((), x.dtype.as_numpy_dtype), name="Const")
        if data is None:
            data = [message, text, shown, x]
        known = constant_value(x)
        if known is not None:
            compare = np.less if op_type == "Less" else np.less_equal
            holds = compare(0, known) if swapped else compare(known, 0)
            return _fail_or_pass(message, [text, shown, str(known)], bool(np.all(holds)))
        with scope(None, "assert_less" if op_type == "Less" else "assert_less_equal"):
            condition = apply(op_type, zero, x) if swapped else apply(op_type, x, zero)
            return Assert(_all(condition), data, summarize=summarize)


def assert_equal(
    x: Any, y: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x == y`` everywhere.

    Args:
        x: A tensor.
        y: A tensor of the same type, whose shape broadcasts with that of `x`.
        data: Tensors to show when it does not hold; by default a text, `x` and `y`.
        summarize: How many elements of each to show; 3 by default.
        message: A text before them.
        name: A name for the operation.

    Returns:
        The operation that checks it, for use as a control dependency.

    Raises:
        InvalidArgumentError: If the values are known already and it does not hold.
    """
    get_default_graph().unique_name(name or "assert_equal")  # so TensorFlow's scope has a number from the first on
    return _compare("assert_equal", "Equal", "==", np.equal, x, y, data, summarize, message, name)


def assert_none_equal(
    x: Any, y: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x != y`` everywhere; see `assert_equal` for the arguments."""
    return _compare("assert_none_equal", "NotEqual", "!=", np.not_equal, x, y, data, summarize, message, name)


def assert_less(
    x: Any, y: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x < y`` everywhere; see `assert_equal` for the arguments."""
    return _compare("assert_less", "Less", "<", np.less, x, y, data, summarize, message, name)


def assert_less_equal(
    x: Any, y: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x <= y`` everywhere; see `assert_equal` for the arguments."""
    return _compare("assert_less_equal", "LessEqual", "<=", np.less_equal, x, y, data, summarize, message, name)


def assert_greater(
    x: Any, y: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x > y`` everywhere; see `assert_equal` for the arguments."""
    return _compare("assert_greater", "Greater", ">", np.greater, x, y, data, summarize, message, name)


def assert_greater_equal(
    x: Any, y: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x >= y`` everywhere; see `assert_equal` for the arguments."""
    return _compare(
        "assert_greater_equal", "GreaterEqual", ">=", np.greater_equal, x, y, data, summarize, message, name
    )


def assert_positive(
    x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x > 0`` everywhere; see `assert_equal` for the arguments."""
    return _against_zero("assert_positive", "Less", ">", x, True, data, summarize, message, name)


def assert_non_negative(
    x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x >= 0`` everywhere; see `assert_equal` for the arguments."""
    return _against_zero("assert_non_negative", "LessEqual", ">=", x, True, data, summarize, message, name)


def assert_negative(
    x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x < 0`` everywhere; see `assert_equal` for the arguments."""
    return _against_zero("assert_negative", "Less", "<", x, False, data, summarize, message, name)


def assert_non_positive(
    x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks that ``x <= 0`` everywhere; see `assert_equal` for the arguments."""
    return _against_zero("assert_non_positive", "LessEqual", "<=", x, False, data, summarize, message, name)


def assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, data: Any = None, summarize: int | None = None,
    message: str | None = None, name: str | None = None,
) -> Operation:  # fmt: skip
    """Checks that ``|x - y| <= atol + rtol * |y|`` everywhere.

    Args:
        x: A floating point tensor.
        y: A tensor of the same type, whose shape broadcasts with that of `x`.
        rtol: The relative tolerance; 10 times the type's resolution by default.
        atol: The absolute tolerance; 10 times the type's resolution by default.
        data: Tensors to show when it does not hold; by default a text, `x` and `y`.
        summarize: How many elements of each to show; 3 by default.
        message: A text before them.
        name: A name for the operation.

    Returns:
        The operation that checks it.
    """
    with scope(name, "assert_near", x, y):
        x, y = convert_to_tensor(x, name="x"), convert_to_tensor(y, dtype=None, name="y")
        numpy_type = x.dtype.real_dtype.as_numpy_dtype
        default = 10 * np.finfo(numpy_type).eps if np.dtype(numpy_type).kind == "f" else 10 * 2.0**-7
        rtol = convert_to_tensor(default if rtol is None else rtol, x.dtype.real_dtype, name="rtol")
        atol = convert_to_tensor(default if atol is None else atol, x.dtype.real_dtype, name="atol")
        if data is None:
            text = f"x and y not equal to tolerance rtol = {rtol}, atol = {atol}"
            data = [message or "", text, f"x ({x.name}) = ", x, f"y ({y.name}) = ", y]
        apart = apply("Abs", apply("Sub", x, y, name="sub"))
        allowed = apply("AddV2", atol, apply("Mul", rtol, apply("Abs", y), name="mul"), name="add")
        return Assert(_all(apply("LessEqual", apart, allowed)), data, summarize=summarize)


def _rank_check(
    kind: str, phrase: str, x: Any, ranks: Sequence[Any], fits: Callable[[int, Sequence[int]], bool],
    condition: Callable[[Tensor, Sequence[Tensor]], Tensor], shown: Callable[[Sequence[Any]], Any], data: Any,
    summarize: int | None, message: str | None, name: str | None,
) -> Operation:  # fmt: skip
    message = message or ""
    with scope(name, kind, x):
        x = convert_to_tensor(x, name="x")
        wanted = [convert_to_tensor(rank, name="rank") for rank in ranks]
        for rank in wanted:
            assert_type(rank, dtypes.int32)
            if rank.shape.ndims not in (0, None):
                raise ValueError("Rank must be a scalar.")
        known = [constant_value(rank) for rank in wanted]
        if x.shape.ndims is not None and all(rank is not None for rank in known):
            values = [int(rank) for rank in known if rank is not None]
            if not fits(x.shape.ndims, values):
                raise ValueError(
                    f"{message}.  Tensor {x.name} must have rank {phrase}{shown(values)}.  "
                    f"Received rank {x.shape.ndims}, shape {x.shape}"
                )
            op: Operation = apply("NoOp", name="static_checks_determined_all_ok")
            return op
        if data is None:
            text = f"Tensor {x.name} must have rank {phrase}".rstrip()
            data = [message, text, *wanted, "Received shape: ", apply("Shape", x, out_type=dtypes.int32)]
        with get_default_graph().control_dependencies(
            [_assert_is_scalar(rank) for rank in wanted if rank.shape.ndims is None]
        ):
            return Assert(condition(apply("Rank", x), wanted), data, summarize=summarize)


def _assert_is_scalar(rank: Tensor) -> Operation:
    text = "Rank must be a scalar. Received rank: "
    return Assert(apply("Equal", apply("Rank", rank), 0), [text, rank], name="assert_rank/Assert")


def assert_rank(
    x: Any, rank: Any, data: Any = None, summarize: int | None = None, message: str | None = None,
    name: str | None = None,
) -> Operation:  # fmt: skip
    """Checks the number of dimensions.

    Args:
        x: A tensor.
        rank: The rank that it must have, an int32 scalar.
        data: Tensors to show when it does not hold; by default a text and the shape.
        summarize: How many elements of each to show; 3 by default.
        message: A text before them.
        name: A name for the operation.

    Returns:
        The operation that checks it; one that does nothing when the ranks are known.

    Raises:
        ValueError: If the ranks are known and differ.
        TypeError: If `rank` is not an int32.
    """
    return _rank_check(
        "assert_rank", "", x, [rank], lambda n, ranks: n == ranks[0],
        lambda n, ranks: apply("Equal", n, ranks[0]), lambda ranks: ranks[0], data, summarize, message, name,
    )  # fmt: skip


def assert_rank_at_least(
    x: Any, rank: Any, data: Any = None, summarize: int | None = None, message: str | None = None,
    name: str | None = None,
) -> Operation:  # fmt: skip
    """Checks that a tensor has `rank` dimensions or more; see `assert_rank` for the arguments."""
    return _rank_check(
        "assert_rank_at_least", "at least ", x, [rank], lambda n, ranks: n >= ranks[0],
        lambda n, ranks: apply("GreaterEqual", n, ranks[0]), lambda ranks: ranks[0], data, summarize, message, name,
    )  # fmt: skip


def assert_rank_in(
    x: Any, ranks: Sequence[Any], data: Any = None, summarize: int | None = None, message: str | None = None,
    name: str | None = None,
) -> Operation:  # fmt: skip
    """Checks that a tensor's number of dimensions is one of `ranks`; see `assert_rank` for the arguments."""

    def any_of(n: Tensor, wanted: Sequence[Tensor]) -> Tensor:
        result: Tensor = apply("Equal", n, wanted[0])
        for rank in wanted[1:]:
            result = apply("LogicalOr", result, apply("Equal", n, rank))
        return result

    return _rank_check(
        "assert_rank_in", "in ", x, ranks, lambda n, known: n in known, any_of, tuple, data, summarize, message, name,
    )  # fmt: skip


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> Operation:
    """Checks, while the graph is built, that a tensor holds integers.

    Args:
        x: A tensor.
        message: A text before the error's.
        name: A name for the operation.

    Returns:
        An operation that does nothing.

    Raises:
        TypeError: If it holds something else.
    """
    with scope(name, "assert_integer", x):
        x = convert_to_tensor(x, name="x")
        if not x.dtype.is_integer:
            raise TypeError(f'{message or ""}  Expected "x" to be integer type.  Found: {x.name} of dtype {x.dtype}')
        op: Operation = apply("NoOp", name="statically_determined_was_integer")
        return op


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> Operation:
    """Checks a tensor's type while the graph is built.

    Args:
        tensor: A tensor.
        tf_type: The type that it must have.
        message: A text before the error's.
        name: A name for the operation.

    Returns:
        An operation that does nothing.

    Raises:
        TypeError: If it has another.
    """
    with scope(name, "assert_type", tensor):
        tensor = convert_to_tensor(tensor, name="tensor")
        if tensor.dtype.base_dtype != as_dtype(tf_type):
            raise TypeError(f"{message or ''}  {tensor.name} must be of type {as_dtype(tf_type)}")
        op: Operation = apply("NoOp", name="statically_determined_correct_type")
        return op


def assert_scalar(tensor: Any, name: str | None = None, message: str | None = None) -> Tensor:
    """Checks, while the graph is built, that a tensor is a scalar.

    Args:
        tensor: A tensor.
        name: A name for its conversion.
        message: A text before the error's.

    Returns:
        The tensor.

    Raises:
        ValueError: If it is not one, or that is not known.
    """
    with scope(name, "assert_scalar", tensor) as full:
        tensor = convert_to_tensor(tensor, name=full)
        if tensor.shape.ndims != 0:
            raise ValueError(f"{message or ''}Expected scalar shape for {tensor.name}, saw shape: {tensor.shape}.")
        result: Tensor = tensor
        return result


def assert_same_float_dtype(tensors: Sequence[Tensor] | None = None, dtype: Any = None) -> DType:
    """Checks that tensors have one floating point type.

    Args:
        tensors: The tensors.
        dtype: The type that they must have; that of the first by default.

    Returns:
        The type; float32 when nothing is given.

    Raises:
        ValueError: If the types differ, or are no floating point types.
    """
    expected = None if dtype is None else as_dtype(dtype)
    first: Tensor | None = None
    for tensor in tensors or ():
        if expected is None:
            expected, first = tensor.dtype.base_dtype, tensor
        elif tensor.dtype.base_dtype != expected:
            against = "" if first is None else f" as {first.name}"
            raise ValueError(
                f"{tensor.name}, type={tensor.dtype.base_dtype}, must be of the same type ({expected}){against}."
            )
    expected = dtypes.float32 if expected is None else expected
    if not expected.is_floating:
        raise ValueError(f"Expected floating point type, got {expected}.")
    return expected


def assert_proper_iterable(values: Any) -> None:
    """Checks that a value is a list, tuple or the like: something to go through, but no tensor, array or text.

    Args:
        values: The value.

    Raises:
        TypeError: If it is not.
    """
    if isinstance(values, (Tensor, np.ndarray, bytes, str)):
        raise TypeError(f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}')
    if not isinstance(values, Iterable):
        raise TypeError(f'Expected argument "values" to be iterable.  Found: {type(values)}')


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether something is a tensor of numbers.

    Args:
        tensor: Anything.

    Returns:
        True for tensors of integers, floating point and complex numbers.
    """
    if not isinstance(tensor, Tensor):
        return False
    dtype = tensor.dtype
    return dtype.is_floating or dtype.is_integer or dtype.is_complex


def _ensured(op: Operation) -> TensorShape:
    try:
        return op.inputs[0].shape.merge_with(op._attrs["shape"])
    except ValueError:
        raise ValueError(
            f"Shapes must be equal, but are {op._attrs['shape']} and {op.inputs[0].shape} for '{op.name}' "
            "(op: 'EnsureShape')."
        ) from None


def _ensure(x: Any, *, shape: TensorShape) -> Any:
    # Shapes are known when XLA compiles, so this costs nothing when it runs.
    if not shape.is_compatible_with(TensorShape(x.shape)):
        raise errors.InvalidArgumentError(
            None, None, f"Shape of tensor {list(x.shape)} is not compatible with expected shape {shape}."
        )
    return x


define("EnsureShape", "input:T -> output:T", _ensure, infer=_ensured, shape=REQUIRED)


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """Passes a tensor on, its static shape completed by `shape`, which is checked when it runs.

    Args:
        x: A tensor.
        shape: The shape that it must have; None for sizes that may vary.
        name: A name for the operation.

    Returns:
        A tensor like `x`.

    Raises:
        ValueError: If the shapes contradict each other already.
    """
    result: Tensor = apply("EnsureShape", x, name=name, shape=as_shape(shape))
    return result
