"""What stands behind `get_variable`: the store of a graph's variables, and `VariableScope`, its place and defaults.

Each graph has one store of the variables that `get_variable` made, and for each thread the variable scope that it is
in. Names of variables follow the variable scopes alone.
"""

from __future__ import annotations

import enum
import functools
import inspect
import threading
from typing import Any, Final

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops import initializers
from monitored._ops.partitioned_variables import PartitionedVariable, PartitionInfo, cut
from monitored._ops.save_slices import SaveSliceInfo
from monitored._ops.variables import Variable, VariableAggregation, VariableSynchronization

__all__ = ["AUTO_REUSE", "VariableScope"]


class _ReuseMode(enum.Enum):
    AUTO_REUSE = 1


AUTO_REUSE: Final = _ReuseMode.AUTO_REUSE
"""For `reuse`: make a variable when there is none of its name, else share it."""


class VariableScope:
    """Where `get_variable` stands: a prefix for names, and defaults for the arguments that it is not given.

    Args:
        reuse: None or False to make new variables, True to share existing ones, `AUTO_REUSE` for whichever fits.
        name: The prefix of variables' names.
        initializer: Default initializer.
        regularizer: Default regularizer.
        caching_device: Default caching device.
        partitioner: Default partitioner.
        custom_getter: A function that is called in place of the making of each variable.
        name_scope: The name scope of the operations.
        dtype: Default type.
        use_resource: Accepted; every variable is read where it is used.
        constraint: Default constraint.
    """

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = dtypes.float32,
        use_resource: bool | None = None,
        constraint: Any = None,
    ) -> None:
        self._name = name
        self._reuse = reuse
        self._initializer = initializer
        self._regularizer = regularizer
        self._caching_device = caching_device
        self._partitioner = partitioner
        self._custom_getter = custom_getter
        self._name_scope = name_scope
        self._dtype = dtypes.as_dtype(dtype)
        self._use_resource = use_resource
        self._constraint = constraint

    def _changed(self, **fields: Any) -> VariableScope:
        """A copy with other values for some fields."""
        copy = VariableScope.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.__dict__.update(("_" + name, value) for name, value in fields.items())
        return copy

    @property
    def name(self) -> str:
        """The prefix of variables' names."""
        return self._name

    @property
    def original_name_scope(self) -> str:
        """The name scope that was opened with this scope, ending with ``/``."""
        return self._name_scope

    @property
    def reuse(self) -> Any:
        """True, False, None or `AUTO_REUSE`."""
        return self._reuse

    @property
    def initializer(self) -> Any:
        """The default initializer."""
        return self._initializer

    @property
    def dtype(self) -> dtypes.DType:
        """The default type."""
        return self._dtype

    @property
    def use_resource(self) -> bool | None:
        """What was asked for."""
        return self._use_resource

    @property
    def regularizer(self) -> Any:
        """The default regularizer."""
        return self._regularizer

    @property
    def caching_device(self) -> Any:
        """The default caching device."""
        return self._caching_device

    @property
    def partitioner(self) -> Any:
        """The default partitioner."""
        return self._partitioner

    @property
    def custom_getter(self) -> Any:
        """The function that is called in place of the making of each variable."""
        return self._custom_getter

    @property
    def constraint(self) -> Any:
        """The default constraint."""
        return self._constraint

    def reuse_variables(self) -> None:
        """Makes this scope share existing variables from here on."""
        self._reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """Sets the default initializer."""
        self._initializer = initializer

    def set_dtype(self, dtype: Any) -> None:
        """Sets the default type."""
        self._dtype = dtypes.as_dtype(dtype)

    def set_use_resource(self, use_resource: bool | None) -> None:
        """Accepted; every variable is read where it is used."""
        self._use_resource = use_resource

    def set_regularizer(self, regularizer: Any) -> None:
        """Sets the default regularizer."""
        self._regularizer = regularizer

    def set_caching_device(self, caching_device: Any) -> None:
        """Sets the default caching device."""
        self._caching_device = caching_device

    def set_partitioner(self, partitioner: Any) -> None:
        """Sets the default partitioner."""
        self._partitioner = partitioner

    def set_custom_getter(self, custom_getter: Any) -> None:
        """Sets the function that is called in place of the making of each variable."""
        self._custom_getter = custom_getter

    def get_collection(self, name: Any) -> list[Any]:
        """A copy of the part of a graph collection whose names are in this scope."""
        return get_default_graph().get_collection(name, self._name + "/" if self._name else "")

    def trainable_variables(self) -> list[Any]:
        """The trainable variables in this scope."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        """The global variables in this scope."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        """The local variables in this scope."""
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)


class _Opened:
    """How often a scope has been opened, and those within it; a tree, so that leaving a scope costs no search."""

    __slots__ = ("count", "inner")

    def __init__(self) -> None:
        self.count = 0
        self.inner: dict[str, _Opened] = {}

    def copy(self) -> _Opened:
        """A copy that later openings do not change."""
        new = _Opened()
        new.count = self.count
        new.inner = {name: opened.copy() for name, opened in self.inner.items()}
        return new


class Scopes(threading.local):
    """A thread's variable scope in a graph, and how often each scope has been opened."""

    def __init__(self) -> None:
        self.current = VariableScope(False)
        self._opened = _Opened()

    def open(self, name: str) -> _Opened:
        """Counts the opening of a scope; gives its place in the tree, whose `inner` a leaving empties."""
        place = self._opened
        for part in name.split("/"):
            place = place.inner.setdefault(part, _Opened())
        place.count += 1
        return place

    def unique(self, prefix: str) -> str:
        """A name that no scope within the current one has had since that was entered."""
        base = f"{self.current.name}/{prefix}" if self.current.name else prefix
        if not self._count(base):
            return prefix
        index = 1
        while self._count(f"{base}_{index}"):
            index += 1
        return f"{prefix}_{index}"

    def _count(self, name: str) -> int:
        place: _Opened | None = self._opened
        for part in name.split("/"):
            place = place.inner.get(part) if place is not None else None
        return 0 if place is None else place.count


class Store:
    """What a graph keeps for this module."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.partitioned: dict[str, PartitionedVariable] = {}
        self.scopes = Scopes()


def store_of(graph: Graph | None = None) -> Store:
    graph = get_default_graph() if graph is None else graph
    # A collection whose name is no string is not exported; bodies of branches and loops share the outer graph's.
    found = graph.get_collection_ref(("__variable_store",))
    if not found:
        found.append(Store())
    store: Store = found[0]
    return store


def get_in_scope(
    scope: VariableScope,
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    reuse: Any = None,
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
    """Fills in the scope's defaults, and calls the custom getter or the store."""
    full_name = f"{scope.name}/{name}" if scope.name else name
    getter = custom_getter if custom_getter is not None else scope.custom_getter
    graph = get_default_graph()
    # Variables' names depend on variable scopes alone.
    with graph.name_scope(None):
        if dtype is not None and initializer is not None and not callable(initializer):
            found = convert_to_tensor(initializer).dtype.base_dtype
            if found != dtypes.as_dtype(dtype).base_dtype:
                raise ValueError(
                    f"Initializer type '{found}' and explicit dtype '{dtypes.as_dtype(dtype)}' don't match."
                )
        arguments: dict[str, Any] = {
            "shape": shape,
            "dtype": scope.dtype if dtype is None else dtypes.as_dtype(dtype).base_dtype,
            "initializer": scope.initializer if initializer is None else initializer,
            "regularizer": scope.regularizer if regularizer is None else regularizer,
            "reuse": scope.reuse if reuse is None else reuse,
            "trainable": trainable,
            "collections": collections,
            "caching_device": scope.caching_device if caching_device is None else caching_device,
            "partitioner": scope.partitioner if partitioner is None else partitioner,
            "validate_shape": validate_shape,
            "use_resource": scope.use_resource if use_resource is None else use_resource,
            "synchronization": synchronization,
            "aggregation": aggregation,
        }
        constraint = scope.constraint if constraint is None else constraint
        make = functools.partial(_get_or_make, graph)
        if getter is None:
            return make(full_name, **arguments, constraint=constraint)
        if _accepts(getter, "constraint"):
            arguments["constraint"] = constraint
        return getter(getter=make, name=full_name, **arguments)


def _accepts(function: Any, keyword: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return keyword in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _get_or_make(
    graph: Graph,
    name: str,
    shape: Any = None,
    dtype: Any = dtypes.float32,
    initializer: Any = None,
    regularizer: Any = None,
    reuse: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    constraint: Any = None,
    synchronization: VariableSynchronization = VariableSynchronization.AUTO,
    aggregation: VariableAggregation = VariableAggregation.NONE,
    **_: Any,
) -> Variable | PartitionedVariable:
    store = store_of(graph)
    dtype = dtypes.as_dtype(dtype)
    static = as_shape(shape)
    make = functools.partial(
        _make,
        graph,
        dtype=dtype,
        initializer=initializer,
        regularizer=regularizer,
        reuse=reuse,
        trainable=trainable,
        collections=collections,
        caching_device=caching_device,
        validate_shape=validate_shape,
        constraint=constraint,
        synchronization=synchronization,
        aggregation=aggregation,
    )
    if partitioner is not None and not (shape is not None and static.ndims == 0):
        return _partitioned(store, graph, name.rstrip("/"), static, dtype, initializer, reuse, partitioner, make)
    if partitioner is None and reuse is True and name in store.partitioned:
        return _shared_parts(store.partitioned[name], static, dtype, None)
    if f"{name}/part_0" in store.variables:
        raise ValueError(
            f"No partitioner was provided, but a partitioned version of the variable was found: {name}/part_0. Perhaps "
            "a variable of the same name was already created with partitioning?"
        )
    return make(name, shape)


def _partitioned(
    store: Store,
    graph: Graph,
    name: str,
    shape: TensorShape,
    dtype: dtypes.DType,
    initializer: Any,
    reuse: Any,
    partitioner: Any,
    make: Any,
) -> PartitionedVariable:
    """Makes a variable for each part, or finds them."""
    if name in store.variables:
        raise ValueError(
            f"A partitioner was provided, but an unpartitioned version of the variable was found: {name}.  Perhaps a "
            "variable of the same name was already created without partitioning?"
        )
    value = initializer if isinstance(initializer, Tensor) else None
    if value is not None:
        shape = shape.merge_with(value.shape)
    sizes, partitions, parts = cut(shape, partitioner, dtype)
    existing = store.partitioned.get(name)
    if existing is not None:
        if not reuse:
            raise ValueError(
                f"Partitioned variable with name {name} already exists. Did you mean to set reuse=True or "
                "reuse=tf.AUTO_REUSE in VarScope?"
            )
        return _shared_parts(existing, shape, dtype, partitions)
    if reuse is True:
        raise ValueError(
            f"PartitionedVariable {name} does not exist, or was not created with tf.get_variable(). Did you mean to "
            "set reuse=False or reuse=tf.AUTO_REUSE in VarScope?"
        )
    made = []
    for number, (offset, part) in enumerate(parts):
        part_name = f"{name}/part_{number}"
        if value is None:
            variable = make(part_name, part, partition_info=PartitionInfo(sizes, offset))
        else:
            with graph.name_scope(f"{part_name}/PartitionedInitializer/"):
                begin = apply("Slice", value, offset, part, name="Slice")
            variable = make(part_name, None, initializer=begin)
        variable._set_save_slice_info(SaveSliceInfo(name, sizes, offset, part))
        made.append(variable)
    kind = made[0].dtype.base_dtype
    store.partitioned[name] = PartitionedVariable(name, shape, kind, made, partitions)
    return store.partitioned[name]


def _shared_parts(
    existing: PartitionedVariable, shape: TensorShape, dtype: dtypes.DType, partitions: list[int] | None
) -> PartitionedVariable:
    told = f"Trying to reuse partitioned variable {existing.name}, but specified"
    if not shape.is_compatible_with(existing.shape):
        raise ValueError(f"{told} shape {shape} and found shape {existing.shape}.")
    if not dtype.is_compatible_with(existing.dtype):
        raise ValueError(f"{told} dtype {dtype.name} and found dtype {existing.dtype.name}.")
    if partitions is not None and partitions != existing._get_partitions():
        raise ValueError(f"{told} partitions {partitions} and found partitions {existing._get_partitions()}.")
    return existing


def _make(
    graph: Graph,
    name: str,
    shape: Any,
    *,
    dtype: dtypes.DType,
    initializer: Any,
    regularizer: Any,
    reuse: Any,
    trainable: bool | None,
    collections: Any,
    caching_device: Any,
    validate_shape: bool,
    constraint: Any,
    synchronization: VariableSynchronization,
    aggregation: VariableAggregation,
    partition_info: PartitionInfo | None = None,
) -> Variable:
    """Makes one variable, or finds it."""
    variables = store_of(graph).variables
    existing = variables.get(name)
    if existing is not None:
        return _shared(existing, name, None if shape is None else as_shape(shape), dtype, reuse)
    if reuse is True:
        raise ValueError(
            f"Variable {name} does not exist, or was not created with tf.get_variable(). Did you mean to set "
            "reuse=tf.AUTO_REUSE in VarScope?"
        )
    by_value = initializer is not None and not callable(initializer)
    if by_value and shape is not None:
        raise ValueError("If initializer is a constant, do not specify shape.")
    static = as_shape(shape)
    if initializer is None:
        initializer = _default_initializer(name, dtype)
    initial_value, known_dtype = _initial_value(initializer, static, dtype, partition_info)
    variable = Variable(
        initial_value,
        trainable,
        collections,
        validate_shape,
        caching_device,
        name,
        dtype=known_dtype,
        constraint=constraint,
        synchronization=synchronization,
        aggregation=aggregation,
    )
    variables[name] = variable
    if regularizer is not None:
        with graph.name_scope(name + "/Regularizer/"):
            loss = regularizer(variable)
        if loss is not None:
            graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)
    return variable


def _shared(variable: Variable, name: str, shape: TensorShape | None, dtype: dtypes.DType, reuse: Any) -> Variable:
    if not reuse:
        file, line, function = variable.op._site
        raise ValueError(
            f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in "
            f'VarScope? Originally defined at:\n\n  File "{file}", line {line}, in {function}\n'
        )
    if shape is not None and not shape.is_compatible_with(variable.shape):
        raise ValueError(
            f"Trying to share variable {name}, but specified shape {shape} and found shape {variable.shape}. "
            f"Created at {variable.op.creation_site}."
        )
    if not dtype.is_compatible_with(variable.dtype):
        raise ValueError(
            f"Trying to share variable {name}, but specified dtype {dtype.name} and found dtype "
            f"{variable.dtype.name}. Created at {variable.op.creation_site}."
        )
    return variable


def _default_initializer(name: str, dtype: dtypes.DType) -> Any:
    if dtype.is_floating:
        return initializers.glorot_uniform_initializer()
    if dtype.is_integer or dtype.is_unsigned or dtype.is_bool or dtype == dtypes.string:
        return initializers.zeros_initializer()
    raise ValueError(f"An initializer for variable {name} of {dtype.base_dtype} is required")


def _initial_value(
    initializer: Any, shape: TensorShape, dtype: dtypes.DType, partition_info: PartitionInfo | None
) -> tuple[Any, dtypes.DType | None]:
    """The initial value, or a function that gives it, and the type when that is known."""
    if not callable(initializer):
        return initializer, None
    if isinstance(initializer, type):
        initializer = initializer()
    if shape.is_fully_defined():
        is_told = partition_info is not None or _accepts(initializer, "partition_info")
        keywords = {"partition_info": partition_info} if is_told else {}
        return lambda: initializer(shape.as_list(), dtype=dtype, **keywords), dtype.base_dtype
    if _needs_no_arguments(initializer):
        return initializer, None
    raise ValueError(
        "The initializer passed is not valid. It should be a callable with no arguments and the shape should not be "
        "provided or an instance of `tf.keras.initializers.*' and `shape` should be fully defined. "
        f"(Got {initializer!r} and shape {shape}.)"
    )


def _needs_no_arguments(function: Any) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
