"""Reading what TensorFlow wrote, and TensorFlow reading ours."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checkpoint.recorded import FIXTURES, assert_read_byte_for_byte
from monitored import errors
from monitored._checkpoint import BundleReader, get_checkpoint_state, latest_checkpoint

CHECK_TF_READS_OURS = Path(__file__).parent.parent / "oracle" / "check_tf_reads_ours.py"


def expected_entries(checkpoint: str) -> dict[str, dict[str, Any]]:
    """Name, as the reader spells it -> dtype, shape and bytes or strings, as TensorFlow had them."""
    entries = json.loads((FIXTURES / f"{checkpoint}.json").read_text())
    return {name.encode("latin-1").decode("utf-8", "surrogateescape"): entry for name, entry in entries.items()}


CASES = [
    (checkpoint, name)
    for checkpoint in ["dtypes", "small_dtypes", "slices", "model.ckpt-3", "opaque"]
    for name in expected_entries(checkpoint)
]


@pytest.mark.parametrize(("checkpoint", "name"), CASES, ids=[f"{c}:{n!a}" for c, n in CASES])
def test_tensor_that_tensorflow_wrote_is_read_byte_for_byte(checkpoint: str, name: str) -> None:
    assert_read_byte_for_byte(BundleReader(FIXTURES / checkpoint), name, expected_entries(checkpoint)[name])


@pytest.mark.parametrize("checkpoint", ["dtypes", "small_dtypes", "slices", "model.ckpt-3"])
def test_tensorflows_checkpoint_has_the_keys_that_were_saved_and_verifies(checkpoint: str) -> None:
    reader = BundleReader(FIXTURES / checkpoint)
    assert sorted(reader.keys()) == sorted(expected_entries(checkpoint))
    assert reader.verify() == []


def test_variant_cannot_be_read_and_is_no_damage() -> None:
    reader = BundleReader(FIXTURES / "opaque")
    assert reader.dtype_map() == {"variant": np.dtype(np.void), "w": np.dtype(np.float32)}
    with pytest.raises(errors.UnimplementedError, match="variant is a resource or a variant"):
        reader.read("variant")
    assert reader.verify() == []


def test_tensorflows_state_file_leads_to_its_checkpoint() -> None:
    state = get_checkpoint_state(FIXTURES)
    assert state is not None
    assert state.model_checkpoint_path == str(FIXTURES / "model.ckpt-3")
    assert latest_checkpoint(FIXTURES) == str(FIXTURES / "model.ckpt-3")
    assert BundleReader(FIXTURES / "model.ckpt-3").verify() == []


@pytest.mark.oracle
@pytest.mark.skipif("MONITORED_TF_PYTHON" not in os.environ, reason="MONITORED_TF_PYTHON names no Python")
def test_tensorflow_reads_what_we_write() -> None:
    completed = subprocess.run([sys.executable, CHECK_TF_READS_OURS], capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr
