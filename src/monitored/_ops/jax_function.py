"""The door to JAX: any traceable function as one operation of the graph, and variables made from a pytree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from monitored._graph import build, dtypes
from monitored._graph.graph import get_default_graph
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.variables import Variable

__all__ = ["jax_function", "variable_tree"]

_PROBES = (61, 67)  # sizes that stand for unknown dimensions; where results differ, they are unknown


class _Function:
    """A JAX function of flat arrays, as an attribute of its operation."""

    def __init__(
        self, function: Callable[..., Any], leaves: list[Any], places: list[int], tree: Any, name: str
    ) -> None:
        self.name = name
        self._function = function
        self._leaves = leaves
        self._places = places  # which leaves are tensors; the others are fixed
        self._tree = tree
        self.tags: list[str] = []
        self.result_tree: Any = None

    def _flat(self, *arrays: Any) -> list[Any]:
        leaves = list(self._leaves)
        for place, array in zip(self._places, arrays, strict=True):
            leaves[place] = array
        args, kwargs = jax.tree.unflatten(self._tree, leaves)
        # Written for JAX's defaults, a function may count on `jnp.zeros(n)` being float32.
        with jax.enable_x64(any(np.dtype(a.dtype).itemsize >= 8 and not jnp.iscomplexobj(a) for a in arrays)):
            results, self.result_tree = jax.tree.flatten(self._function(*args, **kwargs))
            return [jnp.asarray(r) for r in results]

    def trace(self, abstract: Sequence[Any]) -> list[Any]:
        """Finds the tags and the abstract values of all outputs, tagged values last."""
        jaxpr = jax.make_jaxpr(self._flat)(*abstract)
        found: dict[str, Any] = {}
        _find_tags(jaxpr.jaxpr, found)
        self.tags = list(found)
        return [*jaxpr.out_avals, *found.values()]

    def __call__(self, *arrays: Any) -> list[Any]:
        """The outputs, then the tagged values."""
        if not self.tags:
            return self._flat(*arrays)
        jaxpr = jax.make_jaxpr(self._flat)(*(jax.ShapeDtypeStruct(np.shape(a), a.dtype) for a in arrays))  # type: ignore[no-untyped-call]
        tagged: dict[str, Any] = {}
        outputs = _evaluate(jaxpr.jaxpr, jaxpr.consts, arrays, tagged)
        return [*outputs, *(tagged[tag] for tag in self.tags)]


def _inlined(equation: Any) -> Any:
    """The closed jaxpr of an equation that only calls another function; None for the others."""
    return equation.params["jaxpr"] if equation.primitive.name in ("jit", "pjit") else None


def _find_tags(jaxpr: Any, found: dict[str, Any]) -> None:
    for equation in jaxpr.eqns:
        inner = _inlined(equation)
        if inner is not None:
            _find_tags(inner.jaxpr, found)
        elif equation.primitive.name == "name":
            found[equation.params["name"]] = equation.outvars[0].aval


def _evaluate(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any], tagged: dict[str, Any]) -> list[Any]:
    """Evaluates a jaxpr, noting the values that `jax.ad_checkpoint.checkpoint_name` tagged."""
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))

    def value(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else values[atom]

    for equation in jaxpr.eqns:
        inputs = [value(atom) for atom in equation.invars]
        inner = _inlined(equation)
        if inner is not None:
            results = _evaluate(inner.jaxpr, inner.consts, inputs, tagged)
        else:
            bound = equation.primitive.get_bind_params(equation.params)
            functions, params = bound if isinstance(bound, tuple) else ((), bound)  # some releases of JAX give a pair
            results = equation.primitive.bind(*functions, *inputs, **params)
            if not equation.primitive.multiple_results:
                results = [results]
            if equation.primitive.name == "name":
                tagged[equation.params["name"]] = results[0]
        values.update(zip(equation.outvars, results, strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _lower(*arrays: Any, function: _Function) -> list[Any]:
    return function(*arrays)


define(
    "JaxFunction", "inputs:[Tin] -> outputs:[Tout]", _lower, infer=lambda op: op._attrs["output_shapes"],
    function=REQUIRED, output_shapes=REQUIRED,
)  # fmt: skip


def jax_function(function: Callable[..., Any], *args: Any, name: str | None = None, **kwargs: Any) -> Any:
    """Puts a JAX function into the graph as one operation.

    The function is traced with the shapes that are known; it may itself be jitted, and its own derivative rules
    (`jax.custom_vjp`, `jax.custom_jvp`) are respected by `gradients`. A value tagged in it with
    `jax.ad_checkpoint.checkpoint_name(x, tag)`, outside loops and branches, becomes the tensor ``<name>/<tag>:0``,
    which costs nothing unless it is fetched.

    Args:
        function: A traceable function of pytrees. A function that needs random keys gets one as an argument.
        args: Pytrees; tensors, variables and arrays in them are traced, all other leaves (flags, strings, Python
            numbers) are fixed.
        name: The operation's name; the function's by default.
        kwargs: More such pytrees, by keyword.

    Returns:
        What the function returns, with tensors as leaves.

    Raises:
        TypeError: If the function cannot be traced with such arguments.
        ValueError: If shapes do not fit.
    """
    label = name or getattr(function, "__name__", type(function).__name__).strip("<>_") or "jax_function"
    leaves, tree = jax.tree.flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if _is_traced(leaf)]
    graph = get_default_graph()
    with graph.name_scope(label) as scope:
        inputs = [build.convert_to_tensor(leaves[i]) for i in places]
        call = _Function(function, leaves, places, tree, label)
        outputs = _abstract_outputs(call, inputs)
        op = graph.create_op(
            "JaxFunction",
            inputs,
            name=scope,
            attrs={
                "Tin": [t.dtype.base_dtype for t in inputs],
                "Tout": [dtype for dtype, _ in outputs],
                "function": call,
                "output_shapes": [shape for _, shape in outputs],
            },
        )
        results, tagged = op.outputs[: len(outputs) - len(call.tags)], op.outputs[len(outputs) - len(call.tags) :]
        for tag, tensor in zip(call.tags, tagged, strict=True):
            build.apply("Identity", tensor, name=tag)
    return jax.tree.unflatten(call.result_tree, results)


def _is_traced(leaf: Any) -> bool:
    return isinstance(leaf, (Tensor, np.ndarray, np.generic, jax.Array)) or hasattr(leaf, "_as_tensor")


def _abstract_outputs(call: _Function, inputs: list[Tensor]) -> list[tuple[dtypes.DType, TensorShape]]:
    if any(t.shape.ndims is None for t in inputs):
        unknown = next(t for t in inputs if t.shape.ndims is None)
        raise ValueError(
            f"jax_function '{call.name}' needs the rank of every input; that of {unknown.name} is unknown."
        )
    partly = any(not t.shape.is_fully_defined() for t in inputs)
    traced = []
    for probe in _PROBES if partly else _PROBES[:1]:
        with jax.enable_x64(True):
            traced.append(call.trace([_abstract(t, probe) for t in inputs]))
    return [
        (dtypes.as_dtype(a.dtype), TensorShape([m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)]))
        for a, b in zip(traced[0], traced[-1], strict=True)
    ]


def _abstract(tensor: Tensor, probe: int) -> Any:
    sizes = [probe if s is None else s for s in tensor.shape.as_list()]
    return jax.ShapeDtypeStruct(sizes, np.dtype(tensor.dtype.as_numpy_dtype))  # type: ignore[no-untyped-call]


def variable_tree(tree: Any, name: str = "params", trainable: bool = True) -> Any:
    """Makes a variable of each array in a pytree: the parameters of a Flax or Equinox model, say.

    Args:
        tree: A pytree of arrays, which are the initial values.
        name: A scope for the variables' names; each is named by its path in the tree.
        trainable: Whether optimizers train them by default.

    Returns:
        The pytree with a `Variable` in place of each array, to be given to `jax_function`.
    """
    paths, structure = jax.tree.flatten_with_path(tree)
    variables = [
        Variable(np.asarray(leaf), trainable=trainable, name="/".join([name, *(_path_part(p) for p in path)]))
        for path, leaf in paths
    ]
    return jax.tree.unflatten(structure, variables)


def _path_part(key: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)
