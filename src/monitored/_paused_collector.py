"""Pauses the garbage collector from its first import until `resume`: while the package is imported.

Importing makes tens of thousands of objects that live for ever. The collections that this sets off find nothing and
cost 60 ms, as much as all the rest of importing this package.
"""

from __future__ import annotations

import gc

_was_enabled = gc.isenabled()
gc.disable()


def resume() -> None:
    """Lets the collector go on, if it was going."""
    if not _was_enabled:
        return
    if not gc.get_freeze_count():
        # This makes all objects old. As young ones the next two collections would go through them, 60 ms each.
        gc.freeze()
        gc.unfreeze()
    gc.enable()
