"""`case` and `switch_case`: one of several functions' operations, by the values of tensors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from monitored._graph import build, dtypes
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Tensor
from monitored._ops.control_flow import cond
from monitored._ops.printing import Assert

__all__ = ["case", "switch_case"]

Pair = tuple[Tensor, Callable[[], Any]]


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """Runs the first of several functions' operations whose predicate is true.

    Args:
        pred_fn_pairs: A list of pairs, or a dict, of scalar boolean tensors and functions without arguments that make
            tensors, all of the same structure and types.
        default: What to run when no predicate is true; without it that is an error.
        exclusive: Whether it is an error when more than one predicate is true. A dict that has no order should have it.
        strict: Whether a list of one stays a list.
        name: A name scope.

    Returns:
        What the function that was run gave, as tensors.

    Raises:
        TypeError: If `pred_fn_pairs` or what it holds is of another kind, or `default` is no function.
        ValueError: If the functions give different structures.
    """
    pairs = _checked(pred_fn_pairs)
    if default is not None and not callable(default):
        raise TypeError("default must be callable.")
    graph = get_default_graph()
    with graph.name_scope(name):
        predicates = [build.convert_to_tensor(p) for p, _ in pairs]
        functions = [fn for _, fn in pairs]
        checks = []
        # The checks stand outside of the branches, so that these stay on the device.
        if exclusive and len(pairs) > 1:
            checks.append(_at_most_one(predicates))
        if default is None:
            checks.append(_at_least_one(predicates))
            default = functions.pop()
        result = default
        for predicate, function in reversed(list(zip(predicates, functions, strict=False))):
            result = _either(predicate, function, result, strict)
        if not checks:
            return result()
        with graph.control_dependencies(checks):
            return result() if functions else cond(predicates[-1], default, default, strict=strict)


def _either(
    predicate: Tensor, function: Callable[[], Any], otherwise: Callable[[], Any], strict: bool
) -> Callable[[], Any]:
    return lambda: cond(predicate, function, otherwise, strict=strict)


def _checked(pairs: Any) -> list[Pair]:
    if isinstance(pairs, dict):
        found = list(pairs.items())
        if not isinstance(pairs, OrderedDict):  # TensorFlow's order where Python's dicts had none
            found.sort(key=lambda pair: pair[0].name)
    elif isinstance(pairs, (list, tuple)):
        found = list(pairs)
    else:
        raise TypeError("fns must be a list, tuple, or dict")
    for pair in found:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError("Each entry in pred_fn_pairs must be a 2-tuple")
        predicate, function = pair
        if not isinstance(predicate, Tensor) and not hasattr(predicate, "_as_tensor"):
            raise TypeError(f"pred must be a Tensor, got: {predicate}")
        if predicate.dtype.base_dtype != dtypes.bool_:
            raise TypeError(f"pred must be Tensor of type bool: {predicate.name}")
        if not callable(function):
            raise TypeError(f"fn for pred {predicate.name} must be callable.")
    return found


def _at_most_one(predicates: Sequence[Tensor]) -> Any:
    ones = [build.apply("Cast", p, DstT=dtypes.int32) for p in predicates]
    names = ", ".join(p.name for p in predicates)
    message = f"Input error: exclusive=True: more than 1 conditions ({names}) evaluated as True:"
    return Assert(build.apply("Less", build.apply("AddN", ones), 2), [message, build.apply("Pack", predicates)])


def _at_least_one(predicates: Sequence[Tensor]) -> Any:
    message = "Input error: None of conditions evaluated as True:"
    together = build.apply("Pack", predicates)
    return Assert(build.apply("Any", together, [0], keep_dims=False), [message, together])


def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: str = "switch_case"
) -> Any:
    """Runs one of several functions' operations, by an index.

    Args:
        branch_index: An int32 scalar.
        branch_fns: A list of functions without arguments, or of pairs of an integer and a function, or a dict of them.
        default: What to run for an index that none has; by default the function of the highest one.
        name: A name scope.

    Returns:
        What the function that was run gave, as tensors.

    Raises:
        TypeError: If `branch_fns` or what it holds is of another kind.
        ValueError: If there are no functions, or their integers are not 0, 1, 2, ...
    """
    if isinstance(branch_fns, dict):
        branches = sorted(branch_fns.items())
    elif isinstance(branch_fns, (list, tuple)):
        branches = [b if isinstance(b, tuple) else (i, b) for i, b in enumerate(branch_fns)]
    else:
        raise TypeError("branch_fns must be a list, tuple, or dict")
    if not branches:
        raise ValueError("Must provide at least one item in branch_fns")
    for index, function in branches:
        if not isinstance(index, (int, np.integer)):
            raise TypeError(f"key must be a Python `int`, got {type(index)}")
        if not callable(function):
            raise TypeError(f"fn for key {index} must be callable.")
    keys = sorted(index for index, _ in branches)
    if keys != list(range(len(keys))):
        found = ",".join(str(key) for key in keys)
        raise ValueError(
            f"branch indices (keys) must form contiguous range of [0 to {len(keys)}) but found {{{found}}}"
        )
    if default is None:
        default = max(branches, key=lambda branch: branch[0])[1]
    elif not callable(default):
        raise TypeError("default must be callable.")
    with get_default_graph().name_scope(name):
        chosen = build.convert_to_tensor(branch_index, dtypes.int32, name="branch_index")
        result = default
        for index, function in reversed(branches):
            result = _either(build.apply("Equal", chosen, int(index)), function, result, False)
        return result()
