"""The vocabulary as a whole: op types and parameters are TensorFlow's, and every function says what it does."""

import gzip
import importlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import monitored as tf
from monitored._graph import dtypes
from monitored._graph.opdef import Arg, OpDef, keywords_of, vocabulary
from oracle import make_api_fixture, replay_cases

API = json.loads(gzip.decompress((Path(__file__).parent / "fixtures" / "tensorflow_api.json.gz").read_bytes()))
MODULES = (
    "arranging", "array", "casts", "clip", "fill", "gathering", "joining", "linalg", "masking", "math", "matrices",
    "numerics", "reductions", "segments", "sequences", "slicing", "special",
)  # fmt: skip

KEYWORDS_SPELLED_OUT = {"meshgrid"}  # TensorFlow takes `**kwargs`


def public_functions() -> dict[str, Callable[..., Any]]:
    """The functions of this part of the vocabulary, by name."""
    found = {}
    for module in MODULES:
        loaded = importlib.import_module(f"monitored._ops.{module}")
        found.update({name: getattr(loaded, name) for name in loaded.__all__})
    return found


FUNCTIONS = public_functions()


def op_types_of_cases() -> list[str]:
    """The op types that the recorded cases of the public functions are made of."""
    records = replay_cases.Recorded().records.values()
    return sorted({node[1] for levels in records for level in levels.values() for node in level.get("nodes", [])})


def written(arg: Arg) -> str:
    """An argument as `define` reads it."""
    kind = arg.dtype.name if arg.dtype else arg.type_attr or f"[{arg.type_list_attr}]"
    kind = f"{arg.number_attr}*{kind}" if arg.number_attr else kind
    return f"{arg.name}:{'&' if arg.is_ref else ''}{kind}"


@pytest.mark.parametrize("name", op_types_of_cases())
def test_op_types_are_those_of_tensorflow(name: str) -> None:
    definition = vocabulary()[name]
    signature, attrs = API["ops"][name]
    sides = (" ".join(map(written, side)) for side in (definition.inputs, definition.outputs))
    assert " -> ".join(sides) == signature
    assert {*definition.attrs, *definition.type_attrs} == set(attrs)


@pytest.mark.parametrize("definition", vocabulary().values(), ids=lambda d: d.type)
def test_meanings_ask_only_for_attributes_that_exist(definition: OpDef) -> None:
    known = {*definition.attrs, *definition.type_attrs}
    assert {a for a in definition.lower_attrs if a[0] != "_"} <= known
    assert definition.fold is None or set(keywords_of(definition.fold)) <= known
    assert all(-len(definition.inputs) <= i < len(definition.inputs) for i in definition.static)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) & set(API["functions"]) - KEYWORDS_SPELLED_OUT))
def test_parameters_are_those_of_tensorflow(name: str) -> None:
    assert make_api_fixture.parameters(FUNCTIONS[name]) == API["functions"][name]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_say_what_they_do(name: str) -> None:
    function = FUNCTIONS[name]
    text = inspect.getdoc(function) or ""
    summary = text.split("\n", 1)[0]
    assert summary.endswith((".", ":")) or text.split("\n\n", 1)[0].endswith(".")
    assert "Args:\n" in text
    assert "Returns:\n" in text
    for parameter in inspect.signature(function).parameters.values():
        assert f"    {parameter.name}: " in text, f"{name} does not explain {parameter.name}"
        assert parameter.annotation is not inspect.Parameter.empty


def test_public_names() -> None:
    assert "bitwise" in tf.__all__
    missing = [n for n in FUNCTIONS if n in API["functions"] and not hasattr(tf, n)]
    assert not missing
    for namespace in ("bitwise", "linalg", "math"):
        for name in getattr(tf, namespace).__all__:
            ours, top = getattr(getattr(tf, namespace), name), getattr(tf, name, None)
            named_alike = f"{namespace}.{name}" in API["functions"] and name in API["functions"]
            if named_alike and API["functions"][f"{namespace}.{name}"] == API["functions"][name]:
                assert ours is top or top is None, name


SHAPE = (2, 3)


def elementwise_cases() -> list[tuple[str, str]]:
    """Pairs of an elementwise op type and a type that its operands may have."""
    names = {
        "Abs", "Add", "AddV2", "Sub", "Mul", "RealDiv", "FloorDiv", "FloorMod", "Pow", "Maximum", "Minimum", "Neg",
        "SquaredDifference", "Sign", "Square", "Sqrt", "Rsqrt", "Exp", "Expm1", "Log", "Log1p", "Sin", "Tanh", "Erf",
        "Erfc", "Lgamma", "Digamma", "Floor", "Round", "Reciprocal", "IsNan", "Less", "Equal", "DivNoNan", "MulNoNan",
        "Xdivy", "Xlogy", "TruncateMod", "BitwiseAnd", "Invert", "RightShift", "Acosh", "Atanh", "Cosh", "LogicalAnd",
    }  # fmt: skip
    kinds = [t for t in dtypes._BASE if t.is_floating or t.is_integer or t.is_complex or t.is_bool]
    return [(name, kind.name) for name in sorted(names) for kind in kinds]


@pytest.mark.parametrize(("name", "kind"), elementwise_cases())
def test_results_have_the_declared_type(name: str, kind: str) -> None:
    definition = vocabulary()[name]
    dtype = dtypes.as_dtype(kind)
    with tf.Graph().as_default() as graph:
        inputs = [tf.placeholder(dtype, SHAPE) for _ in definition.inputs]
        attrs = dict.fromkeys(definition.type_attrs, dtype) | dict(definition.attrs)
        fixed = definition.inputs[0].dtype
        if fixed is not None and fixed != dtype:
            return
        allowed = API["ops"][name][1].get("T") or [kind]
        try:
            op = graph.create_op(name, inputs, attrs=attrs)
        except TypeError as error:
            assert "not in list of allowed values" in str(error)  # noqa: PT017
            assert not (dtype.is_floating and kind in allowed), "TensorFlow computes this"
            return
    with jax.enable_x64(True):
        abstract: Any = jax.ShapeDtypeStruct
        result = jax.eval_shape(definition.lower, *(abstract(SHAPE, dtype.as_numpy_dtype) for _ in inputs))
    assert result.dtype == np.dtype(op.outputs[0].dtype.as_numpy_dtype)
    assert result.shape == SHAPE
