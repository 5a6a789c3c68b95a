"""Functions on variables: the lists of them, their initializers, whether they are initialized, and their updates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from monitored import errors
from monitored._graph import dtypes
from monitored._graph.build import apply, constant
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.control_flow import group, no_op
from monitored._ops.partitioned_variables import PartitionedVariable

__all__ = [
    "all_variables",
    "assert_variables_initialized",
    "assign",
    "assign_add",
    "assign_sub",
    "executing_eagerly",
    "global_variables",
    "global_variables_initializer",
    "initialize_all_tables",
    "initialize_all_variables",
    "initialize_local_variables",
    "initialize_variables",
    "is_variable_initialized",
    "local_variables",
    "local_variables_initializer",
    "model_variables",
    "moving_average_variables",
    "report_uninitialized_variables",
    "scatter_add",
    "scatter_div",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_nd_add",
    "scatter_nd_sub",
    "scatter_nd_update",
    "scatter_sub",
    "scatter_update",
    "tables_initializer",
    "trainable_variables",
    "variables_initializer",
]


# -- lists of variables -----------------------------------------------------------------------------------------


def global_variables(scope: str | None = None) -> list[Any]:
    """The variables of the default graph that are saved and restored.

    Args:
        scope: A regular expression: only variables whose names it matches at the start.

    Returns:
        The variables in ``GraphKeys.GLOBAL_VARIABLES``, in the order of their creation.
    """
    return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def all_variables() -> list[Any]:
    """The older name of `global_variables`."""
    return global_variables()


def local_variables(scope: str | None = None) -> list[Any]:
    """The variables of the default graph that are not saved, such as a process's counters; see `global_variables`."""
    return get_default_graph().get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Any]:
    """The variables in ``GraphKeys.MODEL_VARIABLES``; see `global_variables`."""
    return get_default_graph().get_collection(GraphKeys.MODEL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Any]:
    """The variables that optimizers change by default; see `global_variables`."""
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def moving_average_variables(scope: str | None = None) -> list[Any]:
    """The variables of which `ExponentialMovingAverage` keeps averages; see `global_variables`."""
    return get_default_graph().get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)


# -- initialization -----------------------------------------------------------------------------------------------


def variables_initializer(var_list: Iterable[Any] | None, name: str = "init") -> Operation:
    """An operation that initializes a list of variables.

    Args:
        var_list: The variables.
        name: The operation's name.

    Returns:
        The operation, which runs every variable's initializer, in the order of their creation.
    """
    initializers = [variable.initializer for variable in var_list or ()]
    op: Operation = group(*initializers, name=name) if initializers else no_op(name=name)
    return op


def global_variables_initializer() -> Operation:
    """An operation that initializes the global variables there are now in the default graph.

    Returns:
        The operation.
    """
    return variables_initializer(global_variables())


def local_variables_initializer() -> Operation:
    """An operation that initializes the local variables there are now in the default graph.

    Returns:
        The operation.
    """
    return variables_initializer(local_variables())


def initialize_variables(var_list: Iterable[Any], name: str = "init") -> Operation:
    """The older name of `variables_initializer`."""
    return variables_initializer(var_list, name)


def initialize_all_variables() -> Operation:
    """The older name of `global_variables_initializer`."""
    return global_variables_initializer()


def initialize_local_variables() -> Operation:
    """The older name of `local_variables_initializer`."""
    return local_variables_initializer()


def is_variable_initialized(variable: Any) -> Tensor:
    """Whether a variable has a value.

    Args:
        variable: The variable.

    Returns:
        A scalar boolean tensor.
    """
    result: Tensor = apply("IsVariableInitialized", variable)
    return result


def _uninitialized(context: Any, op: Operation) -> list[str]:
    return [ref.op.name for ref in op.inputs if not context.is_initialized(ref)]


def _report(context: Any, op: Operation, *_: Any) -> tuple[Any]:
    return (np.array([name.encode() for name in _uninitialized(context, op)], object),)


def _assert_initialized(context: Any, op: Operation, *_: Any) -> tuple[()]:
    missing = _uninitialized(context, op)
    if missing:
        raise errors.FailedPreconditionError(None, op, f"Attempting to use uninitialized value {', '.join(missing)}")
    return ()


# One op for all the variables, where TensorFlow has one for each and a dozen more to pick out the names.
define(
    "ReportUninitializedVariables", "refs:&[dtypes] -> names:string", host=_report,
    infer=lambda op: TensorShape([None]), stateful=True, no_grad=True,
)  # fmt: skip
define("AssertVariablesInitialized", "refs:&[dtypes] ->", host=_assert_initialized, stateful=True, no_grad=True)


def _listed(var_list: Iterable[Any] | None) -> list[Any]:
    return global_variables() + local_variables() if var_list is None else list(var_list)


def report_uninitialized_variables(
    var_list: Iterable[Any] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """The names of the variables that have no value yet.

    Args:
        var_list: The variables to check; the global and the local ones by default.
        name: A name scope for the operations.

    Returns:
        A vector of strings, empty when all are initialized.
    """
    variables = _listed(var_list)
    graph = variables[0].graph if variables else get_default_graph()
    with graph.as_default(), graph.control_dependencies(None), graph.name_scope(name):
        if not variables:
            return constant([], dtypes.string)
        result: Tensor = apply("ReportUninitializedVariables", variables, name="boolean_mask/GatherV2")
        return result


def tables_initializer(name: str = "init_all_tables") -> Operation:
    """An operation that runs what ``GraphKeys.TABLE_INITIALIZERS`` holds.

    Args:
        name: The operation's name.

    Returns:
        The operation, which does nothing if the collection is empty.
    """
    return group(*get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS), name=name)


def initialize_all_tables(name: str = "init_all_tables") -> Operation:
    """The older name of `tables_initializer`.

    Args:
        name: The operation's name.

    Returns:
        The operation.
    """
    return tables_initializer(name)


def executing_eagerly() -> bool:
    """Whether operations are carried out as they are made: never, since they are made for a session to run.

    Returns:
        False.
    """
    return False


def assert_variables_initialized(var_list: Iterable[Any] | None = None) -> Operation | None:
    """An operation that fails unless variables have values.

    Args:
        var_list: The variables to check; the global and the local ones by default.

    Returns:
        The operation, which raises `FailedPreconditionError`; None when there are no variables.
    """
    variables = _listed(var_list)
    if not variables:
        return None
    op: Operation = apply("AssertVariablesInitialized", variables, name="assert_variables_initialized")
    return op


# -- updates ------------------------------------------------------------------------------------------------------


def assign(
    ref: Any, value: Any, validate_shape: bool | None = None, use_locking: bool | None = None, name: str | None = None
) -> Any:
    """Gives a variable a new value.

    Args:
        ref: The variable.
        value: The new value, of the variable's type.
        validate_shape: Whether the value must have the variable's shape (the default).
        use_locking: Accepted; updates are always whole.
        name: The operation's name.

    Returns:
        A tensor that holds the new value after the assignment; of a partitioned variable a list of them.
    """
    if isinstance(ref, PartitionedVariable):
        return ref.assign(value, name=name)
    result: Tensor = apply(
        "Assign",
        _ref(ref, "assign"),
        value,
        validate_shape=validate_shape is not False,
        use_locking=use_locking is not False,
        name=name,
    )
    return result


def assign_add(ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None) -> Any:
    """Adds to a variable; see `assign`."""
    if isinstance(ref, PartitionedVariable):
        return ref.assign_add(value, name=name)
    return _update("AssignAdd", _ref(ref, "assign_add"), value, use_locking=use_locking, name=name)


def assign_sub(ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None) -> Any:
    """Subtracts from a variable; see `assign`."""
    if isinstance(ref, PartitionedVariable):
        return ref.assign_sub(value, name=name)
    return _update("AssignSub", _ref(ref, "assign_sub"), value, use_locking=use_locking, name=name)


def _ref(ref: Any, method: str) -> Any:
    if isinstance(ref, Tensor) and not ref.dtype._is_ref_dtype:
        raise AttributeError(
            f"'Tensor' object has no attribute '{method}': {ref} is the value of an operation; only a Variable can be "
            "given a new one."
        )
    return ref


def _update(op_type: str, ref: Any, *args: Any, use_locking: bool | None, name: str | None) -> Tensor:
    result: Tensor = apply(op_type, ref, *args, use_locking=bool(use_locking), name=name)
    return result


def scatter_update(ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None) -> Tensor:
    """Sets rows of a variable: ``ref[indices] = updates``.

    Args:
        ref: The variable.
        indices: Which rows, an integer tensor of any shape. Where one appears twice, the last is kept.
        updates: The rows, ``[*indices.shape, *ref.shape[1:]]``, or a scalar for all.
        use_locking: Accepted; updates are always whole.
        name: The operation's name.

    Returns:
        A tensor that holds the new value of the whole variable after the update.
    """
    return _update("ScatterUpdate", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_add(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Adds to rows of a variable, once for each time that an index appears; see `scatter_update`."""
    return _update("ScatterAdd", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_sub(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Subtracts from rows of a variable, once for each time that an index appears; see `scatter_update`."""
    return _update("ScatterSub", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_mul(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Multiplies rows of a variable, once for each time that an index appears; see `scatter_update`."""
    return _update("ScatterMul", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_div(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Divides rows of a variable, once for each time that an index appears; see `scatter_update`."""
    return _update("ScatterDiv", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_min(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Sets rows of a variable to the lesser of their values and `updates`; see `scatter_update`."""
    return _update("ScatterMin", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_max(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Sets rows of a variable to the greater of their values and `updates`; see `scatter_update`."""
    return _update("ScatterMax", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_nd_update(
    ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None
) -> Tensor:
    """Sets slices of a variable.

    Args:
        ref: The variable.
        indices: The slices' indices, ``[..., depth]`` with depth at most the variable's rank.
        updates: The slices, ``[*indices.shape[:-1], *ref.shape[depth:]]``.
        use_locking: Accepted; updates are always whole.
        name: The operation's name.

    Returns:
        A tensor that holds the new value of the whole variable after the update.
    """
    return _update("ScatterNdUpdate", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_nd_add(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Adds to slices of a variable; see `scatter_nd_update`."""
    return _update("ScatterNdAdd", ref, indices, updates, use_locking=use_locking, name=name)


def scatter_nd_sub(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Subtracts from slices of a variable; see `scatter_nd_update`."""
    return _update("ScatterNdSub", ref, indices, updates, use_locking=use_locking, name=name)
