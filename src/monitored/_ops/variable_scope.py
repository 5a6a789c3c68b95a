"""`variable_scope` and `get_variable`: variables that are found again by name, and defaults for making them.

A `variable_scope` prefixes the names of the variables that `get_variable` makes within it, and opens a name scope for
operations.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any

from monitored._graph import dtypes
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Tensor
from monitored._ops.variable_store import AUTO_REUSE, Scopes, VariableScope, get_in_scope, store_of
from monitored._ops.variables import Variable, VariableAggregation, VariableSynchronization

__all__ = [
    "AUTO_REUSE",
    "VariableScope",
    "create_partitioned_variables",
    "get_local_variable",
    "get_variable",
    "get_variable_scope",
    "no_regularizer",
    "variable_op_scope",
    "variable_scope",
]


def get_variable_scope() -> VariableScope:
    """The variable scope that the thread is in.

    Returns:
        The scope in the default graph.
    """
    return store_of().scopes.current


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: VariableSynchronization = VariableSynchronization.AUTO,
    aggregation: VariableAggregation = VariableAggregation.NONE,
) -> Any:
    """Makes a variable, or finds the one that an earlier call made.

    Args:
        name: The name, to which the variable scope's is prefixed.
        shape: The shape; not to be given when the initializer is a value.
        dtype: The type; by default the scope's (float32), or that of an initializer that is a value.
        initializer: An initializer or its class, called with a shape; or a value; or a function without arguments
            when there is no shape. By default the scope's, else Glorot's uniform for floating types and zeros for
            integers, booleans and strings.
        regularizer: A function of the variable; what it gives is added to ``GraphKeys.REGULARIZATION_LOSSES`` when the
            variable is made.
        trainable: Whether optimizers change it by default (True).
        collections: The graph collections to add it to; ``[GraphKeys.GLOBAL_VARIABLES]`` by default.
        caching_device: Accepted; reads need no cache.
        partitioner: A function of the shape and the type that says how many parts to make along each dimension, such
            as `fixed_size_partitioner` gives; see `PartitionedVariable`.
        validate_shape: Whether the shape must be known and is fixed.
        use_resource: Accepted; every variable is read where it is used.
        custom_getter: A function called in place of the making, with a getter as its first argument.
        constraint: A function of the variable giving its projected value, applied after optimizers' updates.
        synchronization: Accepted for distributed programs.
        aggregation: Accepted for distributed programs.

    Returns:
        The `Variable` (what a custom getter gives); with a partitioner a `PartitionedVariable`.

    Raises:
        ValueError: If the variable exists and is not to be shared, does not exist and is to be shared, or its shape or
            type is another than the one asked for.
    """
    return get_in_scope(
        get_variable_scope(),
        name,
        shape,
        dtype,
        initializer=initializer,
        regularizer=regularizer,
        trainable=trainable,
        collections=collections,
        caching_device=caching_device,
        partitioner=partitioner,
        validate_shape=validate_shape,
        use_resource=use_resource,
        custom_getter=custom_getter,
        constraint=constraint,
        synchronization=synchronization,
        aggregation=aggregation,
    )


def get_local_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = False,
    collections: Any = None,
    **arguments: Any,
) -> Any:
    """`get_variable` for a local variable: one that is not trained, saved or restored.

    Args:
        name: See `get_variable`.
        shape: See `get_variable`.
        dtype: See `get_variable`.
        initializer: See `get_variable`.
        regularizer: See `get_variable`.
        trainable: Accepted; local variables are not trained.
        collections: Collections besides ``GraphKeys.LOCAL_VARIABLES``.
        arguments: The other arguments of `get_variable`.

    Returns:
        The `Variable`.
    """
    collections = [*(collections or ()), GraphKeys.LOCAL_VARIABLES]
    return get_variable(
        name, shape, dtype, initializer, regularizer, trainable=False, collections=collections, **arguments
    )


def create_partitioned_variables(
    shape: Any,
    slicing: Sequence[int],
    initializer: Any,
    dtype: Any = dtypes.float32,
    trainable: bool = True,
    collections: Any = None,
    name: str | None = None,
    reuse: Any = None,
) -> list[Variable]:
    """Makes one variable in parts; an older way to `get_variable` with a partitioner.

    Args:
        shape: The sizes of the whole.
        slicing: How many parts to make along each dimension; more than one for at most one of them.
        initializer: An initializer, or a tensor of the whole's value.
        dtype: The type.
        trainable: Whether optimizers change it by default.
        collections: The graph collections to add the parts to; ``[GraphKeys.GLOBAL_VARIABLES]`` by default.
        name: The name of the whole, ``'PartitionedVariable'`` by default, made unique.
        reuse: See `variable_scope`.

    Returns:
        The parts.

    Raises:
        ValueError: If shape and slicing do not fit together.
    """
    if len(shape) != len(slicing):
        raise ValueError(
            "The 'shape' and 'slicing' of a partitioned Variable must have the length: "
            f"shape: {shape}, slicing: {slicing}"
        )
    if len(shape) < 1:
        raise ValueError(f"A partitioned Variable must have rank at least 1: shape: {shape}")
    with variable_scope(name, "PartitionedVariable", reuse=reuse):
        parts = get_variable(
            "",
            shape,
            dtype,
            initializer,
            trainable=trainable,
            collections=collections,
            partitioner=lambda **_: list(slicing),
        )
    return list(parts)


def no_regularizer(_: Any) -> None:
    """A regularizer that gives nothing: for `get_variable` in a scope that has one.

    Returns:
        None.
    """
    return


# -- scopes ---------------------------------------------------------------------------------------------------------


class variable_scope:
    """A context in which `get_variable` prefixes names and takes defaults; it opens a name scope, too.

    Entered again with the same name it gives names of variables as before and a new name scope for operations::

        with tf.variable_scope("layer"):
            w = tf.get_variable("w", [3])  # layer/w
        with tf.variable_scope("layer", reuse=True):
            assert tf.get_variable("w") is w

    Args:
        name_or_scope: A name, within the present scope; or a `VariableScope`, to enter that very scope.
        default_name: The name when `name_or_scope` is None, made unique.
        values: Tensors that the block uses; the first tells the graph.
        initializer: Default initializer within the scope; the outer scope's when None, as for all these.
        regularizer: Default regularizer.
        caching_device: Default caching device.
        partitioner: Default partitioner.
        custom_getter: A function called in place of the making of each variable: ``getter(getter, name, ...)``.
        reuse: True to share existing variables, `AUTO_REUSE` to share or make them; None for as outside.
        dtype: Default type.
        use_resource: Accepted; every variable is read where it is used.
        constraint: Default constraint.
        auxiliary_name_scope: Whether to open a name scope.

    Raises:
        ValueError: If `reuse` is not valid, or is given without a name.
        TypeError: If there is no name at all, or it is no name.
    """

    def __init__(
        self,
        name_or_scope: Any,
        default_name: str | None = None,
        values: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        reuse: Any = None,
        dtype: Any = None,
        use_resource: bool | None = None,
        constraint: Any = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        if name_or_scope is None and default_name is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if reuse not in (True, False, None, AUTO_REUSE):
            raise ValueError("The reuse parameter must be True or False or None.")
        if name_or_scope is None and reuse:
            raise ValueError("reuse=True cannot be used without a name_or_scope")
        if not isinstance(auxiliary_name_scope, bool):
            raise TypeError(f"The auxiliary_name_scope must be `True` or `False`, while get {auxiliary_name_scope}")
        self._name_or_scope = name_or_scope
        self._default_name = default_name
        self._values = values
        self._reuse = reuse
        self._custom_getter = custom_getter
        self._auxiliary_name_scope = auxiliary_name_scope
        given = {
            "initializer": initializer,
            "regularizer": regularizer,
            "caching_device": caching_device,
            "partitioner": partitioner,
            "dtype": None if dtype is None else dtypes.as_dtype(dtype),
            "use_resource": use_resource,
            "constraint": constraint,
        }
        self._given = {key: value for key, value in given.items() if value is not None}
        self._first: tuple[str, str] | None = None
        self._entered: list[ExitStack] = []

    def __enter__(self) -> VariableScope:
        with ExitStack() as stack:
            graph = next((v.graph for v in self._values or () if isinstance(v, (Tensor, Variable))), None)
            if graph is not None and not get_default_graph().building_function:
                stack.enter_context(graph.as_default())
            scope = self._enter(stack)
            self._entered.append(stack.pop_all())
        return scope

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered.pop().__exit__(kind, error, traceback)

    def _enter(self, stack: ExitStack) -> VariableScope:
        name_or_scope = self._name_or_scope
        if name_or_scope is not None and not isinstance(name_or_scope, (VariableScope, str)):
            raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
        scopes = store_of().scopes
        if isinstance(name_or_scope, VariableScope):
            self._open_name_scope(stack, name_or_scope.name.split("/")[-1])
            return stack.enter_context(self._entered_scope(scopes, name_or_scope, name_or_scope.original_name_scope))
        opened = self._open_name_scope(stack, self._default_name if name_or_scope is None else name_or_scope)
        if self._first is None:  # entered again, this object is the same variable scope in a new name scope
            name = scopes.unique(self._default_name or "") if name_or_scope is None else name_or_scope
            self._first = name, opened
        return stack.enter_context(self._entered_scope(scopes, *self._first))

    def _open_name_scope(self, stack: ExitStack, name: str | None) -> str:
        graph = get_default_graph()
        if not name:
            return ""
        if not self._auxiliary_name_scope:
            current = graph.get_name_scope()
            return current + "/" if current else ""
        return stack.enter_context(graph.name_scope(name))

    @contextmanager
    def _entered_scope(
        self, scopes: Scopes, name_or_scope: str | VariableScope, name_scope: str
    ) -> Iterator[VariableScope]:
        old = scopes.current
        if isinstance(name_or_scope, VariableScope):
            base, name = name_or_scope, name_or_scope.name
            reuse = base.reuse if not self._reuse else self._reuse
        else:
            base, name = old, f"{old.name}/{name_or_scope}" if old.name else name_or_scope
            reuse = self._reuse or old.reuse
        new = base._changed(name=name, reuse=reuse, name_scope=name_scope, **self._given)
        if self._custom_getter is not None:
            new._custom_getter = _composed(self._custom_getter, base.custom_getter)
        opened = scopes.open(name)
        # A scope that is left forgets those within it, and names them as before when it is entered again; one that
        # was entered as an object also has those back that it had before.
        inner = opened.copy().inner if base is name_or_scope else {}
        scopes.current = new
        try:
            yield new
        finally:
            if name:
                opened.inner = inner
            scopes.current = old


def _composed(getter: Any, outer: Any) -> Any:
    """A custom getter whose inner getter goes through the outer scope's custom getter."""
    if outer is None:
        return getter

    @functools.wraps(getter)
    def both(getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return inner(functools.partial(outer, getter), *args, **kwargs)

    inner = getter
    return both


def variable_op_scope(
    values: Any, name_or_scope: Any, default_name: str | None = None, **arguments: Any
) -> AbstractContextManager[VariableScope]:
    """The older form of `variable_scope`, with `values` first.

    Args:
        values: Tensors that the block uses.
        name_or_scope: See `variable_scope`.
        default_name: See `variable_scope`.
        arguments: The other arguments of `variable_scope`.

    Returns:
        A context manager that gives the `VariableScope`.
    """
    return variable_scope(name_or_scope, default_name, values, **arguments)
