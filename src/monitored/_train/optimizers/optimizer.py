"""`Optimizer`: what all optimizers share, and what a new one must define."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Operation, Tensor
from monitored._ops import control_flow
from monitored._ops import training as _training  # noqa: F401  # the op types
from monitored._ops.gradients import gradients
from monitored._ops.variable_ops import assign_add, trainable_variables
from monitored._ops.variables import Variable
from monitored._train.optimizers import slot_creator

__all__ = ["Optimizer"]

_VALID_DTYPES: Final = frozenset({dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64})


class Optimizer:
    """The base of all optimizers: computes gradients and adds the operations that apply them.

    `minimize` does both; between `compute_gradients` and `apply_gradients` a program may change the gradients::

        optimizer = tf.train.AdamOptimizer(0.001)
        pairs = optimizer.compute_gradients(loss)
        train_op = optimizer.apply_gradients([(tf.clip_by_norm(g, 1.0), v) for g, v in pairs])

    A new optimizer defines `_apply_dense`, and `_apply_sparse` for gradients that are `IndexedSlices`; when it keeps
    variables of its own `_create_slots`, to make tensors of its parameters `_prepare`, and `_finish` for what is to
    be done once after all variables are updated.

    Args:
        use_locking: Accepted; updates are always whole.
        name: The name of the operations and of the optimizer's variables.

    Raises:
        ValueError: If there is no name.
    """

    GATE_NONE: ClassVar[int] = 0
    GATE_OP: ClassVar[int] = 1
    GATE_GRAPH: ClassVar[int] = 2

    def __init__(self, use_locking: bool, name: str) -> None:
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._use_locking = use_locking
        self._name = name
        self._slots: dict[str, dict[Any, Any]] = {}  # slot's name -> variable's key -> slot
        self._non_slot_dict: dict[tuple[str, Graph], Any] = {}

    def get_name(self) -> str:
        """The optimizer's name."""
        return self._name

    # -- what a program calls -------------------------------------------------------------------------------

    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: int | None = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Any:
        """Adds what makes `loss` smaller: `compute_gradients` and `apply_gradients` in one.

        Args:
            loss: A tensor.
            global_step: A variable to be increased by one after the update.
            var_list: The variables to change; those in ``GraphKeys.TRAINABLE_VARIABLES`` by default.
            gate_gradients: One of `GATE_NONE`, `GATE_OP`, `GATE_GRAPH`.
            aggregation_method: How partial gradients are summed (`AggregationMethod`).
            colocate_gradients_with_ops: Accepted; XLA places the work.
            name: The operation's name; the optimizer's by default.
            grad_loss: A gradient for `loss`; ones by default.

        Returns:
            The operation that updates the variables, and the global step.

        Raises:
            ValueError: If `loss` depends on none of the variables.
        """
        grads_and_vars = self.compute_gradients(
            loss,
            var_list=var_list,
            gate_gradients=gate_gradients,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
            grad_loss=grad_loss,
        )
        if all(gradient is None for gradient, _ in grads_and_vars):
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not support gradients, "
                f"between variables {[str(v) for _, v in grads_and_vars]} and loss {loss}."
            )
        return self.apply_gradients(grads_and_vars, global_step=global_step, name=name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: int | None = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Any]]:
        """Adds the gradients of `loss`.

        Args:
            loss: A tensor, or a function without arguments that gives one.
            var_list: The variables; those in ``GraphKeys.TRAINABLE_VARIABLES`` by default.
            gate_gradients: One of `GATE_NONE`, `GATE_OP`, `GATE_GRAPH`.
            aggregation_method: How partial gradients are summed (`AggregationMethod`).
            colocate_gradients_with_ops: Accepted; XLA places the work.
            grad_loss: A gradient for `loss`; ones by default.

        Returns:
            Pairs of gradient and variable; a gradient may be a tensor, `IndexedSlices`, or None where `loss` does not
            depend on the variable.

        Raises:
            ValueError: If there are no variables, or an argument is not valid.
        """
        if gate_gradients not in (Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH):
            raise ValueError(
                "gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH.  "
                f"Not {gate_gradients}"
            )
        if callable(loss):
            loss = loss()
        self._assert_valid_dtypes([loss])
        if grad_loss is not None:
            self._assert_valid_dtypes([grad_loss])
        variables = trainable_variables() if var_list is None else _flattened(var_list)
        if not variables:
            raise ValueError("No variables to optimize.")
        for variable in variables:
            if not isinstance(variable, (Variable, Tensor)):
                raise NotImplementedError(f"Trying to optimize unsupported type {variable}")
        grads = gradients(
            loss,
            variables,
            grad_ys=grad_loss,
            gate_gradients=gate_gradients == Optimizer.GATE_OP,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )
        if gate_gradients == Optimizer.GATE_GRAPH:
            grads = control_flow.tuple(grads)
        pairs = list(zip(grads, variables, strict=True))
        self._assert_valid_dtypes([v for g, v in pairs if g is not None])
        return pairs

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[Any, Any]], global_step: Any = None, name: str | None = None
    ) -> Any:
        """Adds the update of variables by gradients.

        Args:
            grads_and_vars: Pairs of gradient and variable, as `compute_gradients` gives them.
            global_step: A variable to be increased by one after the update.
            name: The operation's name; the optimizer's by default.

        Returns:
            The operation that updates the variables, and the global step. It is added to ``GraphKeys.TRAIN_OP``.

        Raises:
            TypeError: If a gradient is none.
            ValueError: If there are no variables, or none has a gradient.
        """
        pairs = [(_as_gradient(g), v) for g, v in grads_and_vars]
        if not pairs:
            raise ValueError("No variables provided.")
        variables = [v for g, v in pairs if g is not None]
        if not variables:
            raise ValueError(f"No gradients provided for any variable: {[str(v) for _, v in pairs]}.")
        for variable in variables:
            if not isinstance(variable, Variable):
                raise NotImplementedError("Trying to update a Tensor ", variable)
        graph = get_default_graph()
        with graph.control_dependencies(None):
            self._create_slots(variables)
        with graph.name_scope(self._name if name is None else name) as scope:
            self._prepare()
            updates = []
            for gradient, variable in pairs:
                if gradient is not None:
                    with graph.name_scope(f"update_{variable.op.name}"), graph.colocate_with(_outer(graph, variable)):
                        updates.append(self._update(gradient, variable))
            train_op: Any
            if global_step is None:
                train_op = self._finish(updates, scope)
            else:
                with graph.control_dependencies([self._finish(updates, "update")]):
                    train_op = assign_add(global_step, 1, name=scope)
        if isinstance(train_op, Tensor):
            train_op = train_op.op
        train_ops = graph.get_collection_ref(GraphKeys.TRAIN_OP)
        if train_op not in train_ops and not graph.building_function:
            train_ops.append(train_op)
        return train_op

    def _update(self, gradient: Tensor | IndexedSlices, variable: Variable) -> Any:
        """The update of one variable, and of its constraint."""
        if isinstance(gradient, Tensor):
            update = self._apply_dense(gradient, variable)
            if variable.constraint is None:
                return update
            with get_default_graph().control_dependencies([update]):
                return variable.assign(variable.constraint(variable))
        if variable.constraint is not None:
            raise RuntimeError("Cannot use a constraint function on a sparse variable.")
        return self._apply_sparse_duplicate_indices(gradient, variable)

    def get_slot(self, var: Any, name: str) -> Any:
        """A variable that the optimizer keeps beside another.

        Args:
            var: The variable that was given to `minimize` or `apply_gradients`.
            name: The slot's name.

        Returns:
            The slot, or None when there is none.
        """
        return self._slots.get(name, {}).get(_var_key(var))

    def get_slot_names(self) -> list[str]:
        """The names of the slots that the optimizer makes."""
        return sorted(self._slots)

    def variables(self) -> list[Any]:
        """The variables that hold the optimizer's state in the default graph.

        Returns:
            The slots and other variables, in the order of their names.
        """
        graph = get_default_graph()
        found = [v for (_, owner), v in self._non_slot_dict.items() if owner is graph]
        for slots in self._slots.values():
            found.extend(slot for (owner, _), slot in slots.items() if owner is graph)
        return sorted(found, key=lambda v: v.name)

    # -- what a new optimizer defines -------------------------------------------------------------------------

    def _valid_dtypes(self) -> frozenset[dtypes.DType]:
        """The types that losses, gradients and variables may have."""
        return _VALID_DTYPES

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        """Makes the slots and other variables that the optimizer keeps."""

    def _prepare(self) -> None:
        """Makes tensors of the parameters, before the updates."""

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        """The operation that updates `var` by a gradient of its shape."""
        return self._resource_apply_dense(grad, var)

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        """Used when a subclass defines this and not `_apply_dense`."""
        raise NotImplementedError(f"{type(self).__name__} does not define _apply_dense(grad, var).")

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        """The operation that updates rows of `var`, where one may occur several times.

        By default their gradients are summed, and `_apply_sparse` is called. A subclass for which it makes no
        difference may define this instead.
        """
        sums, indices = apply("SumDuplicateRows", grad.values, grad.indices, name="Unique")
        return self._apply_sparse(IndexedSlices(sums, indices, grad.dense_shape), var)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        """The operation that updates rows of `var`, each at most once.

        A row that was added to another is zeros now, and its index lies beyond the end; updates of rows leave it out.
        """
        return self._resource_apply_sparse(grad.values, var, grad.indices)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        """Used when a subclass defines this and not `_apply_sparse`."""
        raise NotImplementedError(f"{type(self).__name__} does not define _apply_sparse(grad, var).")

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Any:
        """The operation of that name that finishes all the updates."""
        return control_flow.group(*update_ops, name=name_scope)

    # -- what it may use for that -----------------------------------------------------------------------------

    def _call_if_callable(self, param: Any) -> Any:
        """A parameter's value: parameters may be functions without arguments."""
        return param() if callable(param) else param

    def _assert_valid_dtypes(self, tensors: Iterable[Any]) -> None:
        """Raises ValueError unless all tensors have valid types."""
        valid = self._valid_dtypes()
        for tensor in tensors:
            dtype = tensor.dtype.base_dtype
            if dtype not in valid:
                raise ValueError(
                    f"Invalid type {dtype!r} for {tensor.name}, expected: {sorted(valid, key=lambda t: t.name)}."
                )

    def _slot_dict(self, slot_name: str) -> dict[Any, Any]:
        """The slots of one name, by variable."""
        return self._slots.setdefault(slot_name, {})

    def _slot(self, var: Any, slot_name: str, make: Callable[[], Any]) -> Any:
        slots = self._slot_dict(slot_name)
        key = _var_key(var)
        if key not in slots:
            slots[key] = make()
        return slots[key]

    def _get_or_make_slot(self, var: Any, val: Any, slot_name: str, op_name: str) -> Any:
        """The slot of a variable, made with an initial value when there is none."""
        return self._slot(var, slot_name, lambda: slot_creator.create_slot(var, val, op_name))

    def _get_or_make_slot_with_initializer(
        self, var: Any, initializer: Any, shape: Any, dtype: Any, slot_name: str, op_name: str
    ) -> Any:
        """The slot of a variable, made with an initializer when there is none."""
        return self._slot(
            var,
            slot_name,
            lambda: slot_creator.create_slot_with_initializer(var, initializer, shape, dtype, op_name),
        )

    def _zeros_slot(self, var: Any, slot_name: str, op_name: str) -> Any:
        """The slot of a variable, made with zeros when there is none."""
        return self._slot(var, slot_name, lambda: slot_creator.create_zeros_slot(var, op_name))

    def _create_non_slot_variable(self, initial_value: Any, name: str, colocate_with: Any) -> Any:
        """A variable that belongs to no single other, made when there is none of its name."""
        key = (name, colocate_with.graph)
        if key not in self._non_slot_dict:
            self._non_slot_dict[key] = Variable(initial_value, name=name, trainable=False)
        return self._non_slot_dict[key]

    def _get_non_slot_variable(self, name: str, graph: Graph | None = None) -> Any:
        """The variable that `_create_non_slot_variable` made, or None."""
        return self._non_slot_dict.get((name, get_default_graph() if graph is None else graph))

    def _non_slot_variables(self) -> list[Any]:
        """All variables that `_create_non_slot_variable` made."""
        return list(self._non_slot_dict.values())


def _var_key(var: Any) -> tuple[Graph, str]:
    return var.op.graph, var.op.name


def _flattened(structure: Any) -> list[Any]:
    if isinstance(structure, dict):
        return [v for key in sorted(structure) for v in _flattened(structure[key])]
    if isinstance(structure, (list, tuple, set, frozenset)):
        return [v for item in structure for v in _flattened(item)]
    return [structure]


def _as_gradient(gradient: Any) -> Tensor | IndexedSlices | None:
    if gradient is None or isinstance(gradient, IndexedSlices):
        return gradient
    try:
        return convert_to_tensor(gradient)
    except TypeError:
        raise TypeError(f"Gradient must be convertible to a Tensor or IndexedSlices, or None: {gradient}") from None


def _outer(graph: Graph, variable: Variable) -> Operation | None:
    """The variable's operation if it can be colocated with: one of the same graph."""
    return variable.op if variable.graph is graph else None
