"""Nested structures."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._graph.nest import assert_same_structure, flatten, is_nested, map_structure, pack_sequence_as

__all__ = [
    "assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as",
]
# fmt: on
