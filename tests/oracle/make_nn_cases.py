"""Records what TensorFlow 1.15 does with the cases of layers, convolutions, pooling and losses.

    python3.7 tests/oracle/make_nn_cases.py      (in an environment with tensorflow==1.15.5)

See ``make_math_array_cases.py`` for what is recorded of each case.
"""

import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(os.path.dirname(HERE), "ops", "fixtures", "nn.npz")


def main():
    """Runs every case and writes the fixture."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.logging.set_verbosity(tf.logging.FATAL)
    sys.path.insert(0, os.path.dirname(HERE))
    import oracle.cases_losses
    import oracle.cases_nn
    import oracle.cases_windows  # noqa: F401
    from oracle.cases import CASES
    from oracle.make_math_array_cases import LEVELS, record

    arrays, records = {}, {}
    for name, case in CASES.items():
        records[name] = {level: record(tf, case, level, arrays) for level in LEVELS}
    # What NumPy's archive adds to each array is more than most of them hold: they go into one array of each type.
    index, flat = {}, {}
    for name, array in arrays.items():
        parts = flat.setdefault(array.dtype.name, [])
        index[name] = [array.dtype.name, sum(len(p) for p in parts), list(array.shape)]
        parts.append(array.ravel())
    text = json.dumps({"records": records, "arrays": index}, separators=(",", ":"), sort_keys=True)
    joined = {name: np.concatenate(parts) for name, parts in flat.items()}
    np.savez_compressed(FIXTURE, text=np.frombuffer(text.encode(), np.uint8), **joined)
    print(f"{len(records)} cases, {os.path.getsize(FIXTURE)} bytes")


if __name__ == "__main__":
    main()
