"""Guarded segments: those that keep their state when a number is not finite.

Where a segment holds a `GuardUpdates`, each variable that it changes is selected, ``where(finite, new, old)``, within
the same executable, so that nobody has to wait or ask. How, decides what it costs:

- On a GPU the loop that computes the new values selects them, and nothing is computed twice.
- XLA for CPUs makes a loop for each variable. Those of an optimizer's formula share values (Adam's moments), which it
  would compute again and again from copies of the old ones: a fifth of the time of a small network's step. So such a
  formula becomes a branch, in which variables are updated in place.
- To select after an update of rows, the whole variable would be copied. It gets indices beyond the end instead, which
  change nothing.
- What was changed before the guard's answer is known is selected at the end of the segment.

Random streams go on in any case, and so do the variables that the guard exempts, such as the global step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from monitored._graph.effects import VARIABLE_TYPES, bodies_of, effects_of, variable_of
from monitored._graph.operation import Operation

Array = Any
State = dict[Operation, Array]

GUARD: Final = "GuardUpdates"
_LARGE: Final = 4096  # elements; copying fewer takes less time than a branch


def is_guarded(ops: Iterable[Operation]) -> bool:
    """Whether a segment of these operations keeps its state when a number is not finite."""
    return any(op.type == GUARD for op in ops)


class Guard:
    """What becomes of the state of a guarded segment.

    Args:
        ops: The segment's operations; without a `GuardUpdates` among them the guard does nothing.
    """

    def __init__(self, ops: Sequence[Operation]) -> None:
        places = [place for place, op in enumerate(ops) if op.type == GUARD]
        self._tensors = [ops[place]._outputs[0] for place in places]
        self._exempt = {name for place in places for name in ops[place]._attrs["exempt"]}
        after = ops[places[-1] + 1 :] if places else ()
        self._selecting = {op for op in after if op.op_def.updates and not bodies_of(op)}
        others = [op for op in ops if op not in self._selecting] if places else []
        self._rest = {state for op in others for state in effects_of(op).writes if self._covers(state)}

    def _covers(self, state: Operation) -> bool:
        return state.type in VARIABLE_TYPES and state.name not in self._exempt

    def replaced(self) -> dict[Operation, Callable[[Any], Sequence[Array]]]:
        """What takes the place of the lowerings of operations that select where they compute."""
        return {op: lambda scope, op=op: self._lower(scope, op) for op in self._selecting}  # type: ignore[misc]

    def select(self, scope: Any, before: Mapping[Operation, Array]) -> None:
        """Puts the old values of the other variables back where a number was not finite.

        Args:
            scope: The `Lowering`, in which all operations of the segment have been lowered.
            before: The state at the start.
        """
        for variable in self._rest & before.keys():
            scope.state[variable] = _selected(self._finite(scope), scope.state[variable], before[variable])

    def _finite(self, scope: Any) -> Array:
        finite = scope.value(self._tensors[0])
        for tensor in self._tensors[1:]:
            finite = finite & scope.value(tensor)
        return finite

    def _lower(self, scope: Any, op: Operation) -> Sequence[Array]:
        finite, arguments, function = self._finite(scope), scope._arguments(op), scope._function(op)
        names = [arg.name for arg in op.op_def.inputs]
        outputs: Sequence[Array]
        if "indices" in names:
            place = names.index("indices")
            indices = jnp.asarray(arguments[place])
            arguments[place] = jnp.where(finite, indices, np.iinfo(indices.dtype).max)
            outputs, updates = function(arguments)
            scope.state.update(updates)
            return outputs
        changed = [variable_of(op.inputs[position]) for position in op.op_def.updates]
        old = [scope.state[variable] for variable in changed]

        values: list[Array]

        def new() -> list[Array]:
            updates = function(arguments)[1]
            return [updates[variable] for variable in changed]

        large = max(value.size for value in old) >= _LARGE
        if large and len(changed) > 1 and jax.default_backend() == "cpu" and all(map(self._covers, changed)):
            values = jax.lax.cond(finite, new, lambda: old)
        else:
            values = [
                _selected(finite, n, o) if self._covers(v) else n for v, n, o in zip(changed, new(), old, strict=True)
            ]
        scope.state.update(zip(changed, values, strict=True))
        return values[: len(op._outputs)]  # references to what was changed


def _selected(finite: Array, new: Array, old: Array) -> Array:
    # A value of another shape cannot be selected; only assignments without `validate_shape` make one.
    return jnp.where(finite, new, old) if np.shape(new) == np.shape(old) else new
