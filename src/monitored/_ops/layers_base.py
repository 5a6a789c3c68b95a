"""`Layer`: a function of tensors with variables of its own, made when it is first called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from monitored._graph import dtypes, nest
from monitored._graph.build import convert_to_tensor
from monitored._graph.collections import GraphKeys
from monitored._graph.constant import constant_value
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.operation import Operation, Tensor
from monitored._ops import activations
from monitored._ops.array import identity
from monitored._ops.array import shape as shape_of
from monitored._ops.casts import cast
from monitored._ops.control_flow import cond
from monitored._ops.math import tanh
from monitored._ops.partitioned_variables import PartitionedVariable
from monitored._ops.variable_scope import get_variable, variable_scope
from monitored._ops.variable_store import VariableScope
from monitored._ops.variables import Variable, VariableAggregation, VariableSynchronization

__all__ = ["Layer"]

_UIDS = ("__layer_uids",)  # a collection whose name is no string is not exported


class Layer:
    """The base of layers: `build` makes the variables at the first call, `call` does the work.

    The variables of a layer stand in a variable scope of its name, made unique where the layer is first called. Calls
    after the first use the same variables.

    Args:
        trainable: Whether optimizers train the variables by default.
        name: The layer's name; made from the class's name by default.
        dtype: The type of the variables; that of the first inputs by default.
        kwargs: ``_scope`` (a name or `VariableScope` to stand in) and ``_reuse`` (whether to share the variables that
            are there).

    Raises:
        TypeError: For another keyword.
    """

    activity_regularizer: Any = None

    def __init__(self, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        scope, self._reuse = kwargs.pop("_scope", None), kwargs.pop("_reuse", None)
        for keyword in kwargs:
            raise TypeError("Keyword argument not understood:", keyword)
        self._trainable = trainable
        self._dtype = None if dtype is None else dtypes.as_dtype(dtype)
        self.built = False
        self._graph = get_default_graph()
        self._scope: VariableScope | None = None
        self._opened: VariableScope | None = None
        self._weights: list[Variable] = []
        self._trained: list[Variable] = []
        self._updates: list[Operation] = []
        self._losses: list[Tensor] = []
        if scope:
            with variable_scope(scope) as captured:
                self._scope = captured
        self._base_name: str = name or _snake_case(type(self).__name__)
        self._name: str = name or _unique(self._base_name)

    # -- what it is -----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def dtype(self) -> Any:
        """The type of the variables as a name, None before the first call unless it was given."""
        return None if self._dtype is None else self._dtype.name

    @property
    def graph(self) -> Graph:
        """The graph in which the layer was made."""
        return self._graph

    @property
    def scope_name(self) -> str:
        """The name of the variable scope.

        Raises:
            ValueError: If the layer has not been called yet.
        """
        if self._scope is None:
            raise ValueError(
                f'No name available for layer scope because the layer "{self._name}" has not been used yet. The scope '
                "name is determined the first time the layer instance is called. You must therefore call the layer "
                "before querying `scope_name`."
            )
        return self._scope.name

    @property
    def trainable(self) -> bool:
        """Whether its variables are to be trained; setting it changes `trainable_variables` alone."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value

    @property
    def weights(self) -> list[Variable]:
        """The variables, those that are trained first."""
        return [*self.trainable_weights, *self.non_trainable_weights]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The variables that are trained."""
        return list(self._trained) if self._trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The variables that are not trained."""
        trained = self.trainable_weights
        return [v for v in (*self._trained, *self._weights) if v not in trained]

    @property
    def variables(self) -> list[Variable]:
        """The variables, those that are trained first."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that are trained."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that are not trained."""
        return self.non_trainable_weights

    @property
    def updates(self) -> list[Operation]:
        """The operations that the layer wants to be run with every training step."""
        return list(self._updates)

    @property
    def losses(self) -> list[Tensor]:
        """The losses of regularizers, and those added."""
        return list(self._losses)

    # -- for subclasses -------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Makes the variables; to be overridden.

        Args:
            input_shape: The `TensorShape` of the first call's inputs, in their structure.
        """
        self.built = True

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Does the layer's work; to be overridden.

        Args:
            inputs: The tensors that the layer was called with.
            args: The other arguments of the call.
            kwargs: The other arguments of the call.

        Returns:
            The outputs.
        """
        return inputs

    def add_weight(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        trainable: bool | None = None,
        constraint: Any = None,
        use_resource: bool | None = None,
        synchronization: VariableSynchronization = VariableSynchronization.AUTO,
        aggregation: VariableAggregation = VariableAggregation.NONE,
        partitioner: Any = None,
        **kwargs: Any,
    ) -> Variable:
        """Makes a variable of the layer, in `build`; see `get_variable`.

        Args:
            name: The name, within the layer's scope.
            shape: The shape.
            dtype: The type; the layer's by default.
            initializer: An initializer; the scope's by default.
            regularizer: A function of the variable that gives a loss.
            trainable: Whether it is trained (True, unless `synchronization` says that it is only read).
            constraint: A function that projects the value after an optimizer's update.
            use_resource: Accepted as TensorFlow does.
            synchronization: Accepted for distributed programs.
            aggregation: Accepted for distributed programs.
            partitioner: See `get_variable`.
            kwargs: None.

        Returns:
            The variable.
        """
        if kwargs:
            raise TypeError("Unknown keyword argument:", next(iter(kwargs)))
        if trainable is None:
            trainable = synchronization is not VariableSynchronization.ON_READ
        graph = get_default_graph()
        existing = set(graph.get_collection(GraphKeys.GLOBAL_VARIABLES)) if regularizer else set()
        with (
            variable_scope(self._scope, reuse=self.built or self._reuse, auxiliary_name_scope=False) as scope,
            graph.name_scope(scope.original_name_scope),
        ):
            variable = get_variable(
                name,
                shape=shape,
                initializer=initializer,
                dtype=dtypes.as_dtype(dtype or self._dtype or dtypes.float32),
                constraint=constraint,
                trainable=trainable and self._trainable,
                partitioner=partitioner,
                use_resource=use_resource,
                synchronization=synchronization,
                aggregation=aggregation,
            )
        # The scope's regularizer, if it has one, counts besides the layer's own.
        for part in variable if isinstance(variable, PartitionedVariable) else [variable]:
            if regularizer and part not in existing:
                with graph.name_scope(f"{part.op.name}/Regularizer/"):
                    self.add_loss(regularizer(part))
        self._track(variable, trainable)
        result: Variable = variable
        return result

    add_variable = add_weight

    def _track(self, variable: Variable, trainable: bool) -> None:
        kept = self._trained if trainable else self._weights
        if variable not in self._trained and variable not in self._weights:
            kept.append(variable)

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Adds operations to be run with every training step, to the collection ``GraphKeys.UPDATE_OPS``.

        Args:
            updates: An operation or tensor, or a list of them.
            inputs: Accepted as TensorFlow does.
        """
        found: list[Operation] = []
        for update in updates if isinstance(updates, (list, tuple)) else [updates]:
            found.append(update.op if isinstance(update, Tensor) else update)
        self._updates.extend(found)
        _add_once(GraphKeys.UPDATE_OPS, found)

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Adds losses, to the collection ``GraphKeys.REGULARIZATION_LOSSES``.

        Args:
            losses: A scalar tensor, or a list of them.
            inputs: Accepted as TensorFlow does.
        """
        found = list(losses) if isinstance(losses, (list, tuple)) else [losses]
        self._losses.extend(found)
        _add_once(GraphKeys.REGULARIZATION_LOSSES, found)

    # -- calling --------------------------------------------------------------------------------------------

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The same as calling the layer.

        Args:
            inputs: See `__call__`.
            args: See `__call__`.
            kwargs: See `__call__`.

        Returns:
            The outputs.
        """
        return self(inputs, *args, **kwargs)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Applies the layer, making its variables the first time.

        Args:
            inputs: A tensor, or a nested structure of tensors.
            args: Passed on to `call`.
            kwargs: Passed on to `call`, except ``scope``: the variable scope of a first call.

        Returns:
            What `call` gives.
        """
        inputs = nest.map_structure(_as_tensor, inputs)
        with self._entered(kwargs.pop("scope", None)):
            if not self.built:
                leaves = nest.flatten(inputs)
                if self._dtype is None and leaves:
                    self._dtype = leaves[0].dtype.base_dtype
                self._check(inputs)
                self.build(nest.map_structure(lambda t: t.shape, inputs))
                self.built = True
            else:
                self._check(inputs)
            outputs = self.call(inputs, *args, **kwargs)
            if self.activity_regularizer is not None:
                self._regularize(outputs)
            return outputs

    def _regularize(self, outputs: Any) -> None:
        with get_default_graph().name_scope("ActivityRegularizer"):
            for output in nest.flatten(outputs):
                loss = self.activity_regularizer(output)
                self.add_loss(loss / cast(shape_of(output)[0], loss.dtype))

    def _check(self, inputs: Any) -> None:
        """Checks the inputs; for subclasses."""

    def _check_rank(self, inputs: Tensor, rank: int | None = None, at_least: int | None = None) -> None:
        found = inputs.shape.ndims
        label = f"Input 0 of layer {self._name} is incompatible with the layer: "
        if found is None:
            raise ValueError(f"{label}its rank is undefined, but the layer requires a defined rank.")
        if rank is not None and found != rank:
            raise ValueError(
                f"{label}expected ndim={rank}, found ndim={found}. Full shape received: {inputs.shape.as_list()}"
            )
        if at_least is not None and found < at_least:
            raise ValueError(
                f"{label}: expected min_ndim={at_least}, found ndim={found}. "
                f"Full shape received: {inputs.shape.as_list()}"
            )

    @contextmanager
    def _entered(self, scope: Any) -> Iterator[None]:
        """The layer's variable scope, and the name scope that was opened with it."""
        if self._scope is None:
            given = scope if scope is not None or not self._reuse else self._base_name
            with variable_scope(given, default_name=self._base_name) as captured:
                self._scope = captured
        reuse = True if self.built else self._reuse
        with (
            variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as current,
            get_default_graph().name_scope(current.original_name_scope),
        ):
            yield


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else convert_to_tensor(value)


def _add_once(collection: str, elements: list[Any]) -> None:
    graph = get_default_graph()
    known = graph.get_collection_ref(collection)
    for element in elements:
        if element not in known:
            graph.add_to_collection(collection, element)


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return f"private{name}" if name.startswith("_") else name


def _unique(base: str) -> str:
    """A name for a layer: ``dense_1``, ``dense_2``, ... in the graph."""
    found = get_default_graph().get_collection_ref(_UIDS)
    if not found:
        found.append({})
    uids: dict[str, int] = found[0]
    uids[base] = uids.get(base, 0) + 1
    return f"{base}_{uids[base]}"


def smart_cond(predicate: Any, true_fn: Any, false_fn: Any) -> Any:
    """`cond`, decided now where the predicate is a Python value or known from the graph."""
    known = known_bool(predicate)
    if known is None:
        return cond(predicate, true_fn, false_fn)
    return true_fn() if known else false_fn()


def known_bool(predicate: Any) -> bool | None:
    """The value of a predicate, None where it is known only when the graph runs."""
    if isinstance(predicate, Variable):
        return None
    if isinstance(predicate, Tensor):
        value = constant_value(predicate)
        return None if value is None else bool(value)
    return bool(predicate)


def as_function(layer: type[Layer], public: str, computes: str, shares: bool = True) -> Callable[..., Tensor]:
    """The function that makes a layer and calls it, with the layer's arguments after ``inputs``.

    Args:
        layer: The class.
        public: The function's name.
        computes: The first line of its docstring.
        shares: Whether it takes ``reuse``: whether to share the variables of a layer of the same name.

    Returns:
        The function.
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    own = [p for p in inspect.signature(layer).parameters.values() if p.kind is kind]
    parameters = [inspect.Parameter("inputs", kind), *own]
    if shares:
        parameters.append(inspect.Parameter("reuse", kind, default=None))
    signature = inspect.Signature(parameters)

    def function(*args: Any, **kwargs: Any) -> Tensor:
        given = signature.bind(*args, **kwargs).arguments
        inputs = given.pop("inputs")
        if shares:
            given.update(_scope=given.get("name"), _reuse=given.pop("reuse", None))
        result: Tensor = layer(**given)(inputs)
        return result

    # Python 3.13 takes the indentation out of docstrings, older ones leave it in.
    _, _, arguments = inspect.cleandoc(layer.__doc__ or "").partition("Args:\n")
    listed = "\n".join(line for line in arguments.splitlines() if not line.strip().startswith("kwargs:")).rstrip()
    reuse = "\n    reuse: Whether to share the variables of a layer of that name." if shares else ""
    arguments = f"Args:\n    inputs: A tensor.\n{listed}{reuse}"
    function.__doc__ = f"{computes}\n\n{arguments}\n\nReturns:\n    The outputs.\n"
    function.__name__ = function.__qualname__ = public
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def activation_of(activation: Any, default: Any = None) -> Any:
    """The function that an argument means: itself, one of `nn` by its name, or the default."""
    if not activation:
        return default
    if not isinstance(activation, str):
        return activation
    if activation == "linear":
        return identity
    found = tanh if activation == "tanh" else getattr(activations, activation, None)
    if found is None:
        raise ValueError(f"Unknown activation function:{activation}")
    return found
