"""What TensorFlow 1's control flow nodes mean: which loop and which branch every node stands in.

TensorFlow 1 has no loops and branches but nodes that let values pass or not. A loop is a *frame*: `Enter` brings values
into it; for each loop variable a `Merge` takes the first value or that of `NextIteration`, and a `Switch` on the
`LoopCond` sends it round again or out through an `Exit`. A branch is what stands between `Switch` nodes on a predicate
and the `Merge` nodes that take what comes from either side.

Each node's *path* says where it stands: the frames and the arms of branches around it, from the outside inwards. It is
found by following values from their sources, as TensorFlow does when it turns such graphs into functions
(`functionalize_control_flow`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, NamedTuple

from monitored import errors
from monitored._graph.importer.nodes import CONTROL_FLOW, Node, Source

__all__ = ["Arm", "ControlFlow", "Frame", "Path", "Variable", "analyse"]

SWITCH: Final = frozenset({"Switch", "RefSwitch"})
MERGE: Final = frozenset({"Merge", "RefMerge"})
ENTER: Final = frozenset({"Enter", "RefEnter"})
EXIT: Final = frozenset({"Exit", "RefExit"})
NEXT: Final = frozenset({"NextIteration", "RefNextIteration"})


@dataclass(eq=False, slots=True)
class Variable:
    """A loop variable: the nodes that carry it from turn to turn."""

    merge: Node
    enter: Node
    next: Node
    switch: Node | None = None
    exits: list[Node] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Frame:
    """A loop.

    Attributes:
        name: TensorFlow's name of the frame, ``<scope>/while_context`` when `while_loop` made it.
        enters: What brings values in.
        variables: The loop variables.
        condition: The `LoopCond` node.
        path: Where the loop stands.
    """

    name: str
    enters: list[Node] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    condition: Node | None = None
    path: Path = ()


class Arm(NamedTuple):
    """One side of a branch."""

    predicate: Source
    value: bool


Path = tuple["Frame | Arm", ...]
_DEAD: Final[Path] = (Arm((Node("dead", "", -1), 0), False),)  # of nodes that no run can reach


@dataclass(eq=False, slots=True)
class ControlFlow:
    """What is known of a graph's control flow.

    Attributes:
        paths: Node -> where its outputs stand; the root for those that are not here.
        arms: `Switch` of a branch -> where its two outputs stand.
        frame_of: Node of a loop's own machinery (`Enter`, `Merge`, `Switch`, `Exit`) -> the loop.
        branch_of: `Merge` of a branch -> its predicate, and its input for false and for true.
        alias: Node -> the output that its own outputs stand for.
        asked_which: `Merge` nodes whose second output is used: which of the inputs was taken.
    """

    paths: dict[Node, Path] = field(default_factory=dict)
    arms: dict[Node, tuple[Path, Path]] = field(default_factory=dict)
    frame_of: dict[Node, Frame] = field(default_factory=dict)
    branch_of: dict[Node, tuple[Source, Source, Source]] = field(default_factory=dict)
    alias: dict[Node, Source] = field(default_factory=dict)
    asked_which: set[Node] = field(default_factory=set)

    def path(self, source: Source) -> Path:
        """Where an output stands."""
        node, index = source
        if node in self.arms:
            return self.arms[node][index]
        return self.paths.get(node, ())

    def is_variable(self, node: Node) -> bool:
        """Whether a node gives the present value of a loop variable."""
        return node in self.frame_of and (node.type in MERGE or node.type in SWITCH)

    def behind(self, source: Source) -> Source:
        """The output that an output stands for: `Switch` and `Enter` give what they take."""
        while source[0] in self.alias:
            source = self.alias[source[0]]
        return source

    def is_dead(self, source: Source) -> bool:
        """Whether no run can compute an output."""
        return self.path(source) is _DEAD


def analyse(nodes: Mapping[str, Node]) -> ControlFlow:
    """Finds the loops and branches of a graph.

    Args:
        nodes: The nodes by name.

    Returns:
        What was found.

    Raises:
        ValueError: If nodes wait for one another in a circle.
        UnimplementedError: If the control flow is none that TensorFlow's functions make.
    """
    flow = ControlFlow()
    has_any = any(node.type in CONTROL_FLOW for node in nodes.values())
    if has_any:
        _find_loops(nodes.values(), flow)
    ordered = _in_order(nodes.values(), flow)
    if has_any:
        for node in ordered:
            _find_path(node, flow)
            flow.asked_which.update(one for one, index in node.inputs if index == 1 and one.type in MERGE)
    return flow


def unsupported(node: Node, problem: str) -> errors.UnimplementedError:
    """The error for control flow that cannot be raised."""
    return errors.UnimplementedError(
        node.proto, None, f"Control flow at node '{node.name}' (op: '{node.type}') cannot be imported: {problem}"
    )


# -- loops ------------------------------------------------------------------------------------------------------


def _find_loops(nodes: Iterable[Node], flow: ControlFlow) -> None:
    frames: dict[str, Frame] = {}
    variables: dict[Node, Variable] = {}
    for node in nodes:
        if node.type in ENTER:
            name = str(node.attrs.get("frame_name", ""))
            frame = flow.frame_of[node] = frames.setdefault(name, Frame(name))
            frame.enters.append(node)
            flow.alias[node] = node.inputs[0]
    for node in nodes:
        if node.type in MERGE:
            following = [source[0] for source in node.inputs if source[0].type in NEXT]
            entering = [source[0] for source in node.inputs if source[0].type in ENTER]
            if not following:
                continue
            if len(following) != 1 or len(entering) != 1:
                raise unsupported(node, "a loop variable must have one first value and one for the next turn.")
            frame = flow.frame_of[node] = flow.frame_of[entering[0]]
            variables[node] = Variable(node, entering[0], following[0])
            frame.variables.append(variables[node])
            del flow.alias[entering[0]]  # it is the variable's first value, not the variable
    for node in nodes:
        if node.type in SWITCH and _behind_identity(node.inputs[1])[0].type == "LoopCond":
            merge = node.inputs[0][0]
            if merge not in variables:
                raise unsupported(node, "the condition of a loop decides on something else than its variables.")
            frame = flow.frame_of[node] = flow.frame_of[merge]
            variables[merge].switch = node
            condition = _behind_identity(node.inputs[1])[0]
            if frame.condition not in (None, condition):
                raise unsupported(node, f"two loops share the frame name '{frame.name}'.")
            frame.condition = condition
    for node in nodes:
        if node.type in EXIT:
            switch = _behind_identity(node.inputs[0])[0]
            if switch not in flow.frame_of or switch.type not in SWITCH:
                raise unsupported(node, "what leaves a loop must be a loop variable.")
            flow.frame_of[node] = flow.frame_of[switch]
            variables[switch.inputs[0][0]].exits.append(node)
    for frame in frames.values():
        if frame.condition is None:
            raise unsupported(frame.enters[0], f"the loop '{frame.name}' has no condition.")


def _behind_identity(source: Source) -> Source:
    while source[0].type == "Identity":
        source = source[0].inputs[0]
    return source


def _in_order(nodes: Iterable[Node], flow: ControlFlow) -> list[Node]:
    """The nodes, each after those that it waits for; a loop's nodes after all that enters it."""
    after: dict[Node, list[Node]] = {}
    missing: dict[Node, int] = {}
    for node in nodes:
        if node.type in ENTER:
            before = {source[0] for enter in flow.frame_of[node].enters for source in enter.inputs}
            before.update(node.controls)
        else:
            before = {source[0] for source in node.inputs if source[0].type not in NEXT or node not in flow.frame_of}
            before.update(node.controls)
        before = {one for one in before if one.proto is not None}
        missing[node] = len(before)
        for one in before:
            after.setdefault(one, []).append(node)
    ready = deque(node for node, count in missing.items() if not count)
    ordered: list[Node] = []
    while ready:
        node = ready.popleft()
        ordered.append(node)
        for follower in after.get(node, ()):
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    if len(ordered) != len(missing):
        raise ValueError(f"{len(missing) - len(ordered)} nodes in a cycle")
    return ordered


# -- paths ------------------------------------------------------------------------------------------------------


def _find_path(node: Node, flow: ControlFlow) -> None:
    if node.type in EXIT:
        path = flow.frame_of[node].path
    elif node.type in ENTER:
        frame = flow.frame_of[node]
        frame.path = _joined([flow.path(source) for enter in frame.enters for source in enter.inputs])
        path = _DEAD if frame.path is _DEAD else (*frame.path, frame)
    elif node in flow.frame_of and node.type in MERGE:
        path = flow.path(next(source for source in node.inputs if source[0].type in ENTER))
    elif node.type in MERGE:
        path = _merge(node, flow)
    else:
        path = _joined([flow.path(source) for source in node.inputs] + [flow.paths.get(c, ()) for c in node.controls])
        if node.type == "LoopCond":
            flow.alias[node] = node.inputs[0]
        if node.type in SWITCH and node not in flow.frame_of:
            flow.alias[node] = node.inputs[0]
            flow.arms[node] = _arms(flow, path, node.inputs[1])
    if path:
        flow.paths[node] = path


def _arms(flow: ControlFlow, path: Path, predicate: Source) -> tuple[Path, Path]:
    """Where the outputs of a `Switch` stand."""
    predicate = _root(flow, predicate)
    if path is _DEAD:
        return _DEAD, _DEAD
    # Within an arm of the same predicate it is known which way this one goes.
    arms: list[Path] = []
    for value in (False, True):
        if Arm(predicate, value) in path:
            arms.append(path)
        elif Arm(predicate, not value) in path:
            arms.append(_DEAD)
        else:
            arms.append((*path, Arm(predicate, value)))
    return arms[0], arms[1]


def _root(flow: ControlFlow, source: Source) -> Source:
    """The output that a predicate stands for, by which branches on it know one another."""
    while True:
        before = source
        source = _behind_identity(flow.behind(source))
        if source == before:
            return source


def _merge(node: Node, flow: ControlFlow) -> Path:
    """Finds which input of a `Merge` is which side of a branch; gives where the branch stands."""
    alive = [source for source in node.inputs if not flow.is_dead(source)]
    if not alive:
        return _DEAD
    if len(alive) == 1:
        flow.alias[node] = alive[0]
        return flow.path(alive[0])
    if len(alive) != 2:
        raise unsupported(node, "only branches with two sides are known.")
    one, other = (flow.path(source) for source in alive)
    common = [pair[0] for pair in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]
    arms = one[len(common) :], other[len(common) :]
    if len(arms[0]) != 1 or len(arms[1]) != 1:
        raise unsupported(node, "its inputs do not come from the two sides of one branch.")
    first, second = arms[0][0], arms[1][0]
    if not isinstance(first, Arm) or not isinstance(second, Arm) or first.predicate != second.predicate:
        raise unsupported(node, "its inputs come from branches on different predicates.")
    sides = {first.value: alive[0], second.value: alive[1]}
    flow.branch_of[node] = (first.predicate, sides[False], sides[True])
    return tuple(common)


def _joined(paths: list[Path]) -> Path:
    """Where a node stands whose inputs stand there."""
    result: Path = ()
    for path in paths:
        if path is _DEAD or result is _DEAD:
            return _DEAD
        if path[: len(result)] == result:
            result = path
        elif result[: len(path)] != path:
            result = (*result, *(part for part in path if part not in result))
            arms = [part for part in result if isinstance(part, Arm)]
            if len({arm.predicate for arm in arms}) < len(arms):
                return _DEAD
    return result
