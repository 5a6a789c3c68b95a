"""Philox 4x32-10, the counter-based generator behind TensorFlow's seeded shuffling.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import os
from typing import Final

import numpy as np

__all__ = ["Philox"]

_MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_BLOCKS: Final = 256  # counters worked on at once: about 50 µs for 1024 draws


class Philox:
    """A stream of 32-bit draws that two seeds determine.

    Args:
        seed: The key, 64 bits.
        seed2: The upper half of the counter, 64 bits. When both are 0 the stream is different in every process.
    """

    def __init__(self, seed: int, seed2: int) -> None:
        if not seed and not seed2:
            seed, seed2 = (int.from_bytes(os.urandom(8), "little") for _ in range(2))
        self._key = (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF)
        self._upper = (seed2 & 0xFFFFFFFF, (seed2 >> 32) & 0xFFFFFFFF)
        self._block = 0
        self._draws: list[int] = []  # of the blocks before `_block`, the next at the end

    def next(self) -> int:
        """The next draw, 0 to 2**32 - 1."""
        if not self._draws:
            self._draws = self._generate()
        return self._draws.pop()

    def _generate(self) -> list[int]:
        counters = np.arange(self._block, self._block + _BLOCKS, dtype=np.uint64)
        self._block += _BLOCKS
        mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
        x0, x1 = counters & mask, counters >> half
        x2, x3 = (np.full(_BLOCKS, word, np.uint64) for word in self._upper)
        key0, key1 = self._key
        for _ in range(10):
            high = np.uint64(_MULTIPLIERS[0]) * x0
            low = np.uint64(_MULTIPLIERS[1]) * x2
            x0, x1, x2, x3 = (
                (low >> half) ^ x1 ^ np.uint64(key0), low & mask, (high >> half) ^ x3 ^ np.uint64(key1), high & mask,
            )  # fmt: skip
            key0, key1 = (key0 + _WEYL[0]) & 0xFFFFFFFF, (key1 + _WEYL[1]) & 0xFFFFFFFF
        draws: list[int] = np.stack([x0, x1, x2, x3], axis=1).ravel()[::-1].tolist()
        return draws
