"""The options with which programs are compiled, where XLA's own are not the best ones for a processor.

XLA's compiler for processors gives convolutions and chains of operations to the library YNNPACK, with which a
convolution runs on one processor only: one of 5×5 takes 13.5 ms so, and 7.1 on two. It stays with what it is better at.

It removes `optimization_barrier` before it decides which operations it fuses. Here barriers stay, and keep it from
computing again, for each that takes it, what is written into memory anyway (`monitored._ops.convolution`).

And it divides an operation among the processors by the bytes of what it takes. One that reads some rows of a large
table, or writes them, is divided for the whole table's size then, which takes longer than the operation. A program that
does so and computes nothing that is large itself is compiled without: a step of skip-gram takes a quarter less time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, Final

import jax

__all__: list[str] = []

_LIBRARY: Final = "xla_cpu_experimental_ynn_fusion_type"
_WITHOUT: Final = "xla_disable_hlo_passes"
_OPTIONS: Final = {
    _LIBRARY: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE",
    _WITHOUT: "cse_barrier_expander",
}
_UNDIVIDED: Final = {**_OPTIONS, _WITHOUT: f"{_OPTIONS[_WITHOUT]},cpu-parallel-task-assigner"}
_LARGE: Final = 1 << 16  # elements; XLA divides what is twice as large anyway
_READS_ROWS: Final = ("stablehlo.gather", "stablehlo.dynamic_slice")
_WRITES_ROWS: Final = ("stablehlo.scatter", "stablehlo.dynamic_update_slice")
_COMPUTES_NOTHING: Final = ("stablehlo.case", "stablehlo.constant", "stablehlo.reshape", "stablehlo.while", "func.call")


def compile_for(device: jax.Device, lowered: Any) -> Any:
    """Compiles a program.

    Args:
        device: What it is compiled for.
        lowered: The program, a `jax.stages.Lowered`.

    Returns:
        The `jax.stages.Compiled`. The options are JAX's own if the user chose some of them in ``XLA_FLAGS``.
    """
    if device.platform != "cpu" or _LIBRARY in os.environ.get("XLA_FLAGS", ""):
        return lowered.compile()
    options = _UNDIVIDED if _only_touches_rows(lowered) else _OPTIONS
    try:
        return lowered.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError as error:  # of a version of XLA that has no such option
        if _LIBRARY not in str(error):
            raise
        return lowered.compile()


def _only_touches_rows(lowered: Any) -> bool:
    """Whether a program reads or writes rows of large arrays, and computes nothing that is large."""
    touches = False
    for op in _operations(lowered.compiler_ir("stablehlo").body):
        name = op.operation.name
        large = any(map(_is_large, op.results))
        if large and name not in _WRITES_ROWS and name not in _COMPUTES_NOTHING:
            return False
        touches = touches or (large and name in _WRITES_ROWS)
        touches = touches or (name in _READS_ROWS and _is_large(op.operands[0]))
    return touches


def _is_large(value: Any) -> bool:
    return math.prod(getattr(value.type, "shape", ())) > _LARGE


def _operations(block: Any) -> Iterator[Any]:
    for op in block.operations:
        yield op
        for region in op.regions:
            for inner in region.blocks:
                yield from _operations(inner)
