"""`Plan`: what one run does, as a frozen, printable sequence of device segments and host steps."""

from __future__ import annotations

from dataclasses import dataclass

from monitored._graph.operation import Operation, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A group of pure operations and variable updates that becomes one XLA executable.

    Attributes:
        ops: The operations, in program order.
        inputs: Tensors whose values come from outside: feeds, host steps, earlier segments.
        static: Those of the values from outside that must be known when compiling.
        outputs: Tensors whose values are wanted afterwards. A variable among them gives its value at the start.
        reads: State that the segment only reads.
        updates: State that it reads and writes; its buffers are donated.
        creates: State that it writes without a look at the old value.
    """

    ops: tuple[Operation, ...]
    inputs: tuple[Tensor, ...]
    static: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    reads: tuple[Operation, ...]
    updates: tuple[Operation, ...]
    creates: tuple[Operation, ...]

    def __str__(self) -> str:
        lines = [f"segment of {len(self.ops)} operations"]
        for label in ("inputs", "static", "outputs", "reads", "updates", "creates"):
            items = getattr(self, label)
            if items:
                lines.append(f"  {label}: {', '.join(item.name for item in items)}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, eq=False)
class HostStep:
    """One operation that runs on the host.

    Attributes:
        op: The operation.
        folded: Whether it is a device operation evaluated with NumPy, because a segment needs its value to compile.
    """

    op: Operation
    folded: bool = False

    def __str__(self) -> str:
        return f"host step {self.op.name} ({self.op.type})"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What one run does, for one set of fetches and fed tensors.

    Attributes:
        feeds: The fed tensors, in the order in which their values are given.
        fetches: The tensors whose values are wanted.
        steps: What to do, in order.
        variables: The fetched tensors that are variables which the run does not change: they are read at its end.
    """

    feeds: tuple[Tensor, ...]
    fetches: tuple[Tensor, ...]
    steps: tuple[Segment | HostStep, ...]
    variables: dict[Tensor, Operation]

    def __str__(self) -> str:
        head = f"plan: feed [{', '.join(t.name for t in self.feeds)}] fetch [{', '.join(t.name for t in self.fetches)}]"
        return "\n".join([head, *(str(step) for step in self.steps)])
