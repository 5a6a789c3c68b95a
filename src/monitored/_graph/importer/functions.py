"""Calls of the functions in a graph's library: `If` and `While` with bodies of their own, other calls written out.

Arguments that a loop hands on unchanged, and all arguments of a branch, are captured by the body: so handles stand for
the variables that they name, and constants stay known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitored import errors
from monitored._graph import dtypes
from monitored._graph.func_graph import FuncGraph
from monitored._graph.importer.attrs import python_value
from monitored._graph.importer.control_flow import analyse
from monitored._graph.importer.emit import Emitter, loop_shapes
from monitored._graph.importer.nodes import CALLS, Library, Node, Source, read_nodes
from monitored._graph.importer.regions import plan_region
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape

__all__ = ["Calls"]


class Calls:
    """Emits nodes that call functions."""

    def emit(self, emitter: Emitter, node: Node) -> None:
        """Makes the operations that a node stands for.

        Args:
            emitter: Where they go.
            node: The node.

        Raises:
            UnimplementedError: If calls of this type cannot be imported.
        """
        inputs = [emitter.tensor(source) for source in node.inputs]
        if node.type in ("If", "StatelessIf"):
            self._if(emitter, node, inputs)
        elif node.type in ("While", "StatelessWhile"):
            self._while(emitter, node, inputs)
        elif node.type in ("PartitionedCall", "StatefulPartitionedCall"):
            self._inline(emitter, node, node.attrs["f"].name, _given(node.attrs["f"]), inputs)
        elif node.type in ("Case", "StatelessCase"):
            self._case(emitter, node, inputs)
        elif node.type in emitter.library:
            self._inline(emitter, node, node.type, node.attrs, inputs)
        else:
            raise errors.UnimplementedError(node.proto, None, f"'{node.name}' (op: '{node.type}') cannot be imported.")

    # -- branches -------------------------------------------------------------------------------------------

    def _if(self, emitter: Emitter, node: Node, inputs: list[Tensor]) -> None:
        predicate = inputs[0]
        if predicate.dtype.base_dtype != dtypes.bool_:
            zero = emitter.make("ZerosLike", [predicate], f"{node.name}/zero", {"T": predicate.dtype.base_dtype})
            predicate = _compare(emitter, "NotEqual", predicate, zero._outputs[0], f"{node.name}/pred")
        bodies = [self._side(emitter, node, key, node.attrs[key], inputs[1:]) for key in ("then_branch", "else_branch")]
        op = self._choose(emitter, node, predicate, bodies, inputs[1:])
        emitter.ops[node] = op
        emitter.values.update(((node, i), tensor) for i, tensor in enumerate(op._outputs))

    def _case(self, emitter: Emitter, node: Node, inputs: list[Tensor]) -> None:
        """Makes one of several branches a chain of choices between the first and the rest; the last is for the rest."""
        op = self._first_or_rest(emitter, node, inputs[0], list(node.attrs["branches"]), 0, inputs[1:])
        emitter.ops[node] = op
        emitter.values.update(((node, i), tensor) for i, tensor in enumerate(op._outputs))

    def _first_or_rest(
        self, emitter: Emitter, node: Node, index: Tensor, functions: list[Any], first: int, arguments: list[Tensor]
    ) -> Operation:
        attrs = {"dtype": dtypes.int32, "value": np.asarray(first, np.int32)}
        number = emitter.make("Const", [], f"{node.name}/branch_{first}", attrs)._outputs[0]
        predicate = _compare(emitter, "Equal", index, number, f"{node.name}/is_{first}")
        last = min(first + 1, len(functions) - 1)
        bodies = [self._side(emitter, node, f"branch_{first}", functions[first], arguments)]
        if last >= len(functions) - 1:
            bodies.append(self._side(emitter, node, f"branch_{last}", functions[last], arguments))
        else:
            part = FuncGraph(f"{emitter.prefix}{node.name}/rest_{first}", emitter.graph)
            inner = Emitter(part, "", emitter.library, {}, emitter.flow, outer=emitter)
            part.outputs = list(self._first_or_rest(inner, node, index, functions, last, arguments)._outputs)
            bodies.append(part)
        return self._choose(emitter, node, predicate, bodies, [index, *arguments])

    def _side(self, emitter: Emitter, node: Node, label: str, function: Any, arguments: list[Tensor]) -> FuncGraph:
        part = FuncGraph(f"{emitter.prefix}{node.name}/{label}", emitter.graph)
        part.outputs = self._trace(emitter, part, function.name, _given(function), arguments)
        return part

    def _choose(
        self, emitter: Emitter, node: Node, predicate: Tensor, bodies: list[FuncGraph], captured: list[Tensor]
    ) -> Operation:
        if len({len(part.outputs) for part in bodies}) != 1:
            for part in bodies:  # one side has effects only, the other not even these
                if len(part.outputs) == node.count:
                    part.outputs.append(_ran(part, []))
        for place, results in enumerate(zip(*(part.outputs for part in bodies), strict=True)):
            self._give_type(bodies, place, results)
        return emitter.make_if(node.name, predicate, bodies[0], bodies[1], emitter.waits(node), captured)

    @staticmethod
    def _give_type(bodies: list[FuncGraph], place: int, results: tuple[Tensor, ...]) -> None:
        """Gives what only one side of a branch computes the same type on the other side."""
        is_absent = [_behind_identity(t).op.type == "Absent" for t in results]
        if is_absent[0] != is_absent[1]:
            absent, other = is_absent.index(True), results[is_absent.index(False)]
            attrs = {"dtype": other.dtype.base_dtype}
            bodies[absent].outputs[place] = bodies[absent].create_op("Absent", [], attrs=attrs)._outputs[0]

    # -- loops ----------------------------------------------------------------------------------------------

    def _while(self, emitter: Emitter, node: Node, inputs: list[Tensor]) -> None:
        condition, body = node.attrs["cond"], node.attrs["body"]
        handles = {i for i, t in enumerate(inputs) if t.dtype._is_ref_dtype or t.dtype == dtypes.resource}
        kept = _handed_on(emitter.library[body.name]) | handles
        # What the body hands on at the end of the list is captured; what stands between others stays in its place.
        count = max((i + 1 for i in range(len(inputs)) if i not in kept), default=0)
        varying = [i for i in range(count) if i not in handles]
        initial = [inputs[i] for i in varying]

        def trace(shapes: list[TensorShape]) -> tuple[FuncGraph, FuncGraph]:
            parts = []
            for function, label in ((condition, "cond"), (body, "body")):
                part = FuncGraph(f"{emitter.prefix}{node.name}/{label}", emitter.graph)
                arguments = list(inputs)
                for place, shape in zip(varying, shapes, strict=True):
                    tensor = inputs[place]
                    arguments[place] = part.add_argument(tensor.dtype.base_dtype, shape, f"argument_{place}")
                    if tensor in emitter.flows:
                        emitter.flows.add(arguments[place])
                results = self._trace(emitter, part, function.name, _given(function), arguments)
                if label == "body":
                    results = [results[i] for i in varying] + results[len(inputs) :]
                part.outputs = results
                parts.append(part)
            return parts[0], parts[1]

        shapes = [TensorShape(None) if t in emitter.flows else t.shape for t in initial]
        first, second, shapes = loop_shapes(trace, shapes)
        if len(second.outputs) > len(initial):  # it has effects only
            ran = second.outputs.pop()
            if second.outputs:
                second.outputs[0].op._add_control_inputs([ran.op])
        whole = len(varying) == count
        name = node.name if whole else f"{node.name}/While"
        captured = [inputs[i] for i in range(len(inputs)) if i not in varying]
        op = emitter.make_while(name, initial, first, second, shapes, emitter.waits(node), captured)
        results = list(inputs)
        for place, tensor in zip(varying, op._outputs, strict=True):
            results[place] = tensor
        emitter.values.update(((node, i), tensor) for i, tensor in enumerate(results))
        if not whole:
            op = _named(emitter, node, results)
        emitter.ops[node] = op

    # -- other calls ----------------------------------------------------------------------------------------

    def _inline(
        self, emitter: Emitter, node: Node, function: str, given: Mapping[str, Any], inputs: list[Tensor]
    ) -> None:
        inner, results, ran = self._function(emitter, emitter.graph, function, given, inputs, f"{node.name}/")
        waits = [inner.ops[one] for one in ran if one in inner.ops]
        op = _named(emitter, node, results) if results else emitter.make("NoOp", [], node.name, {}, emitter.waits(node))
        if waits:
            op._add_control_inputs(waits)
        emitter.ops[node] = op

    # -- bodies ---------------------------------------------------------------------------------------------

    def _trace(
        self, emitter: Emitter, part: FuncGraph, function: str, given: Mapping[str, Any], arguments: Sequence[Tensor]
    ) -> list[Tensor]:
        """Writes a function into a body; gives its results, and one more when it has effects but no results."""
        inner, results, ran = self._function(emitter, part, function, given, arguments, "")
        waits = [inner.ops[one] for one in ran if one in inner.ops]
        outputs = []
        for index, tensor in enumerate(results):
            is_own = tensor.graph is part and tensor.op.type not in ("Const", "Placeholder")
            if tensor.dtype._is_ref_dtype or not is_own or (waits and index == 0):
                tensor = inner.identity(tensor, f"result_{index}")
            outputs.append(tensor)
        if waits and outputs:
            outputs[0].op._add_control_inputs([op for op in waits if op is not outputs[0].op])
        elif waits:
            outputs.append(_ran(part, waits))
        return outputs

    def _function(
        self,
        emitter: Emitter,
        graph: Any,
        function: str,
        given: Mapping[str, Any],
        arguments: Sequence[Tensor],
        scope: str,
    ) -> tuple[Emitter, list[Tensor], list[Node]]:
        """Makes the operations that a function's results and effects need; gives results and what must have run."""
        library = emitter.library
        definition = library[function]
        taken = definition.signature.input_arg
        if len(taken) != len(arguments):
            raise ValueError(f"Function '{function}' takes {len(taken)} arguments, but is given {len(arguments)}.")
        own = {arg.name: Node(arg.name, "_Arg", -1) for arg in taken}
        resolve = _Resolver(own, library)
        given = {key: python_value(value) for key, value in definition.attr.items() if key != "_output_shapes"} | {
            **given
        }
        prefix = emitter.prefix + scope if graph is emitter.graph else scope
        nodes = read_nodes(definition.node_def, prefix, library, given, resolve)
        flow = analyse(nodes)
        results = [resolve.output(definition.ret[arg.name], nodes) for arg in definition.signature.output_arg]
        ran = [nodes[name] for name in definition.control_ret.values()]
        inner = Emitter(graph, prefix, library, nodes, flow)
        inner.calls, inner.flows, inner.gradients = self, emitter.flows, emitter.gradients
        inner.values.update(((own[arg.name], 0), tensor) for arg, tensor in zip(taken, arguments, strict=True))
        inner.run(plan_region(flow, (), results, ran).items)
        return inner, [inner.tensor(source) for source in results], ran


class _Resolver:
    """Finds what the inputs of a function's nodes mean: ``argument``, ``node:output:index``, ``^node``."""

    def __init__(self, arguments: Mapping[str, Node], library: Library) -> None:
        self.arguments = arguments
        self.library = library

    def __call__(self, text: str, nodes: Mapping[str, Node]) -> Source | Node | None:
        if text.startswith("^"):
            return nodes.get(text[1:]) or self.arguments.get(text[1:])
        name, _, rest = text.partition(":")
        if name in self.arguments:
            return self.arguments[name], 0
        node = nodes.get(name)
        if node is None:
            return None
        output, _, index = rest.partition(":")
        return node, self._offset(node, output) + int(index or 0)

    def output(self, text: str, nodes: Mapping[str, Node]) -> Source:
        """The output that a result of the function names."""
        found = self(text, nodes)
        if not isinstance(found, tuple):
            raise ValueError(f"A function returns '{text}', which it does not have.")
        return found

    def _offset(self, node: Node, output: str) -> int:
        """The place of a named output among all outputs of a node."""
        if node.definition is None:
            if node.type in self.library and node.type not in CALLS:
                return [arg.name for arg in self.library[node.type].signature.output_arg].index(output)
            return 1 if output == "value_index" or (output == "output_true") else 0
        offset = 0
        for arg in node.definition.outputs:
            if arg.name == output:
                return offset
            if arg.type_list_attr:
                offset += len(node.attrs[arg.type_list_attr])
            else:
                offset += node.attrs[arg.number_attr] if arg.number_attr else 1
        if len(node.definition.outputs) == 1:
            return 0
        raise ValueError(f"Node '{node.name}' (op: '{node.type}') has no output '{output}'.")


def _given(function: Any) -> dict[str, Any]:
    """The attributes with which a function is called."""
    return {key: python_value(value) for key, value in function.attr.items()}


def _handed_on(definition: Any) -> set[int]:
    """The places of the arguments that a loop's body gives back as they are."""
    nodes = {proto.name: proto for proto in definition.node_def}
    places = {arg.name: index for index, arg in enumerate(definition.signature.input_arg)}
    kept = set()
    for index, arg in enumerate(definition.signature.output_arg):
        name = definition.ret[arg.name].partition(":")[0]
        while name in nodes and nodes[name].op == "Identity":
            name = nodes[name].input[0].partition(":")[0]
        if places.get(name) == index and index < len(places):
            kept.add(index)
    return kept


def _compare(emitter: Emitter, op_type: str, left: Tensor, right: Tensor, name: str) -> Tensor:
    attrs = {"T": left.dtype.base_dtype, "incompatible_shape_error": True}
    return emitter.make(op_type, [left, right], name, attrs)._outputs[0]


def _named(emitter: Emitter, node: Node, results: list[Tensor]) -> Operation:
    """An operation that gives the results of a call under the call's name; handles are passed by."""
    plain = [None if t.dtype == dtypes.resource or t.dtype._is_ref_dtype else t for t in results]
    nothing = None
    if None in plain:
        attrs = {"dtype": dtypes.int32, "value": np.asarray(0, np.int32)}
        nothing = emitter.make("Const", [], f"{node.name}/handle", attrs)._outputs[0]
    taken = [nothing if t is None else t for t in plain]
    inputs = [t for t in taken if t is not None]
    op = emitter.make("IdentityN", inputs, node.name, {"T": [t.dtype.base_dtype for t in inputs]}, emitter.waits(node))
    for index, tensor in enumerate(results):
        named = op._outputs[index]
        emitter.values[node, index] = tensor if plain[index] is None else named
        if tensor in emitter.flows:
            emitter.flows.add(named)
    return op


def _behind_identity(tensor: Tensor) -> Tensor:
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor


def _ran(part: FuncGraph, waits: list[Operation]) -> Tensor:
    """A result that says that a body has run."""
    true = part.create_op("Const", [], name="ran", attrs={"dtype": dtypes.bool_, "value": np.asarray(True)})
    done = part.create_op("Identity", [true._outputs[0]], name="done", attrs={"T": dtypes.bool_})
    done._add_control_inputs(waits)
    return done._outputs[0]
