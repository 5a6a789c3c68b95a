"""Compares what this library gives for programs with loops, cells and layers with what TensorFlow gave."""

import json
from pathlib import Path
from types import SimpleNamespace

import monitored
from monitored._ops import case, layers, layers_base, layers_convolution, layers_pooling, rnn_cells, rnn_wrappers
from oracle import programs, programs_layers, programs_loops, programs_rnn  # noqa: F401

FIXTURES = json.loads((Path(__file__).parents[1] / "ops" / "fixtures" / "loops.json").read_text())


def _names(*modules):
    return {name: getattr(module, name) for module in modules for name in module.__all__}


class _Complete:
    """The library with all names of which the programs know."""

    def __init__(self, module, **names):
        self._module = module
        self._names = names

    def __getattr__(self, name):
        if hasattr(self._module, name):
            return getattr(self._module, name)
        return self._names[name]


_CELLS = SimpleNamespace(**_names(rnn_cells, rnn_wrappers))
_LAYERS = SimpleNamespace(**_names(layers, layers_base, layers_convolution, layers_pooling))
tf = _Complete(monitored, nn=_Complete(monitored.nn, rnn_cell=_CELLS), layers=_LAYERS, **_names(case))
if not hasattr(monitored.nn, "rnn_cell"):
    tf.nn = tf._names["nn"]


def names(*prefixes):
    """The names of the programs that begin like one of the prefixes."""
    return [name for name in FIXTURES if name.startswith(prefixes)]


def check(name, tolerance=2e-5):
    """Runs a program and compares; messages may say more than TensorFlow's at the end."""
    _same(programs.run(tf, name), FIXTURES[name], name, tolerance)


def _same(got, want, place, tolerance):
    if isinstance(want, dict):
        assert sorted(got) == sorted(want), (place, got, want)
        for key in want:
            _same(got[key], want[key], place + "/" + key, tolerance)
    elif isinstance(want, list):
        assert isinstance(got, list), (place, got, want)
        assert len(got) == len(want), (place, got, want)
        for index, (one, other) in enumerate(zip(got, want, strict=True)):
            _same(one, other, f"{place}/{index}", tolerance)
    elif isinstance(want, float):
        assert abs(got - want) <= tolerance * max(1.0, abs(want)), (place, got, want)
    elif isinstance(want, str):
        assert str(got).startswith(want.rstrip()), (place, got, want)
    else:
        assert got == want, (place, got, want)
