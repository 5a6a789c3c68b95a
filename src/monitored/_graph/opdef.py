"""`OpDef`: everything that is known of one type of operation, and the vocabulary of all of them.

An OpDef is declared once, with a signature in TensorFlow's terms and the pure JAX function that is its meaning:

    define("MatMul", "a:T b:T -> product:T", matmul, transpose_a=False, transpose_b=False)

The signature lists named arguments. Their types are a data type (``float32``), a type attribute taken from the
inputs (``T``), a repetition (``N*T``), a list of independent types (``[Tin]``), or a reference to a variable
(``&T``). The keywords are the attributes that are not types, with their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from monitored._graph import dtypes


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()
"""Marks an attribute that has no default."""


class StaticNeeded(Exception):
    """Raised by a lowering that cannot do without knowing an input's value when compiling."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class ShapesVary(Exception):
    """Raised by the lowering of an op with bodies whose values change shape, which XLA cannot hold."""


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument or result in an OpDef's signature."""

    name: str
    dtype: dtypes.DType | None = None  # a fixed type
    type_attr: str | None = None  # the attribute that holds the type
    number_attr: str | None = None  # the attribute that holds how many tensors this argument is
    type_list_attr: str | None = None  # the attribute that holds one type for each of this argument's tensors
    is_ref: bool = False

    @staticmethod
    def parse(text: str) -> Arg:
        """Reads one ``name:type`` of a signature."""
        name, _, kind = text.partition(":")
        is_ref, kind = kind.startswith("&"), kind.removeprefix("&")
        if kind.startswith("["):
            return Arg(name, type_list_attr=kind[1:-1], is_ref=is_ref)
        number, star, kind = kind.rpartition("*")
        fixed = dtypes.as_dtype(kind) if kind[0].islower() and kind in dtypes._BY_NAME else None
        return Arg(name, fixed, None if fixed else kind, number if star else None, is_ref=is_ref)


@dataclass(frozen=True, slots=True, eq=False)
class OpDef:
    """The definition of one type of operation; see the module's text and `define`."""

    type: str
    inputs: tuple[Arg, ...]
    outputs: tuple[Arg, ...]
    attrs: Mapping[str, Any]
    lower: Callable[..., Any] | None
    lower_attrs: tuple[str, ...]
    infer: Callable[..., Any] | None
    static: frozenset[int]
    static_if_known: frozenset[int]
    fold: Callable[..., Any] | None
    updates: tuple[int, ...]
    overwrites: bool
    random: bool
    host: Callable[..., Any] | None
    interpret: Callable[..., Any] | None
    stateful: bool
    grad: Callable[..., Any] | None
    no_grad: bool

    @property
    def name(self) -> str:
        """The type, by the name that it has in TensorFlow's OpDef."""
        return self.type

    @property
    def type_attrs(self) -> tuple[str, ...]:
        """The names of the attributes that hold types or numbers of arguments, in the signature's order."""
        names: dict[str, None] = {}
        for arg in self.inputs + self.outputs:
            for attr in (arg.number_attr, arg.type_attr, arg.type_list_attr):
                if attr:
                    names[attr] = None
        return tuple(names)


_VOCABULARY: dict[str, OpDef] = {}


def define(
    type: str,
    signature: str,
    lower: Callable[..., Any] | None = None,
    /,
    *,
    infer: Callable[..., Any] | None = None,
    static: Sequence[int] = (),
    static_if_known: Sequence[int] = (),
    fold: Callable[..., Any] | None = None,
    updates: Sequence[int] = (),
    overwrites: bool = False,
    random: bool = False,
    host: Callable[..., Any] | None = None,
    interpret: Callable[..., Any] | None = None,
    stateful: bool = False,
    grad: Callable[..., Any] | None = None,
    no_grad: bool = False,
    **attrs: Any,
) -> OpDef:
    """Adds a type of operation to the vocabulary.

    Args:
        type: TensorFlow's name of the operation's type.
        signature: The named and typed inputs and outputs; see the module's text.
        lower: The meaning on the device: a pure JAX function of the input arrays, returning the output array (a
            tuple of them when the signature lists several). Keyword-only parameters that name attributes receive
            their values. Inputs listed in `static` arrive as NumPy arrays.
        infer: ``infer(op)`` gives the static shapes of the outputs, one for each (a `TensorShape` when there is
            one output). By default `lower` is traced with abstract values.
        static: Positions of the inputs whose values must be known when XLA compiles (shapes, axes, ...).
        static_if_known: Positions of inputs that `lower` wants as NumPy arrays when they are known, and can often
            do without; where it cannot, it raises `StaticNeeded` with the position. A vector stacked from scalars of
            which some are known arrives as a list of its elements.
        fold: The same meaning on NumPy arrays, for values needed at compile time: ``fold(*arrays, **attrs)``,
            where keyword-only parameters receive attributes as for `lower`.
        updates: Positions of the reference inputs whose variables this op changes. `lower` gets the variables'
            present values there and returns their new ones, in this order; outputs are the new values of
            these references.
        overwrites: The op does not look at the old values of what it updates: `lower` gets only the other inputs, and
            the variables need not be initialized.
        random: The op draws random numbers: `lower` receives a JAX PRNG key before its inputs, a new one for
            each run.
        host: The meaning as a step on the host, for what XLA cannot do: ``host(context, op, *values)`` with NumPy
            values, returning a tuple with one value for each output.
        interpret: For an op with bodies (branches, loops): what `host` is, used when a body holds host steps.
            `lower` of an op with bodies is called as ``lower(lowering, op, values)`` and returns the outputs and
            the new values of the state that the bodies change.
        stateful: The op has an effect outside the graph, so it runs exactly once, in program order.
        grad: ``grad(op, *output_gradients)`` builds the gradients with respect to the inputs (None where there
            is none, NotImplemented for the default). By default they are `jax.vjp` of `lower`.
        no_grad: Nothing flows back through this op.
        attrs: The attributes that the signature does not imply, with their defaults (`REQUIRED`: none). For a
            type attribute it gives the default type.

    Returns:
        The definition.

    Raises:
        ValueError: If the type is already defined.
    """
    if type in _VOCABULARY:
        raise ValueError(f"Operation type {type!r} is already defined.")
    before, _, after = signature.partition("->")
    definition = OpDef(
        type,
        tuple(Arg.parse(part) for part in before.split()),
        tuple(Arg.parse(part) for part in after.split()),
        attrs,
        lower,
        _attrs_wanted(lower),
        infer,
        frozenset(static),
        frozenset(static_if_known),
        fold,
        tuple(updates),
        overwrites,
        random,
        host,
        interpret,
        stateful,
        grad,
        no_grad,
    )
    _VOCABULARY[type] = definition
    return definition


def lookup(type: str) -> OpDef:
    """The definition of a type of operation.

    Raises:
        KeyError: If there is none.
    """
    return _VOCABULARY[type]


def find(type: str) -> OpDef | None:
    """The definition of a type of operation, or None."""
    return _VOCABULARY.get(type)


def vocabulary() -> Mapping[str, OpDef]:
    """Every definition, by type."""
    return _VOCABULARY


def keywords_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """The keyword-only parameters of a function of ours: the attributes that it wants."""
    return _attrs_wanted(function)


def _attrs_wanted(function: Callable[..., Any] | None) -> tuple[str, ...]:
    code = getattr(function, "__code__", None)
    # JAX's own functions want no attributes: `lax.exp` has a keyword-only `accuracy`, which is no attribute of Exp.
    lifted = str(getattr(function, "__module__", "")).partition(".")[0] == "jax"
    if code is None or lifted or getattr(function, "__wrapped__", None) is not None:
        return ()
    return tuple(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])
