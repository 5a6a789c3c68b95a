"""Iterators that can tell where they stand, in both of the ways that a program's may."""

from __future__ import annotations

import json


class Counting:
    """An iterator that counts."""

    def __init__(self) -> None:
        self.next = 0

    def __next__(self) -> int:
        self.next += 1
        return self.next - 1


class Rows(Counting):
    """Has the methods of PyTorch's loaders."""

    def state_dict(self) -> dict[str, int]:
        return {"next": self.next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.next = state["next"]


class Getting(Counting):
    """Has the methods of Grain's iterators."""

    def get_state(self) -> bytes:
        return json.dumps(self.next).encode()

    def set_state(self, state: bytes) -> None:
        self.next = json.loads(state)
