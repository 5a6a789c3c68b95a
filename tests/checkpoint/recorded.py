"""What TensorFlow had when it wrote the checkpoints in `fixtures/` (`oracle/make_checkpoint_fixtures.py`)."""

from pathlib import Path
from typing import Any

from monitored._checkpoint import TensorReader

FIXTURES = Path(__file__).parent / "fixtures"


def assert_read_byte_for_byte(reader: TensorReader, name: str, expected: dict[str, Any]) -> None:
    """Compares a tensor with the dtype, shape and bytes or strings that TensorFlow had."""
    array = reader.read(name)
    assert array.shape == reader.shape_map()[name] == tuple(expected["shape"])
    assert array.dtype == reader.dtype_map()[name]
    assert array.dtype.name == expected["dtype"]
    if array.dtype == object:
        assert [item.hex() for item in array.reshape(-1)] == expected["strings"]
    else:
        assert array.tobytes().hex() == expected["bytes"]
