"""Regions: what is to be made in one graph or function body, with loops and branches as single items.

A region holds the nodes of one path that its targets need. A loop or a branch among them is one item with regions of
its own; what these use from outside is what the item waits for.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monitored._graph.importer.control_flow import (
    ENTER,
    EXIT,
    MERGE,
    NEXT,
    SWITCH,
    Arm,
    ControlFlow,
    Frame,
    Path,
    unsupported,
)
from monitored._graph.importer.nodes import Node, Source

__all__ = ["Branch", "Loop", "Plain", "Region", "plan_region"]


@dataclass(eq=False, slots=True)
class Region:
    """What stands on one path and is needed.

    Attributes:
        path: The path.
        items: Nodes, loops and branches, each after those that it waits for.
        outside: The outputs of other regions that it uses.
        outside_controls: The nodes of other regions that it waits for.
    """

    path: Path
    items: list[Item] = field(default_factory=list)
    outside: dict[Source, None] = field(default_factory=dict)
    outside_controls: dict[Node, None] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Plain:
    """A node that becomes an operation."""

    node: Node


@dataclass(eq=False, slots=True)
class Loop:
    """A loop, with the regions of its condition and its body."""

    frame: Frame
    condition: Region
    body: Region


@dataclass(eq=False, slots=True)
class Branch:
    """A branch, with the regions of its two sides.

    Attributes:
        predicate: What decides.
        merges: The `Merge` nodes that give its results.
        sides: The regions for false and for true.
        shared: Further outputs of its sides that later branches on the same predicate use.
    """

    predicate: Source
    merges: list[Node]
    sides: tuple[Region, Region]
    shared: dict[Source, None] = field(default_factory=dict)


Item = Plain | Loop | Branch
Key = Node | Frame  # what tells items apart before the branches are put together: a frame, a plain node, a Merge
Owners = dict[Key, Branch]


def plan_region(
    flow: ControlFlow,
    path: Path,
    targets: Iterable[Source],
    controls: Iterable[Node] = (),
    owners: Owners | None = None,
) -> Region:
    """Finds what a region holds.

    Args:
        flow: The control flow of the graph.
        path: The region's path.
        targets: The outputs that are wanted of it.
        controls: The nodes that must have run.
        owners: Items of this path that an earlier branch on the same predicate makes.

    Returns:
        The region.

    Raises:
        UnimplementedError: If a value is used outside of the loop or branch that it stands in.
    """
    return _Planner(flow, path, owners or {}).plan(targets, controls)


@dataclass(slots=True)
class _Needs:
    """What an item waits for."""

    sources: Sequence[Source]
    controls: Sequence[Node] = ()


class _Planner:
    def __init__(self, flow: ControlFlow, path: Path, owners: Owners) -> None:
        self.flow = flow
        self.region = Region(path)
        self.owners = owners
        self.items: dict[Key, Item] = {}
        self.needs: dict[Key, _Needs] = {}
        self.before: dict[Key, dict[Key, None]] = {}

    def plan(self, targets: Iterable[Source], controls: Iterable[Node]) -> Region:
        """Plans the region."""
        for source in targets:
            self._find(source)
        for node in controls:
            self._find_control(node)
        self._complete()
        if any(isinstance(item, Branch) for item in self.items.values()):
            self._join_branches()
        self.region.items = self._ordered()
        return self.region

    # -- discovery ------------------------------------------------------------------------------------------

    def _complete(self) -> None:
        """Finds what the items found so far wait for, and so on."""
        pending = [key for key in self.items if key not in self.before]
        while pending:
            for key in pending:
                found = self.before[key] = {}
                needs = self.needs[key]
                for source in needs.sources:
                    self._note(found, self._find(source))
                for node in needs.controls:
                    self._note(found, self._find_control(node))
            pending = [key for key in self.items if key not in self.before]

    @staticmethod
    def _note(found: dict[Key, None], key: Key | None) -> None:
        if key is not None:
            found[key] = None

    def _find(self, source: Source) -> Key | None:
        """The item that gives an output; None when that stands outside."""
        source = self.flow.behind(source)
        node = source[0]
        if self._is_outside(source) or node.proto is None:
            self.region.outside[source] = None
            return None
        if self.flow.is_variable(node):
            return None  # an argument of this body
        key = self._key(node)
        if key in self.owners:
            self.region.outside[source] = None
            return None
        self._add(key, node)
        return key

    def _find_control(self, node: Node) -> Key | None:
        """The item that runs a node; None when that stands outside, or does nothing."""
        if node.proto is None:
            self.region.outside_controls[node] = None
            return None
        if node.type in SWITCH or node.type in ENTER or node.type in NEXT or self.flow.is_variable(node):
            return None
        if self._is_pivot(node):
            return None
        if node in self.flow.alias:
            return self._find_control(self.flow.behind((node, 0))[0])
        if self._is_outside((node, 0)):
            self.region.outside_controls[node] = None
            return None
        key = self._key(node)
        if key in self.owners:
            self.region.outside_controls[node] = None
            return None
        self._add(key, node)
        return key

    def _is_pivot(self, node: Node) -> bool:
        """Whether a node only stands there to be waited for by what is in a branch or loop."""
        if node.type != "Identity" or node.controls or not self.region.path:
            return False
        source = node.inputs[0][0]
        return source.type in SWITCH or source.type in ENTER or self.flow.is_variable(source)

    def _is_outside(self, source: Source) -> bool:
        """Whether an output stands around this region.

        Raises:
            UnimplementedError: If it stands within a loop or branch that this region is not in.
        """
        here, there = self.region.path, self.flow.path(source)
        if there == here:
            return False
        if here[: len(there)] != there:
            raise unsupported(source[0], "its value is used outside of the loop or branch that it stands in.")
        return True

    def _key(self, node: Node) -> Key:
        return self.flow.frame_of[node] if node.type in EXIT else node

    def _add(self, key: Key, node: Node) -> None:
        if key in self.items:
            return
        item: Item
        if isinstance(key, Frame):
            item = self._loop(key)
            entering = [source for enter in key.enters for source in enter.inputs if enter not in self.flow.alias]
            sources = [*entering, *item.condition.outside, *item.body.outside]
            waits = [control for enter in key.enters for control in enter.controls]
            self.needs[key] = _Needs(sources, [*waits, *item.condition.outside_controls, *item.body.outside_controls])
        elif node.type in MERGE:
            item = self._branch([node], (None, None))
            self.needs[key] = self._branch_needs(item)
        else:
            item = Plain(node)
            self.needs[key] = _Needs(node.inputs, node.controls)
        self.items[key] = item

    def _loop(self, frame: Frame) -> Loop:
        path = (*frame.path, frame)
        assert frame.condition is not None
        condition = plan_region(self.flow, path, frame.condition.inputs)
        following = [v.next for v in frame.variables]
        targets = [source for node in following for source in node.inputs]
        body = plan_region(self.flow, path, targets, [control for node in following for control in node.controls])
        return Loop(frame, condition, body)

    # -- branches -------------------------------------------------------------------------------------------

    def _branch(self, merges: list[Node], owners: tuple[Owners | None, Owners | None]) -> Branch:
        predicate = self.flow.branch_of[merges[0]][0]
        sides = [
            plan_region(
                self.flow,
                (*self.region.path, Arm(predicate, value)),
                [self.flow.branch_of[merge][1 + value] for merge in merges],
                owners=owners[value],
            )
            for value in (False, True)
        ]
        return Branch(predicate, merges, (sides[0], sides[1]))

    @staticmethod
    def _branch_needs(branch: Branch) -> _Needs:
        sources = dict.fromkeys([branch.predicate, *branch.sides[0].outside, *branch.sides[1].outside])
        controls = dict.fromkeys([*branch.sides[0].outside_controls, *branch.sides[1].outside_controls])
        return _Needs(list(sources), list(controls))

    def _join_branches(self) -> None:
        """Makes one item of the `Merge` nodes of one call of `cond`: those that share predicate and name scope.

        Not of all on a predicate: who asks for one would have to give what the others need. Nor of those that wait for
        one another. What a branch makes and a later one on the predicate uses (the branch of its gradient) is a further
        result of the former, so that it is computed once, and random numbers are the same in both.
        """
        groups: dict[tuple[int, Source, str], list[Node]] = {}
        for key, level in self._levels().items():
            item = self.items[key]
            if isinstance(item, Branch):
                scope = item.merges[0].name.rpartition("/")[0]
                groups.setdefault((level, item.predicate, scope), []).extend(item.merges)
        owners: dict[Source, tuple[Owners, Owners]] = {}
        joined: dict[Key, Branch] = {}
        for (_, predicate, _), merges in sorted(groups.items(), key=lambda group: group[0][0]):
            merges.sort(key=lambda merge: merge.position)
            own = owners.setdefault(predicate, ({}, {}))
            found = self.items[merges[0]]
            if len(merges) > 1 or own[0] or own[1] or not isinstance(found, Branch):
                found = self._branch(merges, own)
            self._share(found, own)
            joined.update((merge, found) for merge in merges)
        # An item of several merges stands under the first.
        first: dict[Key, Key] = {merge: branch.merges[0] for merge, branch in joined.items()}
        for key in joined:
            del self.items[key], self.needs[key], self.before[key]
        for branch in dict.fromkeys(joined.values()):
            key = branch.merges[0]
            self.items[key] = branch
            needs = self.needs[key] = self._branch_needs(branch)
            wanted = [self._key(self.flow.behind(s)[0]) for s in needs.sources] + [self._key(n) for n in needs.controls]
            own = owners[branch.predicate]
            self.before[key] = dict.fromkeys(
                owner.merges[0] if (owner := own[0].get(k) or own[1].get(k)) is not None else k for k in wanted
            )
        for key, before in self.before.items():
            mapped = (first.get(k, k) for k in before)
            self.before[key] = {k: None for k in mapped if k in self.items and k is not key}

    def _share(self, branch: Branch, own: tuple[Owners, Owners]) -> None:
        """Notes what a branch makes, so that later ones on its predicate use it; and what it uses of earlier ones."""
        for side, owner in zip(branch.sides, own, strict=True):
            for source in side.outside:
                if (earlier := owner.get(self._key(source[0]))) is not None:
                    earlier.shared[source] = None
            for item in side.items:
                for key in _keys(item):
                    if key not in owner and not (isinstance(item, Plain) and item.node.type == "Const"):
                        owner[key] = branch

    def _levels(self) -> dict[Key, int]:
        """How many branches each item waits for, one after the other."""
        levels: dict[Key, int] = {}
        stack: list[Key] = list(self.items)
        while stack:
            key = stack[-1]
            missing = [before for before in self.before[key] if before not in levels]
            if key in levels or not missing:
                counted = isinstance(self.items[key], Branch)
                levels.setdefault(key, max((levels[b] for b in self.before[key]), default=0) + counted)
                stack.pop()
            else:
                stack.extend(missing)
        return levels

    # -- order ----------------------------------------------------------------------------------------------

    def _ordered(self) -> list[Item]:
        after: dict[Key, list[Key]] = {}
        missing = {key: len(found) for key, found in self.before.items()}
        for key, found in self.before.items():
            for before in found:
                after.setdefault(before, []).append(key)
        ready = [(_position(self.items[key]), number, key) for number, key in enumerate(self.items) if not missing[key]]
        heapq.heapify(ready)
        ordered: list[Item] = []
        number = len(self.items)
        while ready:
            _, _, key = heapq.heappop(ready)
            ordered.append(self.items[key])
            for follower in after.get(key, ()):
                missing[follower] -= 1
                if not missing[follower]:
                    number += 1
                    heapq.heappush(ready, (_position(self.items[follower]), number, follower))
        assert len(ordered) == len(self.items)
        return ordered


def _keys(item: Item) -> list[Key]:
    if isinstance(item, Plain):
        return [item.node]
    return [item.frame] if isinstance(item, Loop) else list(item.merges)


def _position(item: Item) -> int:
    """Where an item stands in the file: where the last of its results does."""
    if isinstance(item, Plain):
        return item.node.position
    if isinstance(item, Branch):
        return max(merge.position for merge in item.merges)
    results = [node for v in item.frame.variables for node in v.exits] or [item.frame.enters[-1]]
    return max(node.position for node in results)
