"""`Graph`: operations in the order of their creation, with names, scopes, control dependencies and collections."""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from monitored._graph import dtypes, infer
from monitored._graph.creation_site import creation_site
from monitored._graph.defaults import DefaultStack
from monitored._graph.device_spec import merge_names
from monitored._graph.function_def import add_library
from monitored._graph.node_def import to_node_def
from monitored._graph.opdef import OpDef, lookup
from monitored._graph.operation import Operation, Tensor
from monitored._graph.scopes import Controls, Scopes, device_text
from monitored._graph.shapes import TensorShape

_OP_NAME: Final = re.compile(r"^[A-Za-z0-9.][A-Za-z0-9_.\\/-]*$")
_SCOPE_NAME: Final = re.compile(r"^[A-Za-z0-9_.\\/-]*$")
_TENSOR_NAMES: Final = 'Tensor names must be of the form "<op_name>:<output_index>".'


# What has a value without being run waits for nothing, so nothing waits for others through it.
_SOURCES: Final = frozenset({"Const", "Placeholder", "VariableV2"})


class Graph:
    """A set of operations and the tensors that flow between them.

    A graph only describes a computation; a `Session` carries it out. `with graph.as_default():` makes it the one
    to which new operations go.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._operations: list[Operation] = []
        self._by_name: dict[str, Operation] = {}
        self._names_in_use: dict[str, int] = {}
        self._scopes = Scopes()
        self._collections: dict[Any, list[Any]] = {}
        self._unfeedable: set[Tensor] = set()
        self._unfetchable: set[Any] = set()
        self._finalized = False
        self._version = 0
        self._iterators: dict[str, Any] = {}  # name in a checkpoint -> what has a position to be saved
        self._next_id = 0
        self.seed: int | None = None

    # -- making operations ----------------------------------------------------------------------------------

    def create_op(
        self,
        op_type: str,
        inputs: Sequence[Tensor],
        *,
        name: str | None = None,
        attrs: dict[str, Any] | None = None,
    ) -> Operation:
        """Adds an operation to the graph.

        Args:
            op_type: TensorFlow's name of the type.
            inputs: The input tensors.
            name: A name, made unique within the current scope; one that ends with ``/`` is taken as it is.
                The type by default.
            attrs: Every attribute of the type.

        Returns:
            The new operation.

        Raises:
            RuntimeError: If the graph is finalized.
            ValueError: If the inputs' shapes do not fit or the name is not a valid one.
            KeyError: If there is no such type.
        """
        definition = lookup(op_type)
        attrs = {} if attrs is None else attrs
        with self._lock:
            if self._finalized:
                site = "{}:{} in {}".format(*creation_site())
                raise RuntimeError(
                    f"Graph is finalized and cannot be modified. '{name or op_type}' of type {op_type} was to be added "
                    f"at {site}. Make operations before the session that finalizes the graph, or in a hook's `begin`."
                )
            name = op_type if name is None else name
            name = name[:-1] if name.endswith("/") else self.unique_name(name)
            if not _OP_NAME.match(name):
                raise ValueError(f"'{name}' is not a valid node name")
            own = tuple([t if t._op._graph is self else self._captured(t) for t in inputs])
            op = Operation(
                self,
                definition,
                name,
                own,
                attrs,
                self._control_inputs_for(own),
                self._scopes.device,
                creation_site(),
                self._next_id,
            )
            if self._scopes.device_functions:
                op._device = self._scopes.device_of(op)
            if self._scopes.container and attrs.get("container") in ("", b""):
                attrs["container"] = self._scopes.container
            if op_type in self._scopes.gradient_types:
                attrs["_gradient_op_type"] = self._scopes.gradient_types[op_type]
            types = _output_types(definition, attrs)
            unknown = TensorShape(None)
            op._outputs = tuple([Tensor(op, i, dtype, unknown) for i, dtype in enumerate(types)])
            if types:
                for tensor, shape in zip(op._outputs, infer.infer_shapes(op), strict=True):
                    tensor._shape = shape
            self._add(op)
        return op

    def _add(self, op: Operation) -> None:
        self._next_id += 1
        self._version += 1
        self._operations.append(op)
        self._by_name[op._name] = op
        for tensor in op._inputs:
            tensor._consumers.append(op)
        if op.type not in _SOURCES:
            for controls in self._scopes.controls:
                controls.seen.add(op)

    def _captured(self, tensor: Tensor) -> Tensor:
        raise ValueError(f"{tensor} must be from the same graph as the other operations of {self}.")

    def _captured_tensor(self, tensor: Tensor) -> Tensor | None:
        """What an argument of a function graph stands for in the graph around it; None for other tensors."""
        return None

    def _control_inputs_for(self, inputs: Sequence[Tensor]) -> tuple[Operation, ...]:
        if not self._scopes.controls:
            return ()
        producers = {t._op for t in inputs}
        found: dict[Operation, None] = {}
        for controls in self._scopes.controls:
            # An input made within the block already waits for what the block waits for.
            if controls.seen.isdisjoint(producers):
                found.update(dict.fromkeys(controls.ops))
        return tuple([op for op in found if op not in producers])

    def _check_not_finalized(self) -> None:
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")

    # -- scopes ---------------------------------------------------------------------------------------------

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """A name in the current scope that no operation or scope has yet.

        Args:
            name: The wanted name; a suffix ``_1``, ``_2``, ... is added when it is taken.
            mark_as_used: Whether to take it.

        Returns:
            The full name.
        """
        if self._scopes.name:
            name = f"{self._scopes.name}/{name}"
        key = name.lower()
        count = self._names_in_use.get(key, 0)
        if mark_as_used:
            self._names_in_use[key] = count + 1
        if count:
            base = key
            while key in self._names_in_use:
                key = f"{base}_{count}"
                count += 1
            if mark_as_used:
                self._names_in_use[key] = 1
            name = f"{name}_{count - 1}"
        return name

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Prefixes the names of operations made within the block.

        Args:
            name: The scope's name, made unique; one that ends with ``/`` re-enters that very scope; None or an
                empty string leaves all scopes.

        Yields:
            The full scope, ending with ``/`` (empty for the root).

        Raises:
            ValueError: If the name is not a valid scope name.
        """
        old = self._scopes.name
        if name:
            pattern = _SCOPE_NAME if old else _OP_NAME
            if not pattern.match(name):
                raise ValueError(f"'{name}' is not a valid scope name")
        if not name:
            new = ""
        elif name.endswith("/"):
            new = name[:-1]
        else:
            new = self.unique_name(name)
        self._scopes.name = new
        try:
            yield f"{new}/" if new else ""
        finally:
            self._scopes.name = old

    def get_name_scope(self) -> str:
        """The current name scope, without a slash at its end."""
        return self._scopes.name

    @contextmanager
    def control_dependencies(self, control_inputs: Iterable[Any] | None) -> Iterator[None]:
        """Makes operations created within the block run after the given ones.

        Args:
            control_inputs: Operations, tensors, variables or their names. None clears all dependencies around.

        Yields:
            Nothing.

        Raises:
            TypeError: If one of them is no such thing.
            ValueError: If one of them is of another graph.
        """
        old = self._scopes.controls
        if control_inputs is None:
            self._scopes.controls = []
        else:
            ops: dict[Operation, None] = {}
            for item in control_inputs:
                element = self.as_graph_element(item)
                ops[element._op if isinstance(element, Tensor) else element] = None
            self._scopes.controls = [*old, Controls(tuple(ops))]
        try:
            yield
        finally:
            self._scopes.controls = old

    @contextmanager
    def device(self, device_name_or_function: Any) -> Iterator[None]:
        """Asks for a device for the operations made within the block.

        Args:
            device_name_or_function: A name such as ``'/cpu:0'`` or a `DeviceSpec`, which adds to what blocks around
                it ask for; None to ask for none; or a function that is called with each operation and gives its
                device.

        Yields:
            Nothing.

        Raises:
            ValueError: If it is no name of a device.
            TypeError: If it is something else.
        """
        scopes, wanted = self._scopes, device_name_or_function
        old = scopes.device, scopes.device_functions
        if wanted is None:
            scopes.device, scopes.device_functions = "", ()
        elif callable(wanted):
            scopes.device_functions = (*(scopes.device_functions or (scopes.device,)), wanted)
        elif scopes.device_functions:
            scopes.device_functions = (*scopes.device_functions, merge_names("", device_text(wanted)))
        else:
            scopes.device = merge_names(scopes.device, device_text(wanted))
        try:
            yield
        finally:
            scopes.device, scopes.device_functions = old

    @contextmanager
    def container(self, container_name: str) -> Iterator[str]:
        """Names the container, an attribute, of the variables and queues made within the block.

        Args:
            container_name: The name.

        Yields:
            The name.
        """
        scopes = self._scopes
        old, scopes.container = scopes.container, container_name.encode()
        try:
            yield container_name
        finally:
            scopes.container = old

    @contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """Places the operations made within the block on the device of another.

        Args:
            op: The operation or tensor whose device to use; None for no change.
            ignore_existing: Accepted as TensorFlow does; scopes around have no effect on the innermost.

        Yields:
            Nothing.
        """
        scopes = self._scopes
        old = scopes.device, scopes.device_functions
        if op is not None:
            scopes.device, scopes.device_functions = self.as_graph_element(op).device, ()
        try:
            yield
        finally:
            scopes.device, scopes.device_functions = old

    @contextmanager
    def gradient_override_map(self, op_type_map: Mapping[str, str]) -> Iterator[None]:
        """Gives operations made within the block other gradients than their type's.

        Args:
            op_type_map: For each type of operation the name under which `RegisterGradient` knows the gradient.

        Yields:
            Nothing.

        Raises:
            TypeError: If it is no mapping of strings to strings.
        """
        if not isinstance(op_type_map, Mapping) or not all(
            isinstance(name, str) for pair in op_type_map.items() for name in pair
        ):
            raise TypeError("op_type_map must be a dictionary mapping strings to strings")
        old = self._scopes.gradient_types
        self._scopes.gradient_types = {**old, **op_type_map}
        try:
            yield
        finally:
            self._scopes.gradient_types = old

    def as_default(self) -> AbstractContextManager[Graph]:
        """Makes this the default graph of the thread within a block.

        Returns:
            A context manager that gives this graph.
        """
        return _stack.pushed(self)

    # -- looking up -----------------------------------------------------------------------------------------

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """The tensor or operation of this graph that an object means.

        Args:
            obj: A `Tensor`, an `Operation`, a variable, or a name (``'op'`` or ``'op:0'``).
            allow_tensor: Whether a tensor will do.
            allow_operation: Whether an operation will do.

        Returns:
            The `Tensor` or `Operation`.

        Raises:
            TypeError: If `obj` means neither, or the kind that is not allowed.
            ValueError: If it is of another graph.
            KeyError: If no element has that name.
        """
        wanted = " or ".join(["Tensor"] * allow_tensor + ["Operation"] * allow_operation)
        if not wanted:
            raise ValueError("allow_tensor and allow_operation can't both be False.")
        if not isinstance(obj, (Tensor, Operation, str)) and hasattr(obj, "_as_graph_element"):
            obj = obj._as_graph_element()
        if isinstance(obj, bytes):
            obj = obj.decode()
        if isinstance(obj, str):
            return self._by_element_name(obj, allow_tensor, allow_operation)
        if isinstance(obj, Tensor) and allow_tensor:
            if obj.graph is not self:
                raise ValueError(
                    f"Tensor {obj} is not an element of this graph. It is of another graph, created at "
                    f"{obj.op.creation_site}."
                )
            return obj
        if isinstance(obj, Operation) and allow_operation:
            if obj.graph is not self:
                raise ValueError(
                    f"Operation {obj.name} (op: '{obj.type}') is not an element of this graph. It is of another graph, "
                    f"created at {obj.creation_site}."
                )
            return obj
        raise TypeError(f"Can not convert a {type(obj).__name__} into a {wanted}.")

    def _by_element_name(self, name: str, allow_tensor: bool, allow_operation: bool) -> Any:
        op_name, colon, index = name.partition(":")
        op = self._by_name.get(op_name)
        if colon and allow_tensor:
            if not index.isdigit():
                raise ValueError(f"The name {name!r} looks like a Tensor name, but is not a valid one. {_TENSOR_NAMES}")
            if op is None:
                raise KeyError(
                    f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, does not "
                    f"exist in the graph.{self._similar(op_name)}"
                )
            if int(index) >= len(op._outputs):
                raise KeyError(
                    f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, exists "
                    f"but only has {len(op._outputs)} outputs."
                )
            return op._outputs[int(index)]
        if colon:
            raise ValueError(f"Name {name!r} appears to refer to a Tensor, not a Operation.")
        if op is None and not allow_operation:
            raise ValueError(f"The name {name!r} looks like an (invalid) Operation name, not a Tensor. {_TENSOR_NAMES}")
        if op is None:
            raise KeyError(f"The name {name!r} refers to an Operation not in the graph.{self._similar(name)}")
        if not allow_operation:
            raise ValueError(f"The name {name!r} refers to an Operation, not a Tensor. {_TENSOR_NAMES}")
        return op

    def _similar(self, name: str) -> str:
        found = difflib.get_close_matches(name, self._by_name)
        return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""

    def get_operations(self) -> list[Operation]:
        """The operations, in the order of their creation."""
        return list(self._operations)

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation of a name.

        Raises:
            TypeError: If `name` is no string.
            KeyError: If there is none.
        """
        if not isinstance(name, str):
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        found: Operation = self.as_graph_element(name, allow_tensor=False)
        return found

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor of a name of the form ``'op:index'``.

        Raises:
            TypeError: If `name` is no string.
            ValueError: If it names an operation.
            KeyError: If there is none.
        """
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        found: Tensor = self.as_graph_element(name, allow_operation=False)
        return found

    # -- collections ----------------------------------------------------------------------------------------

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Adds a value to a collection; one that is there already is added again."""
        self._check_not_finalized()
        with self._lock:
            self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Adds a value to several collections (a name or an iterable of names), once to each."""
        for name in (names,) if isinstance(names, str) else dict.fromkeys(names):
            self.add_to_collection(name, value)

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """A copy of a collection.

        Args:
            name: The collection's name.
            scope: A regular expression: only items whose ``name`` it matches at the start are returned.

        Returns:
            The values, in the order in which they were added.
        """
        values = self._collections.get(name, [])
        if scope is None:
            return list(values)
        pattern = re.compile(scope)
        return [v for v in values if hasattr(v, "name") and pattern.match(v.name)]

    def get_collection_ref(self, name: Any) -> list[Any]:
        """The collection itself: changing the list changes the graph."""
        return self._collections.setdefault(name, [])

    def get_all_collection_keys(self) -> list[str]:
        """The names of all collections that are strings."""
        return [name for name in self._collections if isinstance(name, str)]

    @property
    def collections(self) -> list[str]:
        """The names of all collections."""
        return list(self._collections)

    def clear_collection(self, name: Any) -> None:
        """Empties a collection."""
        self._check_not_finalized()
        self._collections.pop(name, None)

    # -- state ----------------------------------------------------------------------------------------------

    def finalize(self) -> None:
        """Forbids any further change."""
        self._finalized = True

    def _unsafe_unfinalize(self) -> None:
        self._finalized = False

    @property
    def finalized(self) -> bool:
        """Whether the graph can no longer change."""
        return self._finalized

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._version

    @property
    def building_function(self) -> bool:
        """Whether this is the body of a branch or a loop."""
        return False

    def prevent_feeding(self, tensor: Tensor) -> None:
        """Forbids feeding a tensor."""
        self._unfeedable.add(tensor)

    def is_feedable(self, tensor: Tensor) -> bool:
        """Whether a tensor may be fed."""
        return tensor not in self._unfeedable

    def prevent_fetching(self, op: Any) -> None:
        """Forbids fetching an operation or a tensor of it."""
        self._unfetchable.add(op)

    def is_fetchable(self, tensor_or_op: Any) -> bool:
        """Whether a tensor or operation may be fetched."""
        op = tensor_or_op.op if isinstance(tensor_or_op, Tensor) else tensor_or_op
        return tensor_or_op not in self._unfetchable and op not in self._unfetchable

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        """The graph as TensorFlow's `GraphDef` protocol buffer.

        Args:
            from_version: Only operations added since the graph had this `version`.
            add_shapes: Whether to add the static shapes as attribute ``_output_shapes``.

        Returns:
            The protocol buffer.
        """
        from tensorboard.compat.proto import graph_pb2

        proto = graph_pb2.GraphDef()
        proto.versions.producer = 134
        ops = [op for op in self._operations if from_version is None or op._id >= from_version]
        names = add_library(proto, ops)
        for op in ops:
            node = proto.node.add()
            node.CopyFrom(to_node_def(op, names))
            if add_shapes and op._outputs:
                shapes = node.attr["_output_shapes"].list
                shapes.shape.extend(t.shape.as_proto() for t in op._outputs)
        return proto


def _output_types(definition: OpDef, attrs: dict[str, Any]) -> list[dtypes.DType]:
    types: list[dtypes.DType] = []
    for arg in definition.outputs:
        if arg.type_list_attr:
            types.extend(attrs[arg.type_list_attr])
            continue
        dtype = arg.dtype or attrs[arg.type_attr or ""]
        dtype = dtype._as_ref if arg.is_ref else dtype
        types.extend([dtype] * (attrs[arg.number_attr] if arg.number_attr else 1))
    return types


_stack: DefaultStack[Graph] = DefaultStack()
_global_default: Graph = Graph()


def get_default_graph() -> Graph:
    """The default graph of the thread: the innermost entered, or the process's own.

    Returns:
        The graph to which new operations go.
    """
    return _stack.items[-1] if _stack.items else _global_default


def reset_default_graph() -> None:
    """Replaces the process's default graph by a new one.

    Raises:
        AssertionError: If called within ``with graph.as_default()``.
    """
    global _global_default
    if _stack.items:
        raise AssertionError(
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared graph, exit the nesting "
            "and create a new graph."
        )
    _global_default = Graph()
