"""Elementwise special functions: Bessel, beta, gamma and zeta."""

from __future__ import annotations

from typing import Any, Final

from jax import lax
from jax.scipy import special

from monitored._graph import infer
from monitored._graph.dtypes import float32, float64
from monitored._graph.opdef import define
from monitored._graph.operation import Tensor
from monitored._ops.lift import FLOAT, aligned, of_types, unary
from monitored._ops.rules import call

_DOUBLES: Final = (float32, float64)
_elementwise = of_types(_DOUBLES, infer.broadcast)

bessel_i0e = unary(
    "bessel_i0e",
    "BesselI0e",
    lax.bessel_i0e,
    FLOAT,
    "The exponentially scaled modified Bessel function of order 0 of each element.",
)
bessel_i1e = unary(
    "bessel_i1e",
    "BesselI1e",
    lax.bessel_i1e,
    FLOAT,
    "The exponentially scaled modified Bessel function of order 1 of each element.",
)

define("Igamma", "a:T x:T -> z:T", aligned(lax.igamma), infer=_elementwise)
define("Igammac", "a:T x:T -> z:T", aligned(lax.igammac), infer=_elementwise)
define("Zeta", "x:T q:T -> z:T", aligned(lax.zeta), infer=_elementwise)
define("Polygamma", "a:T x:T -> z:T", aligned(lax.polygamma), infer=_elementwise)
define("Betainc", "a:T b:T x:T -> z:T", lambda a, b, x: special.betainc(a, b, x))
define("NextAfter", "x1:T x2:T -> output:T", aligned(lax.nextafter), infer=_elementwise)


def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularized incomplete beta function for each element.

    Args:
        a: A tensor of type float32 or float64.
        b: A tensor of the same type and shape.
        x: A tensor of the same type and shape, with values from 0 to 1.
        name: A name for the operation (optional; `Betainc` by default).

    Returns:
        A tensor of the same type and shape.
    """
    return call("Betainc", a, b, x, name=name)


def igamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularized lower incomplete gamma function P(a, x) for each element.

    Args:
        a: A tensor of type float32 or float64.
        x: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `Igamma` by default).

    Returns:
        A tensor of the broadcast shape, of the operands' type.
    """
    return call("Igamma", a, x, name=name)


def igammac(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularized upper incomplete gamma function Q(a, x) for each element.

    Args:
        a: A tensor of type float32 or float64.
        x: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `Igammac` by default).

    Returns:
        A tensor of the broadcast shape, of the operands' type.
    """
    return call("Igammac", a, x, name=name)


def nextafter(x1: Any, x2: Any, name: str | None = None) -> Tensor:
    """The next representable number after `x1` in the direction of `x2`, for each element.

    Args:
        x1: A tensor of type float32 or float64.
        x2: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `NextAfter` by default).

    Returns:
        A tensor of the broadcast shape, of the operands' type.
    """
    return call("NextAfter", x1, x2, name=name)


def polygamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The derivative of order `a` of the digamma function, at `x`, for each element.

    Args:
        a: A tensor of type float32 or float64.
        x: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `Polygamma` by default).

    Returns:
        A tensor of the broadcast shape, of the operands' type.
    """
    return call("Polygamma", a, x, name=name)


def zeta(x: Any, q: Any, name: str | None = None) -> Tensor:
    """The Hurwitz zeta function for each element.

    Args:
        x: A tensor of type float32 or float64.
        q: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `Zeta` by default).

    Returns:
        A tensor of the broadcast shape, of the operands' type.
    """
    return call("Zeta", x, q, name=name)


__all__ = ["bessel_i0e", "bessel_i1e", "betainc", "igamma", "igammac", "nextafter", "polygamma", "zeta"]
