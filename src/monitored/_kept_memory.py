"""Has the C library keep the memory that steps let go, for the steps that follow.

XLA takes the memory of a step's intermediate values anew in each step, some 10 to 100 MB, and its threads take it from
arenas of their own. As GNU's C library comes, it gives much of that back to the system after each step, which then
hands it out again page by page: 4,000 to 8,000 interruptions in a step of a small residual network or transformer, a
sixth of its time. And what each arena keeps for itself adds up. With one arena for all threads, which keeps what it
has, there is no interruption, and less memory in all.

What the user has set of this by the C library's own environment variables stays, and nothing else is changed then.

One thing only the user can set: each thread keeps the few bytes that are left over beside an array of XLA's, and as
long as it does, the array's place is too small for the next array of that size, which comes to lie elsewhere. With
``GLIBC_TUNABLES=glibc.malloc.tcache_count=0`` none does.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

__all__: list[str] = []

# The names of these in GNU's malloc.h, which says what they do: https://man7.org/linux/man-pages/man3/mallopt.3.html
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_SETTINGS: Final = {
    _M_ARENA_MAX: 1,
    _M_TRIM_THRESHOLD: (1 << 31) - 1,  # bytes at the end of the heap; more are given back
    _M_MMAP_THRESHOLD: 256 << 20,  # bytes of what stands alone, and is given back as soon as it is let go
}


def keep_memory() -> None:
    """Sets it, if the C library is GNU's and the user has not set anything of that."""
    if _user_chose():
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for setting, value in _SETTINGS.items():
        mallopt(setting, value)


def _user_chose() -> bool:
    tunables = os.environ.get("GLIBC_TUNABLES", "").replace("glibc.malloc.tcache_", "")
    return "glibc.malloc." in tunables or any(name.startswith("MALLOC_") for name in os.environ)
