"""`OptaxOptimizer`: any optax gradient transformation as an optimizer of this API.

The leaves of the transformation's state become variables, so they are saved, restored and fetched as all others. The
update of all parameters is one operation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.graph import get_default_graph
from monitored._graph.opdef import REQUIRED, define, find
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops import control_flow
from monitored._ops.variable_scope import get_variable, variable_scope
from monitored._ops.variables import Variable
from monitored._train.optimizers.optimizer import Optimizer

__all__ = ["OptaxOptimizer"]


class OptaxOptimizer(Optimizer):
    """Applies an optax gradient transformation.

    The parameters are seen by the transformation as a dict from the variables' names (``v.op.name``) to their values,
    as masks and labels of `optax.masked` and `optax.multi_transform` want to know. State that belongs to a variable
    is in a variable beside it (``w/Optax/mu``, and `get_slot(w, "mu")`), other state under the optimizer's name
    (``Optax/count``). What `optax.inject_hyperparams` makes is a variable, too: ``Optax/hyperparams/learning_rate``.

        optimizer = tf.train.OptaxOptimizer(optax.adamw(1e-3))
        train_op = optimizer.minimize(loss, global_step)

    One optimizer changes one set of variables; state starts from their values at the time of initialization. A
    transformation that asks for the loss (``value``) gets what `minimize` was given.

    Args:
        transformation: An `optax.GradientTransformation`.
        name: The name of the operations and of the state's variables.

    Raises:
        TypeError: If `transformation` is none.
    """

    def __init__(self, transformation: Any, name: str = "Optax") -> None:
        super().__init__(False, name)
        if not (callable(getattr(transformation, "init", None)) and callable(getattr(transformation, "update", None))):
            raise TypeError(
                f"`transformation` must be an optax.GradientTransformation such as optax.adam(1e-3), not "
                f"{transformation!r}."
            )
        self._transformation = transformation
        self._loss: Any = None
        self._state: dict[Any, tuple[_Traced, list[Any]]] = {}  # graph -> the traced state and its variables
        self._pending: list[tuple[Tensor, Any]] = []

    def compute_gradients(self, loss: Any, *args: Any, **kwargs: Any) -> list[tuple[Any, Any]]:
        """Adds the gradients of `loss`; see `Optimizer.compute_gradients`."""
        self._loss = loss = loss() if callable(loss) else loss
        return super().compute_gradients(loss, *args, **kwargs)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        graph = var_list[0].graph
        names = [var.op.name for var in var_list]
        if graph in self._state:
            known = self._state[graph][0].names
            if sorted(names) != known:
                raise ValueError(
                    f"This OptaxOptimizer keeps state for the variables {known}, and cannot be applied to {names}: "
                    "use another OptaxOptimizer for another set of variables."
                )
            return
        variables = dict(sorted(zip(names, var_list, strict=True)))
        traced = _Traced(self._transformation, variables)
        initial = apply("OptaxInit", list(variables.values()), Tout=traced.dtypes, name=f"{self._name}/init", of=traced)
        leaves = [
            self._variable(place, variables, value) for place, value in zip(traced.places(), initial, strict=True)
        ]
        self._state[graph] = traced, leaves

    def _variable(self, place: tuple[str | None, str], variables: dict[str, Any], initial: Tensor) -> Any:
        """The variable for one leaf of the state."""
        owner, slot = place
        if owner is None:
            key = (slot, initial.graph)
            self._non_slot_dict[key] = Variable(initial, name=f"{self._name}/{slot}", trainable=False)
            return self._non_slot_dict[key]

        def make() -> Any:
            with variable_scope(None, f"{owner}/{self._name}/{slot}"):
                return get_variable("", initializer=initial, trainable=False)

        return self._slot(variables[owner], slot, make)

    def _prepare(self) -> None:
        self._pending = []

    def _update(self, gradient: Any, variable: Any) -> Any:
        # One after another they are only noted; `_finish` applies them all.
        self._pending.append((convert_to_tensor(gradient), variable))

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Any:
        graph = get_default_graph()
        gradients = {var.op.name: gradient for gradient, var in self._pending}
        variables = {var.op.name: var for _, var in self._pending}
        traced, state = self._state[next(iter(variables.values())).graph]
        arguments = [gradients[name] for name in traced.names]
        loss = self._loss
        value = isinstance(loss, Tensor) and loss.graph is graph and loss.shape.ndims == 0 and traced.takes_value
        if value:
            arguments.append(loss)
        refs = [*state, *(variables[name] for name in traced.names)]
        constrained = [var for var in variables.values() if var.constraint is not None]
        op_type = _update_type(len(refs))
        if not constrained:
            return apply(op_type, refs, arguments, name=name_scope, of=traced, value=value)
        update = apply(op_type, refs, arguments, name="apply", of=traced, value=value)
        with graph.control_dependencies([update]):
            projected = [var.assign(var.constraint(var)) for var in constrained]
        return control_flow.group(update, *projected, name=name_scope)


class _Traced:
    """A transformation with the structure of its state for certain parameters, found by abstract evaluation.

    Attributes:
        names: The parameters' names, sorted, as JAX has the keys of dicts.
        dtypes: The types of the state's leaves.
        shapes: Their shapes.
        takes_value: Whether the update may be given the loss.
    """

    def __init__(self, transformation: Any, variables: dict[str, Any]) -> None:
        import optax

        self.transformation = transformation
        self.names = sorted(variables)
        self._owners = frozenset(variables)
        self.takes_value = isinstance(transformation, optax.GradientTransformationExtraArgs)
        params = {name: self._abstract(variables[name]) for name in self.names}
        # JAX's own rule for types, unless the parameters are wider.
        self._x64 = any(p.dtype.itemsize >= 8 for p in params.values())
        with jax.enable_x64(self._x64):
            state = jax.eval_shape(transformation.init, params)
            with_paths, self._structure = jax.tree_util.tree_flatten_with_path(state)
            self._paths = [path for path, _ in with_paths]
            leaves = [leaf for _, leaf in with_paths]
            self._key_types = [leaf.dtype if _is_key(leaf) else None for leaf in leaves]
            stored = [jax.eval_shape(_stored, leaf) if _is_key(leaf) else leaf for leaf in leaves]
        self.dtypes = [dtypes.as_dtype(leaf.dtype) for leaf in stored]
        self.shapes = [TensorShape(leaf.shape) for leaf in stored]

    @property
    def name(self) -> str:
        """What stands for the transformation in a GraphDef."""
        return f"optax.{getattr(self.transformation.update, '__qualname__', 'update').split('.')[0]}"

    @staticmethod
    def _abstract(variable: Any) -> jax.ShapeDtypeStruct:
        if not variable.shape.is_fully_defined():
            raise ValueError(f"OptaxOptimizer needs the shape of {variable.name}, which is {variable.shape}.")
        dtype = np.dtype(variable.dtype.base_dtype.as_numpy_dtype)
        return jax.ShapeDtypeStruct(tuple(variable.shape.as_list()), dtype)  # type: ignore[no-untyped-call]

    def places(self) -> list[tuple[str | None, str]]:
        """For each leaf the name of the parameter that it belongs to, and a name of its own.

        Positions in a chain of transformations are left out of the names where they stay distinct without.
        """
        short = [self._place(path, positions=False) for path in self._paths]
        count = Counter(short)
        return [
            place if count[place] == 1 else self._place(path, positions=True)
            for place, path in zip(short, self._paths, strict=True)
        ]

    def _place(self, path: Any, positions: bool) -> tuple[str | None, str]:
        owner = None
        parts = []
        for key in path:
            label = getattr(key, "name", getattr(key, "key", None))
            if owner is None and isinstance(key, jax.tree_util.DictKey) and label in self._owners:
                owner = str(label)
            elif label is not None:
                parts.append(re.sub(r"[^A-Za-z0-9_.\\-]", "_", str(label)))
            elif positions:
                parts.append(str(key.idx))
        return owner, "/".join(parts) or "state"

    def init(self, params: Sequence[Any]) -> tuple[Any, ...]:
        """The state's leaves for the parameters' values."""
        with jax.enable_x64(self._x64):
            state = self.transformation.init(dict(zip(self.names, params, strict=True)))
            return tuple(_stored(leaf) for leaf in jax.tree_util.tree_leaves(state))

    def update(
        self, leaves: Sequence[Any], params: Sequence[Any], gradients: Sequence[Any], value: Any
    ) -> tuple[Any, ...]:
        """The new leaves and the new parameters, one after another."""
        import optax

        extra = {} if value is None else {"value": value}
        with jax.enable_x64(self._x64):
            old = dict(zip(self.names, params, strict=True))
            state = jax.tree_util.tree_unflatten(
                self._structure, [_loaded(leaf, kind) for leaf, kind in zip(leaves, self._key_types, strict=True)]
            )
            updates, state = self.transformation.update(
                dict(zip(self.names, gradients, strict=True)), state, old, **extra
            )
            new = optax.apply_updates(old, updates)
            new_leaves = [_stored(leaf) for leaf in jax.tree_util.tree_leaves(state)]
            return (*new_leaves, *(new[name] for name in self.names))


def _is_key(leaf: Any) -> bool:
    return bool(jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _stored(leaf: Any) -> Any:
    """A leaf as a plain array: keys of JAX's random numbers are types of their own."""
    leaf = jax.numpy.asarray(leaf) if not hasattr(leaf, "dtype") else leaf
    return jax.random.key_data(leaf) if _is_key(leaf) else jax.numpy.asarray(leaf)


def _loaded(leaf: Any, key_type: Any) -> Any:
    leaf = jax.numpy.asarray(leaf)
    return leaf if key_type is None else jax.random.wrap_key_data(leaf, impl=key_type._impl.name)


def _init(*params: Any, of: _Traced) -> tuple[Any, ...]:
    return of.init(params)


def _update(*values: Any, of: _Traced, value: bool) -> tuple[Any, ...]:
    rest, loss = (values[:-1], values[-1]) if value else (values, None)
    count = len(of.names)
    leaves, params, gradients = rest[: -2 * count], rest[-2 * count : -count], rest[-count:]
    return of.update(leaves, params, gradients, loss)


def _state_shapes(op: Operation) -> list[TensorShape]:
    shapes: list[TensorShape] = op.get_attr("of").shapes
    return shapes


define("OptaxInit", "params:[Tin] -> state:[Tout]", _init, infer=_state_shapes, no_grad=True, of=REQUIRED)


def _update_type(refs: int) -> str:
    """The type of the operation that updates so many variables: which inputs an op changes belongs to its type."""
    op_type = f"OptaxUpdate_{refs}"
    if find(op_type) is None:
        define(
            op_type, "refs:&[Tref] inputs:[Tin] ->", _update, updates=range(refs), no_grad=True, of=REQUIRED,
            value=False,
        )  # fmt: skip
    return op_type
