"""`custom_gradient` and `hessians`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from monitored._graph import build, nest
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Operation, Tensor
from monitored._ops.array import identity, identity_n, reshape
from monitored._ops.gradients import RegisterGradient, gradients
from monitored._ops.joining import stack

__all__ = ["custom_gradient", "hessians"]


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator for a function that says what its own gradient is.

        @tf.custom_gradient
        def log1pexp(x):
            e = tf.exp(x)
            def grad(dy):
                return dy * (1 - 1 / (1 + e))
            return tf.math.log(1 + e), grad

    Args:
        f: ``f(*x)`` returns ``(y, grad_fn)``; ``grad_fn(*dy)`` gives the gradients with respect to each x.

    Returns:
        A function with the same arguments that returns ``y``.
    """

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise ValueError("The custom_gradient decorator currently supports keywords arguments only when eager.")
        inputs = [identity(build.convert_to_tensor(x)) for x in args]
        result, grad_fn = f(*inputs)
        outputs = [build.convert_to_tensor(y) for y in nest.flatten(result)]
        graph = get_default_graph()
        name = f"CustomGradient-{graph.unique_name('custom_gradient')}-{id(grad_fn)}"

        @RegisterGradient(name)
        def gradient(op: Operation, *received: Tensor) -> list[Any]:
            given = nest.flatten(grad_fn(*received[: len(outputs)]))
            if len(given) != len(inputs):
                raise ValueError(
                    f"custom_gradient function expected to return {len(inputs)} gradients but returned {len(given)} "
                    "instead."
                )
            return [None] * len(outputs) + given

        # The inputs stand beside the outputs, so that what flows back goes to them and not through `f`.
        with graph.gradient_override_map({"IdentityN": name}):
            passed = identity_n([*outputs, *inputs])
        return nest.pack_sequence_as(result, passed[: len(outputs)])

    return decorated


def hessians(
    ys: Any,
    xs: Any,
    name: str = "hessians",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
) -> list[Tensor]:
    """The second derivatives of the sum of `ys` with respect to each of `xs`.

    Args:
        ys: A tensor or list of tensors.
        xs: A tensor or list of tensors, of known shapes.
        name: A name scope.
        colocate_gradients_with_ops: See `gradients`.
        gate_gradients: See `gradients`.
        aggregation_method: See `gradients`.

    Returns:
        For each x a tensor of shape ``x.shape + x.shape``.

    Raises:
        ValueError: If the shape of an x is not known.
    """
    targets = list(xs) if isinstance(xs, (list, tuple)) else [xs]
    results = []
    with get_default_graph().name_scope(name):
        for x, first in zip(targets, gradients(ys, targets), strict=True):
            count = x.shape.num_elements()
            if count is None:
                raise ValueError(f"hessians needs the shape of {x.name}, which is {x.shape}.")
            flat = reshape(first, [-1])
            rows = [reshape(gradients(flat[i], x)[0], [-1]) for i in range(count)]
            sizes = x.shape.as_list()
            results.append(reshape(stack(rows), [*sizes, *sizes]))
    return results
