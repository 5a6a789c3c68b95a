"""`Variable`: a value that the session keeps from run to run, with TensorFlow's nodes and names.

A variable ``w`` is four nodes: its initial value (``w/initial_value``, or what stands under ``w/Initializer/``), the
`VariableV2` that holds it (``w``), the `Assign` that initializes it (``w/Assign``) and its reading alias (``w/read``).
"""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.operation import Operation, Tensor
from monitored._graph.operators import Operators
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops import save_slices
from monitored._ops import state as _state  # noqa: F401  # the op types

__all__ = ["Variable", "VariableAggregation", "VariableSynchronization", "variable_creator_scope"]


class VariableSynchronization(enum.Enum):
    """When a distributed variable's copies are brought together (accepted; there is one copy here)."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How a distributed variable's updates are brought together (accepted; there is one copy here)."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
    ONLY_FIRST_TOWER = 3  # noqa: PIE796  # TensorFlow's older name


class _MadeByCreators(type):
    """Makes variables through the functions of the `variable_creator_scope` blocks around, if there are any."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        creators = _creators(get_default_graph()) if cls is Variable else ()
        if not creators:
            return super().__call__(*args, **kwargs)
        bound = inspect.signature(Variable.__init__).bind(None, *args, **kwargs)
        bound.apply_defaults()
        make: Any = super().__call__
        for creator in creators:  # the innermost is called first
            make = functools.partial(creator, make)
        return make(**{name: value for name, value in bound.arguments.items() if name != "self"})


def _creators(graph: Graph) -> tuple[Callable[..., Any], ...]:
    found = graph._scopes.variable_creators
    while graph.building_function:
        graph = graph.outer  # type: ignore[attr-defined]  # what builds a function is a FuncGraph
        found = (*graph._scopes.variable_creators, *found)
    return found


@contextmanager
def variable_creator_scope(variable_creator: Callable[..., Any]) -> Iterator[None]:
    """Has the variables that are made within a block, by `Variable` or `get_variable`, made through a function.

        def creator(next_creator, **kwargs):
            kwargs["trainable"] = False
            return next_creator(**kwargs)

        with tf.variable_creator_scope(creator):
            ...

    Args:
        variable_creator: A function of the next creator and of `Variable`'s arguments, all by name, that gives what
            stands for the variable. The innermost block's is called first.

    Yields:
        Nothing.
    """
    scopes = get_default_graph()._scopes
    old, scopes.variable_creators = scopes.variable_creators, (*scopes.variable_creators, variable_creator)
    try:
        yield
    finally:
        scopes.variable_creators = old


class Variable(Operators, metaclass=_MadeByCreators):
    """A tensor-shaped value that persists between the runs of a session.

    A variable must be initialized before it is used: run its `initializer`, or the operation that
    `global_variables_initializer` gives. Used as an input of an operation, it is read there.
    """

    SaveSliceInfo = save_slices.SaveSliceInfo

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Callable[[Any], Any] | None = None,
        use_resource: bool | None = None,
        synchronization: VariableSynchronization = VariableSynchronization.AUTO,
        aggregation: VariableAggregation = VariableAggregation.NONE,
        shape: Any = None,
    ) -> None:
        """Creates a variable in the default graph.

        Args:
            initial_value: The value it gets when it is initialized: anything that can be converted to a tensor, or
                a function without arguments that returns it. Its shape must be fully known unless
                `validate_shape` is False.
            trainable: Whether optimizers change it by default: adds it to ``GraphKeys.TRAINABLE_VARIABLES``.
            collections: The graph collections to add it to; ``[GraphKeys.GLOBAL_VARIABLES]`` by default.
            validate_shape: Whether its shape is fixed to that of the initial value.
            caching_device: Accepted; reads need no cache.
            name: Its name, made unique; ``'Variable'`` by default.
            variable_def: A `VariableDef` protocol buffer: gives the variable that the graph already has.
            dtype: The type that the initial value must have or is converted to.
            expected_shape: Accepted and not used, as in TensorFlow.
            import_scope: A name scope to put before the names in `variable_def`.
            constraint: A function of the variable giving its projected value, applied after optimizers' updates.
            use_resource: Accepted; every variable is read where it is used.
            synchronization: Accepted for distributed programs.
            aggregation: Accepted for distributed programs.
            shape: A less precise shape than that of the initial value.

        Raises:
            ValueError: If there is no initial value, its shape is not known, or an argument is not valid.
            TypeError: If the initial value cannot have the type.
        """
        self._save_slice_info: save_slices.SaveSliceInfo | None = None
        self._constraint = constraint
        self._synchronization = synchronization
        self._aggregation = aggregation
        if variable_def is not None:
            if initial_value is not None:
                raise ValueError("variable_def and initial_value are mutually exclusive.")
            self._init_from_proto(variable_def, import_scope)
            return
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        if constraint is not None and not callable(constraint):
            raise ValueError("The `constraint` argument must be a callable.")
        if not isinstance(synchronization, VariableSynchronization):
            raise ValueError(f"Invalid variable synchronization mode: {synchronization} for variable: {name}")
        if trainable is None:
            trainable = synchronization is not VariableSynchronization.ON_READ
        if collections is None:
            collections = [GraphKeys.GLOBAL_VARIABLES]
        if not isinstance(collections, (list, tuple, set)):
            raise ValueError(
                "collections argument to Variable constructor must be a list, tuple, or set. "
                f"Got {collections} of type {type(collections)}"
            )
        if trainable and GraphKeys.TRAINABLE_VARIABLES not in collections:
            collections = [*collections, GraphKeys.TRAINABLE_VARIABLES]
        self._trainable = trainable
        # Variables live outside the bodies of branches and loops, and wait for nothing that stands around them.
        inner = get_default_graph()
        graph = inner
        while graph.building_function:
            graph = graph.outer  # type: ignore[attr-defined]  # what builds a function is a FuncGraph
        where = inner.get_name_scope()
        with graph.as_default(), graph.control_dependencies(None), graph.name_scope(where and where + "/"):
            self._create(graph, initial_value, validate_shape, name, dtype, shape)
        graph.add_to_collections(list(collections), self)

    def _create(
        self, graph: Graph, initial_value: Any, validate_shape: bool, name: str | None, dtype: Any, shape: Any
    ) -> None:
        with graph.name_scope("Variable" if name is None else name) as scope:
            if callable(initial_value):
                with graph.name_scope("Initializer"):
                    initial = convert_to_tensor(initial_value(), dtype, name="initial_value")
            else:
                initial = convert_to_tensor(initial_value, dtype, name="initial_value")
            if initial.graph is not graph and initial.graph.building_function:
                raise ValueError(
                    f"Initializer for variable {scope} is from inside a control-flow construct, such as a loop or "
                    "conditional. When creating a variable inside a loop or conditional, use a lambda as the "
                    "initializer."
                )
            if shape is None:
                shape = initial.shape if validate_shape else TensorShape(None)
                if validate_shape and not shape.is_fully_defined():
                    raise ValueError(f"initial_value must have a shape specified: {initial}")
            op = graph.create_op(
                "VariableV2",
                [],
                name=scope,
                attrs={
                    "dtype": initial.dtype.base_dtype,
                    "shape": as_shape(shape),
                    "container": "",
                    "shared_name": "",
                },
            )
            self._variable = op._outputs[0]
            self._initial_value: Tensor | None = initial
            assigned = apply(
                "Assign",
                self._variable,
                initial,
                validate_shape=validate_shape and as_shape(shape).is_fully_defined(),
                name="Assign",
            )
            self._initializer_op: Operation = assigned.op
            self._snapshot: Tensor = apply("Identity", self._variable, name="read")

    def _init_from_proto(self, proto: Any, import_scope: str | None) -> None:
        from tensorboard.compat.proto import variable_pb2

        if not isinstance(proto, variable_pb2.VariableDef):
            raise TypeError(f"`variable_def` must be a VariableDef protocol buffer, not {type(proto).__name__}.")
        if proto.is_resource:
            raise ValueError("Trying to restore a `ResourceVariable` as a `Variable`.")
        graph = get_default_graph()

        def find(element: str) -> Any:
            return graph.as_graph_element(f"{import_scope}/{element}" if import_scope else element)

        self._variable = find(proto.variable_name)
        self._initializer_op = find(proto.initializer_name)
        self._initial_value = find(proto.initial_value_name) if proto.initial_value_name else None
        self._snapshot = find(proto.snapshot_name)
        self._trainable = proto.trainable
        self._synchronization = VariableSynchronization(proto.synchronization)
        self._aggregation = VariableAggregation(proto.aggregation)
        self._init_slice_from_proto(proto, import_scope)

    def _init_slice_from_proto(self, proto: Any, import_scope: str | None) -> None:
        """Notes which slice of a larger variable this is, if it is one."""
        if proto.HasField("save_slice_info_def"):
            definition = proto.save_slice_info_def
            self._save_slice_info = save_slices.SaveSliceInfo(save_slice_info_def=definition, import_scope=import_scope)

    # -- what it is -----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the variable's tensor, such as ``'w:0'``."""
        return self._variable.name

    @property
    def _shared_name(self) -> str:
        return self._variable.op.name

    @property
    def op(self) -> Operation:
        """The `VariableV2` operation that holds the value."""
        return self._variable._op

    @property
    def dtype(self) -> dtypes.DType:
        """The type, marked as a reference (``float32_ref``)."""
        return self._variable._dtype

    @property
    def shape(self) -> TensorShape:
        """The static shape."""
        return self._variable._shape

    def get_shape(self) -> TensorShape:
        """The static shape."""
        return self._variable._shape

    def set_shape(self, shape: Any) -> None:
        """Adds what the caller knows of the shape.

        Args:
            shape: A shape that does not contradict what is known.

        Raises:
            ValueError: If it does.
        """
        self._variable.set_shape(shape)
        self._snapshot.set_shape(shape)

    @property
    def graph(self) -> Graph:
        """The graph that holds this variable."""
        return self._variable.graph

    @property
    def device(self) -> str:
        """The device asked for, or an empty string."""
        return self._variable.device

    @property
    def trainable(self) -> bool:
        """Whether optimizers change it by default."""
        return self._trainable

    @property
    def constraint(self) -> Callable[[Any], Any] | None:
        """The function that projects the value after an optimizer's update, or None."""
        return self._constraint

    @property
    def synchronization(self) -> VariableSynchronization:
        """What the constructor got."""
        return self._synchronization

    @property
    def aggregation(self) -> VariableAggregation:
        """What the constructor got."""
        return self._aggregation

    @property
    def initial_value(self) -> Tensor:
        """The tensor that initializes the variable; using it may compute it anew."""
        if self._initial_value is None:
            raise ValueError(f"The variable {self.name!r} was imported without its initial value.")
        return self._initial_value

    @property
    def initializer(self) -> Operation:
        """The operation that sets the initial value."""
        return self._initializer_op

    def _set_save_slice_info(self, save_slice_info: save_slices.SaveSliceInfo | None) -> None:
        self._save_slice_info = save_slice_info

    def _get_save_slice_info(self) -> save_slices.SaveSliceInfo | None:
        return self._save_slice_info

    def _as_graph_element(self) -> Tensor:
        return self._variable

    def _ref(self) -> Tensor:
        return self._variable

    def _as_tensor(self, name: str | None = None) -> Tensor:
        return self._snapshot

    # -- its value ------------------------------------------------------------------------------------------

    def value(self) -> Tensor:
        """The tensor (``<name>/read``) that reads the variable wherever it is used."""
        return self._snapshot

    def read_value(self) -> Tensor:
        """A new tensor with the value at this place in the program's order.

        Returns:
            The tensor.
        """
        result: Tensor = apply("Identity", self._variable, name="read")
        return result

    def initialized_value(self) -> Tensor:
        """The value, for use in the initial value of another variable.

        Initializers run in the order in which the variables were created, so this variable's runs first whenever
        both are asked for.

        Returns:
            The tensor.
        """
        return self._snapshot

    def eval(self, session: Any = None) -> Any:
        """The value in a session.

        Args:
            session: The session; the default one when None.

        Returns:
            A NumPy array (a NumPy scalar when the rank is 0).

        Raises:
            ValueError: If there is no session.
            FailedPreconditionError: If the variable is not initialized.
        """
        return self._variable.eval(session=session)

    def load(self, value: Any, session: Any = None) -> None:
        """Sets the value in a session, without adding to the graph.

        Args:
            value: The new value: an array of the variable's shape.
            session: The session; the default one when None.

        Raises:
            ValueError: If there is no session.
        """
        self._initializer_op.run({self._initializer_op.inputs[1]: value}, session)

    def _changed(self, op_type: str, name: str | None, read_value: bool, *args: Any, **attrs: Any) -> Any:
        result = apply(op_type, self._variable, *args, name=name, **attrs)
        return result if read_value else result.op

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """An operation that gives the variable a new value.

        Args:
            value: The new value, of the variable's type and shape.
            use_locking: Accepted; updates are always whole.
            name: The operation's name.
            read_value: Whether to return the tensor of the new value, not the operation.

        Returns:
            A tensor that holds the new value after the assignment; the operation when `read_value` is False.
        """
        return self._changed("Assign", name, read_value, value, use_locking=use_locking)

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """An operation that adds to the variable; see `assign`."""
        return self._changed("AssignAdd", name, read_value, delta, use_locking=use_locking)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """An operation that subtracts from the variable; see `assign`."""
        return self._changed("AssignSub", name, read_value, delta, use_locking=use_locking)

    def _scattered(self, op_type: str, sparse_delta: Any, use_locking: bool, name: str | None) -> Any:
        if not (hasattr(sparse_delta, "indices") and hasattr(sparse_delta, "values")):
            raise TypeError(f"sparse_delta is not IndexedSlices: {sparse_delta}")
        return apply(
            op_type, self._variable, sparse_delta.indices, sparse_delta.values, name=name, use_locking=use_locking
        )

    def scatter_add(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """An operation that adds `IndexedSlices` to rows of the variable.

        Args:
            sparse_delta: The `IndexedSlices`.
            use_locking: Accepted; updates are always whole.
            name: The operation's name.

        Returns:
            A tensor that holds the new value after the update.

        Raises:
            TypeError: If `sparse_delta` is no `IndexedSlices`.
        """
        return self._scattered("ScatterAdd", sparse_delta, use_locking, name)

    def scatter_sub(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """An operation that subtracts `IndexedSlices` from rows; see `scatter_add`."""
        return self._scattered("ScatterSub", sparse_delta, use_locking, name)

    def scatter_max(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """An operation that sets rows to the greater of theirs and those of `IndexedSlices`; see `scatter_add`."""
        return self._scattered("ScatterMax", sparse_delta, use_locking, name)

    def scatter_min(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """An operation that sets rows to the lesser of theirs and those of `IndexedSlices`; see `scatter_add`."""
        return self._scattered("ScatterMin", sparse_delta, use_locking, name)

    def scatter_mul(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """An operation that multiplies rows by `IndexedSlices`; see `scatter_add`."""
        return self._scattered("ScatterMul", sparse_delta, use_locking, name)

    def scatter_div(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """An operation that divides rows by `IndexedSlices`; see `scatter_add`."""
        return self._scattered("ScatterDiv", sparse_delta, use_locking, name)

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """An operation that sets rows to those of `IndexedSlices`; see `scatter_add`."""
        return self._scattered("ScatterUpdate", sparse_delta, use_locking, name)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """An operation that adds to slices of the variable.

        Args:
            indices: The slices' indices, ``[..., depth]``.
            updates: What to add to each, ``[..., the slices' shape]``.
            name: The operation's name.

        Returns:
            A tensor that holds the new value after the update.
        """
        return apply("ScatterNdAdd", self._variable, indices, updates, name=name, use_locking=True)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """An operation that subtracts from slices of the variable; see `scatter_nd_add`."""
        return apply("ScatterNdSub", self._variable, indices, updates, name=name, use_locking=True)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """An operation that sets slices of the variable; see `scatter_nd_add`."""
        return apply("ScatterNdUpdate", self._variable, indices, updates, name=name, use_locking=True)

    # -- as a protocol buffer ---------------------------------------------------------------------------------

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The variable as TensorFlow's `VariableDef` protocol buffer, as it stands in MetaGraphs.

        Args:
            export_scope: A name scope to take away from the names.

        Returns:
            The protocol buffer; None for a variable outside `export_scope`.
        """
        from tensorboard.compat.proto import variable_pb2

        if export_scope is not None and not self._variable.name.startswith(export_scope):
            return None
        prefix = "" if not export_scope else export_scope.rstrip("/") + "/"
        proto = variable_pb2.VariableDef(
            variable_name=self._variable.name.removeprefix(prefix),
            initializer_name=self._initializer_op.name.removeprefix(prefix),
            snapshot_name=self._snapshot.name.removeprefix(prefix),
            trainable=self._trainable,
            synchronization=self._synchronization.value,
            aggregation=self._aggregation.value,
        )
        if self._initial_value is not None:
            proto.initial_value_name = self._initial_value.name.removeprefix(prefix)
        slice_proto = None if self._save_slice_info is None else self._save_slice_info.to_proto(export_scope)
        if slice_proto is not None:
            proto.save_slice_info_def.CopyFrom(slice_proto)
        return proto

    @staticmethod
    def from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
        """The variable of the default graph that a `VariableDef` describes.

        Args:
            variable_def: The protocol buffer.
            import_scope: A name scope to put before the names.

        Returns:
            A `Variable`.
        """
        return Variable(variable_def=variable_def, import_scope=import_scope)

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}>"

    def __iter__(self) -> Iterator[Any]:
        # Without this, Python would count up through __getitem__, without end.
        raise TypeError("'Variable' object is not iterable.")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"Cannot convert a symbolic variable ({self.name}) to a numpy array: run it in a session first."
        )

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other
