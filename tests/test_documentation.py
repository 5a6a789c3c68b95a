"""What the documentation shows runs as it stands there."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import monitored as tf

HOME = Path(__file__).parents[1]


def snippets(page: str) -> list[tuple[str, str]]:
    """The Python snippets of a page, each with its heading."""
    found, heading = [], ""
    parts = re.compile(r"^```python\n(?P<code>.*?)^```$|^#+ (?P<heading>[^\n]+)$", re.MULTILINE | re.DOTALL)
    for part in parts.finditer((HOME / page).read_text()):
        if part["code"] is None:
            heading = part["heading"]
        else:
            found.append((heading, part["code"]))
    return found


FIRST, *OTHERS = [code for _, code in snippets("docs/hooks.md")]


@pytest.fixture(autouse=True)
def _in_a_new_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    verbosity = tf.logging.get_verbosity()
    with tf.Graph().as_default():
        yield
    tf.summary.FileWriterCache.clear()
    tf.logging.set_verbosity(verbosity)


def run(code: str, **names: Any) -> dict[str, Any]:
    """Runs a snippet; what it leaves, and what it printed as `printed`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "snippet", "exec"), names)
    return {**names, "printed": out.getvalue()}


@pytest.mark.parametrize("code", OTHERS, ids=[heading for heading, _ in snippets("docs/hooks.md")[1:]])
def test_a_snippet_about_hooks(code: str) -> None:
    try:
        run(FIRST + code)
    except SystemExit as end:
        pytest.fail(f"it ended with {end.code}")


def test_the_snippets_about_checkpoints() -> None:
    pytest.importorskip("orbax.checkpoint")
    run("".join(code for _, code in snippets("docs/checkpoints.md")))


@pytest.mark.parametrize("word", ["Hook", "Session"])
def test_every_public_name_of_its_kind_is_on_the_page(word: str) -> None:
    text = (HOME / "docs" / "hooks.md").read_text()
    names = [name for name in tf.train.__all__ if name.endswith(word)]
    assert not [name for name in names if name not in text and name != "SessionRunHook"]


def test_the_program_of_the_readme() -> None:
    (code, *_) = [code for _, code in snippets("README.md")]
    assert run(code)["printed"].startswith("at step 0\nloss ")
    with tf.Graph().as_default():
        assert run(code)["printed"].startswith("at step 200\nloss ")


def test_the_lines_of_the_readme_for_jax() -> None:
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    (code,) = [code for heading, code in snippets("README.md") if heading == "From JAX"]
    pictures = np.ones([4, 2], np.float32)
    step = tf.train.get_or_create_global_step()
    left = run(
        code, tf=tf, jax=jax, optax=optax, pictures=pictures, step=step,
        images=tf.placeholder(tf.float32, [None, 2]), labels=tf.placeholder(tf.float32, [None]),
        model=SimpleNamespace(init=lambda key, x: {"kernel": jax.random.normal(key, [2])}),
        loss=lambda params, images, labels: ((images @ params["kernel"] - labels) ** 2).mean(),
    )  # fmt: skip
    feeds = {left["images"]: pictures, left["labels"]: np.zeros([4])}
    with tf.train.SingularMonitoredSession() as session:
        errors = [session.run([left["error"], left["train_op"]], feeds)[0] for _ in range(3)]
    assert errors[2] < errors[0]
