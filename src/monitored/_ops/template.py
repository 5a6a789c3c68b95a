"""`make_template`: a function whose variables are made at its first call and shared by all later ones."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from monitored._graph.collections import GraphKeys
from monitored._ops.variable_scope import VariableScope
from monitored._ops.variable_scope import variable_scope as _scoped

__all__ = ["make_template"]


def make_template(
    name_: str,
    func_: Callable[..., Any],
    create_scope_now_: bool = False,
    unique_name_: str | None = None,
    custom_getter_: Any = None,
    **kwargs: Any,
) -> Template:
    """Wraps a function so that it shares its variables between calls.

    What `func_` gets from `get_variable` is made at the first call, within a variable scope of its own; each later
    call gets the same variables, and cannot make new ones::

        scale = tf.make_template("scale", lambda x: x * tf.get_variable("w", []))
        y, z = scale(a), scale(b)  # both use scale/w

    Args:
        name_: The name of the variable scope, made unique.
        func_: The function.
        create_scope_now_: Whether to choose the scope's name now, not at the first call.
        unique_name_: The name of the variable scope, taken as it is, instead of `name_`.
        custom_getter_: A function called in place of the making of each variable, as for `variable_scope`.
        kwargs: Arguments of `func_` that every call has.

    Returns:
        The wrapped function, a `Template`.
    """
    return Template(
        name_, functools.partial(func_, **kwargs) if kwargs else func_, create_scope_now_, unique_name_, custom_getter_
    )


class Template:
    """What `make_template` gives: a function with variables.

    Args:
        name: The name of the variable scope, made unique.
        func: The function.
        create_scope_now: Whether to choose the scope's name now, not at the first call.
        unique_name: The name of the variable scope, taken as it is, instead of `name`.
        custom_getter: As for `variable_scope`.
    """

    def __init__(
        self,
        name: str,
        func: Callable[..., Any],
        create_scope_now: bool = False,
        unique_name: str | None = None,
        custom_getter: Any = None,
    ) -> None:
        self._name = name
        self._func = func
        self._unique_name = unique_name
        self._custom_getter = custom_getter
        self._scope: VariableScope | None = None
        self._called = False
        if create_scope_now:
            with self._new_scope(auxiliary_name_scope=False) as self._scope:
                pass

    def _new_scope(self, auxiliary_name_scope: bool = True) -> _scoped:
        return _scoped(
            self._unique_name,
            self._name,
            custom_getter=self._custom_getter,
            auxiliary_name_scope=auxiliary_name_scope,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function within its variable scope."""
        if self._scope is None:
            with self._new_scope() as self._scope:
                return self._call(args, kwargs)
        with _scoped(self._scope, reuse=self._called or None):
            return self._call(args, kwargs)

    def _call(self, args: Any, kwargs: Any) -> Any:
        result = self._func(*args, **kwargs)
        self._called = True
        return result

    @property
    def name(self) -> str:
        """The name given to the template."""
        return self._name

    @property
    def func(self) -> Callable[..., Any]:
        """The function."""
        return self._func

    @property
    def variable_scope(self) -> VariableScope | None:
        """The variable scope, once there is one."""
        return self._scope

    @property
    def var_scope(self) -> VariableScope | None:
        """The older name of `variable_scope`."""
        return self._scope

    @property
    def variable_scope_name(self) -> str | None:
        """The name of the variable scope with a slash at the end, once there is one."""
        return None if self._scope is None else self._scope.name.rstrip("/") + "/"

    def _collected(self, key: str) -> list[Any]:
        return [] if self._scope is None else self._scope.get_collection(key)

    @property
    def variables(self) -> list[Any]:
        """The global and local variables that the function has made."""
        return self.global_variables + self.local_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The variables that the function has made and that are not trained."""
        trainable = set(self.trainable_variables)
        return [variable for variable in self.variables if variable not in trainable]

    @property
    def weights(self) -> list[Any]:
        """As `variables`."""
        return self.variables

    @property
    def trainable_weights(self) -> list[Any]:
        """As `trainable_variables`."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Any]:
        """As `non_trainable_variables`."""
        return self.non_trainable_variables

    @property
    def trainable_variables(self) -> list[Any]:
        """The trainable variables that the function has made."""
        return self._collected(GraphKeys.TRAINABLE_VARIABLES)

    @property
    def global_variables(self) -> list[Any]:
        """The global variables that the function has made."""
        return self._collected(GraphKeys.GLOBAL_VARIABLES)

    @property
    def local_variables(self) -> list[Any]:
        """The local variables that the function has made."""
        return self._collected(GraphKeys.LOCAL_VARIABLES)
