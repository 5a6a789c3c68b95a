"""From planned regions to operations: plain nodes one for one, loops as `While`, branches as `If`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from monitored._graph import dtypes
from monitored._graph.effects import bodies_of
from monitored._graph.func_graph import FuncGraph
from monitored._graph.graph import Graph
from monitored._graph.importer.attrs import describe
from monitored._graph.importer.control_flow import ControlFlow, Frame, unsupported
from monitored._graph.importer.loop_gradients import (
    LoopStacks,
    Stack,
    StackAccess,
    emit_stack_node,
    sums_gradient_arrays,
)
from monitored._graph.importer.nodes import OPTIONALS, STACKS, Library, Node, Source
from monitored._graph.importer.regions import Branch, Item, Loop, Plain, Region
from monitored._graph.infer import infer_shapes
from monitored._graph.opdef import OpDef
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape

# What TensorFlow passes on to tell the state of an array or list of tensors is here its elements: of their type, and of
# another shape than TensorFlow says.
_ARRAYS: Final = frozenset({
    "TensorArrayV3", "TensorArrayGradV3", "TensorArrayWriteV3", "TensorArrayScatterV3", "TensorArraySplitV3",
    "TensorListReserve", "TensorListFromTensor", "TensorListSetItem", "TensorListScatter", "TensorListScatterV2",
    "TensorListScatterIntoExistingList", "TensorListSplit", "TensorListResize", "EmptyTensorList", "TensorListPushBack",
    "TensorListPopBack",
})  # fmt: skip
_PASS_ON: Final = frozenset({"Identity", "ZerosLike", "Add", "AddV2", "AddN"})
_FLOWS: Final = frozenset({"flow", "flow_out", "handle", "output_handle"})

__all__ = ["Emitter", "common_shape", "loop_shapes"]


class Emitter:
    """Makes the operations of one graph, or of one body in it.

    Attributes:
        graph: Where the operations go.
        prefix: What stands before the nodes' names: empty, or a scope with its slash.
        library: The functions that nodes may call.
        values: Output of a node -> its tensor.
        ops: Node -> the operation to wait for it.
        outer: The emitter of the graph around a body, whose values the body may use.
        is_file: Whether the nodes are those of a file, not of a function in it.
    """

    def __init__(
        self,
        graph: Graph,
        prefix: str,
        library: Library,
        nodes: dict[str, Node],
        flow: ControlFlow,
        outer: Emitter | None = None,
        is_file: bool = False,
    ) -> None:
        self.graph = graph
        self.prefix = prefix
        self.library = library
        self.nodes = nodes
        self.flow = flow
        self.outer = outer
        self.is_file = is_file
        self.values: dict[Source, Tensor] = {}
        self.ops: dict[Node, Operation] = {}
        self.calls: Any = None if outer is None else outer.calls  # emits calls of functions: set by who knows them
        # What stands for the state of TensorArrays and lists; of those, what holds gradients; stacks between loops.
        self.flows: set[Tensor] = set() if outer is None else outer.flows
        self.gradients: set[Tensor] = set() if outer is None else outer.gradients
        self.stacks: dict[Node, Stack] = {} if outer is None else outer.stacks
        self.access: StackAccess | None = None
        self.variants: dict[Node, OpDef] = {} if outer is None else outer.variants

    @property
    def body(self) -> FuncGraph:
        """The graph, which is a body."""
        assert isinstance(self.graph, FuncGraph)
        return self.graph

    def run(self, items: Iterable[Item]) -> None:
        """Makes the operations of items, in order."""
        for item in items:
            if isinstance(item, Plain):
                self._plain(item.node)
            elif isinstance(item, Loop):
                self._loop(item)
            else:
                self._branch(item)

    def tensor(self, source: Source) -> Tensor:
        """The tensor of an output, of this graph or one around it."""
        while True:
            emitter: Emitter | None = self
            while emitter is not None:
                found = emitter.values.get(source)
                if found is not None:
                    return found
                emitter = emitter.outer
            assert source[0] in self.flow.alias, source
            source = self.flow.alias[source[0]]

    def controls(self, nodes: Iterable[Node]) -> list[Operation]:
        """The operations of this graph to wait for; what stands around a body is waited for by what runs the body."""
        found = []
        for node in nodes:
            op = self.ops.get(self.flow.behind((node, 0))[0])
            if op is not None:
                found.append(op)
        return list(dict.fromkeys(found))

    def waits(self, node: Node) -> list[Node]:
        """The nodes that a node waits for: also what its constants wait for, which have values without being run."""
        found = list(node.controls)
        for one in (*(source[0] for source in node.inputs), *node.controls):
            if one.type == "Const":
                found.extend(one.controls)
        return found

    # -- one operation --------------------------------------------------------------------------------------

    def _plain(self, node: Node) -> None:
        if node.type in STACKS:
            emit_stack_node(self, node)
            return
        if node.type in OPTIONALS:
            self._optional(node)
            return
        if node.definition is None or node.type in ("If", "While"):
            self.calls.emit(self, node)
            return
        inputs = [self.tensor(source) for source in node.inputs]
        array = self._gradient_array(node)
        if array is not None:
            self.values[node, 0], self.ops[node] = self.values[array, 1], self.ops[array]
            return
        if node.type == "Identity" and inputs[0].dtype._is_ref_dtype and node.attrs["T"] == dtypes.resource:
            self.values[node, 0] = inputs[0]  # the handle of a variable is a reference here, which copying would read
            return
        attrs = dict(node.attrs)
        self._check_inputs(node, inputs, attrs, node.definition)
        if "_class" in attrs:
            attrs["_class"] = self._colocations(node, attrs["_class"])
        if node.type == "TensorArrayGradV3":
            attrs["_fresh"] = inputs[1] in self.flows and inputs[1] not in self.gradients
        if node.type == "VJP":  # ours: names the operation whose gradient it is
            forward = self.nodes.get(attrs["forward"])
            if forward not in self.ops:
                raise ValueError(f"Node '{node.name}' is the gradient of '{attrs['forward']}', which is not there.")
            attrs["forward"] = self.ops[forward].name
        op = self.make(node.definition.type, inputs, node.name, attrs, self.waits(node))
        if node in self.variants:
            op._definition = self.variants[node]
            for tensor, shape in zip(op._outputs, infer_shapes(op), strict=True):
                tensor._shape = shape
        if node.proto.device:
            op._device = node.proto.device
        self.ops[node] = op
        self._take_outputs(node, op)

    def _optional(self, node: Node) -> None:
        """Lets an optional value be the value; that of `OptionalNone` gets its type where it meets another."""
        if node.type == "OptionalNone":
            op = self.make("Absent", [], node.name, {"dtype": dtypes.float32})
            self.values[node, 0], self.ops[node] = op._outputs[0], op
        elif len(node.inputs) != 1 or len(node.attrs.get("output_types", [None])) != 1:
            raise unsupported(node, "only optional values of one tensor are known.")
        else:
            self.values[node, 0] = self.tensor(node.inputs[0])

    def make(
        self, op_type: str, inputs: Sequence[Tensor], name: str, attrs: dict[str, Any], controls: Iterable[Node] = ()
    ) -> Operation:
        """Adds an operation under a node's name."""
        full = self.graph.unique_name(self.prefix + name)
        op = self.graph.create_op(op_type, inputs, name=full + "/", attrs=attrs)
        waits = self.controls(controls)
        if waits:
            op._add_control_inputs(waits)
        return op

    def identity(self, tensor: Tensor, name: str, controls: Iterable[Node] = ()) -> Tensor:
        """The same value under a node's name."""
        op = self.make("Identity", [tensor], name, {"T": tensor.dtype.base_dtype}, controls)
        for kind in (self.flows, self.gradients):
            if tensor in kind:
                kind.add(op._outputs[0])
        return op._outputs[0]

    def _gradient_array(self, node: Node) -> Node | None:
        """The `TensorArrayGradV3` whose array a node stands for: it passes on the flow that the array was made with."""
        if node.type == "Identity":
            for control in node.controls:
                if control.type == "TensorArrayGradV3" and control.inputs[1] == node.inputs[0]:
                    return control
        return None

    def _take_outputs(self, node: Node, op: Operation) -> None:
        is_flow = node.type in ("Identity", "ZerosLike") and op.inputs[0] in self.flows
        for index, tensor in enumerate(op._outputs):
            self.values[node, index] = tensor
            is_array = node.type in _ARRAYS and op.op_def.outputs[index].name in _FLOWS
            if is_flow or (is_array and tensor.dtype != dtypes.resource):
                self.flows.add(tensor)
                if op.type == "TensorArrayGradV3" or op.inputs[-1] in self.gradients:
                    self.gradients.add(tensor)
        for tensor, shape in zip(op._outputs, node.shapes, strict=False):
            if tensor in self.flows or tensor.dtype == dtypes.resource or node.type == "VarHandleOp":
                continue  # tokens in TensorFlow; here the elements, or a reference of the variable's shape
            try:
                tensor._shape = tensor._shape.merge_with(shape)
            except ValueError:
                raise ValueError(
                    f"Node '{node.name}' has an _output_shapes attribute inconsistent with the GraphDef for output "
                    f"#{tensor.value_index}: {shape} and {tensor._shape} are not compatible."
                ) from None

    def _colocations(self, node: Node, items: Iterable[bytes]) -> list[bytes]:
        """The groups of nodes that a node is to share a device with, by their names here."""
        found = []
        for item in items:
            name = item.decode().removeprefix("loc:@")
            if name in self.nodes:
                found.append(f"loc:@{self.prefix}{name}".encode())
            elif self.is_file:
                raise ValueError(f"Node '{node.name}' expects to be colocated with unknown node '{name}'")
        return found

    def _check_inputs(self, node: Node, inputs: list[Tensor], attrs: dict[str, Any], definition: OpDef) -> None:
        """Checks types as TensorFlow does, and fills in those that only the inputs tell."""
        for tensor in inputs:
            # Tokens of type float32, and variants, in TensorFlow.
            if attrs.get("T") == dtypes.variant or (tensor in self.flows and node.type in _PASS_ON):
                attrs["T"] = tensor.dtype.base_dtype
        expected: list[tuple[dtypes.DType | None, bool]] = []
        for arg in definition.inputs:
            if arg.type_list_attr:
                expected.extend((dtype, arg.is_ref) for dtype in attrs[arg.type_list_attr])
                continue
            count = attrs[arg.number_attr] if arg.number_attr else 1
            if arg.type_attr and arg.type_attr.startswith("_") and len(expected) < len(inputs):
                attrs[arg.type_attr] = inputs[len(expected)].dtype.base_dtype
            dtype = arg.dtype or attrs.get(arg.type_attr or "")
            expected.extend([(dtype, arg.is_ref)] * count)
        if len(expected) != len(inputs):
            wanted = ", ".join(_shown(*one) for one in expected)
            raise ValueError(
                f"NodeDef expected inputs '{wanted}' do not match {len(inputs)} inputs specified; "
                f"{describe(definition)}; NodeDef: {{{{node {self.prefix}{node.name}}}}}"
            )
        for index, (tensor, (dtype, is_ref)) in enumerate(zip(inputs, expected, strict=True)):
            fits = dtype is None or tensor.dtype.base_dtype == dtype
            if not fits or (is_ref and not tensor.dtype._is_ref_dtype):
                given = _shown(tensor.dtype.base_dtype, tensor.dtype._is_ref_dtype)
                raise ValueError(
                    f"Input {index} of node {self.prefix}{node.name} was passed {given} from {tensor.name} "
                    f"incompatible with expected {_shown(dtype, is_ref)}."
                )

    # -- loops ----------------------------------------------------------------------------------------------

    def _loop(self, loop: Loop) -> None:
        frame, count = loop.frame, len(loop.frame.variables)
        stacks = LoopStacks(self, loop)
        initial = [*(self.tensor(v.enter.inputs[0]) for v in frame.variables), *stacks.initial]
        for variable, tensor in zip(frame.variables, initial, strict=False):
            if tensor.dtype._is_ref_dtype:
                raise ValueError(f"The loop variable '{variable.merge.name}' is a reference, which cannot be imported.")

        def trace(shapes: list[TensorShape]) -> tuple[FuncGraph, FuncGraph]:
            condition = self._body("cond", loop.condition, frame, initial, shapes, stacks)
            return condition, self._body("body", loop.body, frame, initial, shapes, stacks)

        while True:
            start = [TensorShape(None) if t in self.flows else t.shape for t in initial]
            condition, body, shapes = loop_shapes(trace, start)
            # Gradients of arrays are summed from a zero, in TensorFlow a token; here from zeros in place of elements.
            arrays = [sums_gradient_arrays(a, r) for a, r in zip(body.arguments, body.outputs, strict=True)]
            zeros = [k for k, array in enumerate(arrays) if array is not None and initial[k] not in self.flows]
            if not zeros:
                break
            for k in zeros:
                initial[k] = self._zeros(arrays[k], f"{frame.variables[k].merge.name}/zeros")
        controls = [control for enter in frame.enters for control in self.waits(enter)]
        controls += [*loop.condition.outside_controls, *loop.body.outside_controls]
        op = self.make_while(f"{_scope_of(frame)}/While", initial, condition, body, shapes, controls)
        stacks.leave(list(op._outputs[count:]))
        for variable, tensor in zip(frame.variables, op._outputs, strict=False):
            for node in variable.exits:
                named = self.identity(tensor, node.name)
                self.values[node, 0], self.ops[node] = named, named.op

    def _zeros(self, array: Tensor | None, name: str) -> Tensor:
        assert array is not None
        zeros = self.make("ZerosLike", [array], name, {"T": array.dtype.base_dtype})._outputs[0]
        self.flows.add(zeros)
        self.gradients.add(zeros)
        return zeros

    def make_while(
        self,
        name: str,
        initial: list[Tensor],
        condition: FuncGraph,
        body: FuncGraph,
        shapes: list[TensorShape],
        controls: Iterable[Node],
        captured: Iterable[Tensor] = (),
    ) -> Operation:
        """Adds a `While` operation; `captured` is what it captures first, used or not."""
        captures = _capture(captured, condition, body)
        inputs = [*initial, *captures]
        attrs = {
            "T": [t.dtype.base_dtype for t in inputs],
            "Tout": [t.dtype.base_dtype for t in initial],
            "cond": condition,
            "body": body,
            "output_shapes": shapes,
            "parallel_iterations": 10,
        }
        return self._with_flows(self.make("While", inputs, name, attrs, controls), body)

    def _with_flows(self, op: Operation, body: FuncGraph) -> Operation:
        for kind in (self.flows, self.gradients):
            kind.update(t for t, inside in zip(op._outputs, body.outputs, strict=True) if inside in kind)
        return op

    def _body(
        self,
        label: str,
        region: Region,
        frame: Frame,
        initial: list[Tensor],
        shapes: list[TensorShape],
        stacks: LoopStacks,
    ) -> FuncGraph:
        """The condition or the body of a loop."""
        part = FuncGraph(f"{_scope_of(frame)}/{label}", self.graph)
        inner = self._inner(part)
        for index, (tensor, shape) in enumerate(zip(initial, shapes, strict=True)):
            variable = frame.variables[index] if index < len(frame.variables) else None
            name = "stack" if variable is None else _last(variable.merge.name)
            argument = part.add_argument(tensor.dtype.base_dtype, shape, name)
            if variable is not None:
                inner.values[variable.merge, 0] = argument
                if variable.switch is not None:
                    inner.values[variable.switch, 0] = inner.values[variable.switch, 1] = argument
            for kind in (self.flows, self.gradients):
                if tensor in kind:
                    kind.add(argument)
        stacks.enter(inner, part.arguments[len(frame.variables) :])
        inner.run(region.items)
        assert frame.condition is not None
        if label == "cond":
            part.outputs = [inner.result(frame.condition.inputs[0], frame.condition.name)]
        else:
            part.outputs = [inner.next_value(variable.next) for variable in frame.variables] + stacks.results(inner)
        return part

    def next_value(self, node: Node) -> Tensor:
        """What a loop variable is in the next turn, which comes after what the `NextIteration` node waits for."""
        waits = [op for op in self.controls(node.controls) if _has_effects(op)]
        if not waits:
            return self.result(node.inputs[0], node.name)
        value = self.identity(self.tensor(node.inputs[0]), node.name)
        value.op._add_control_inputs(waits)
        return value

    def _inner(self, part: FuncGraph) -> Emitter:
        return Emitter(part, self.prefix, self.library, self.nodes, self.flow, outer=self)

    def result(self, source: Source, name: str) -> Tensor:
        """What a body gives: a tensor of its own, even for a constant or something that it captures."""
        tensor = self.tensor(source)
        if tensor.graph is not self.graph or tensor.op.type in ("Const", "Placeholder") or tensor.dtype._is_ref_dtype:
            return self.identity(tensor, name)
        return tensor

    # -- branches -------------------------------------------------------------------------------------------

    def _branch(self, branch: Branch) -> None:
        merges, flow = branch.merges, self.flow
        scope = merges[0].name.rpartition("/")[0] or merges[0].name
        predicate = self.tensor(branch.predicate)
        sides: list[Emitter] = []
        for label, region in zip(("false", "true"), branch.sides, strict=True):
            inner = self._inner(FuncGraph(f"{self.prefix}{scope}/{label}", self.graph))
            inner.run(region.items)
            inner.body.outputs = [inner.result(flow.branch_of[merge][1 + len(sides)], merge.name) for merge in merges]
            sides.append(inner)
        for merge, one, other in zip(merges, sides[1].body.outputs, sides[0].body.outputs, strict=True):
            if one.dtype.base_dtype != other.dtype.base_dtype:
                types = f"{other.dtype.base_dtype.name} and {one.dtype.base_dtype.name}"
                raise ValueError(f"Node '{merge.name}' merges values of types {types}.")
        for source in branch.shared:
            maker = sides[flow.path(source) == branch.sides[1].path]
            value = maker.result(source, f"{source[0].name}/output")
            for inner in sides:
                inner.body.outputs.append(value if inner is maker else inner._absent(source, value.dtype.base_dtype))
        controls = [*branch.sides[0].outside_controls, *branch.sides[1].outside_controls]
        op = self.make_if(f"{scope}/If", predicate, sides[1].body, sides[0].body, controls)
        for merge, tensor in zip(merges, op._outputs, strict=False):
            named = self.identity(tensor, merge.name, self.waits(merge))
            self.values[merge, 0], self.ops[merge] = named, named.op
            if merge in flow.asked_which:
                self.values[merge, 1] = self._which(merge, predicate)
        self.values.update(zip(branch.shared, op._outputs[len(merges) :], strict=True))

    def _which(self, merge: Node, predicate: Tensor) -> Tensor:
        """The second output of a `Merge`: which of its inputs was taken."""
        if self.flow.branch_of[merge][1] == self.flow.behind(merge.inputs[1]):
            predicate = self.make("LogicalNot", [predicate], f"{merge.name}/other", {})._outputs[0]
        attrs = {"SrcT": dtypes.bool_, "DstT": dtypes.int32, "Truncate": False}
        return self.make("Cast", [predicate], f"{merge.name}/value_index", attrs)._outputs[0]

    def make_if(
        self,
        name: str,
        predicate: Tensor,
        then: FuncGraph,
        other: FuncGraph,
        controls: Iterable[Node],
        captured: Iterable[Tensor] = (),
    ) -> Operation:
        """Adds an `If` operation; `captured` is what it captures first, used or not."""
        captures = _capture(captured, then, other)
        attrs = {
            "Tcond": predicate.dtype.base_dtype,
            "Tin": [t.dtype.base_dtype for t in captures],
            "Tout": [t.dtype.base_dtype for t in then.outputs],
            "then_branch": then,
            "else_branch": other,
        }
        return self._with_flows(self.make("If", [predicate, *captures], name, attrs, controls), then)

    def _absent(self, source: Source, dtype: dtypes.DType) -> Tensor:
        """Stands on one side of a branch for what only the other side computes."""
        return self.make("Absent", [], f"{source[0].name}/absent", {"dtype": dtype})._outputs[0]


def _capture(first: Iterable[Tensor], *bodies: FuncGraph) -> list[Tensor]:
    """Gives bodies the same inputs: some tensors, but for constants, which they copy; then what else they use."""
    outer = bodies[0].outer
    found = [t if t.graph is outer else outer._captured(t) for t in first if t.op.type != "Const"]
    captures = list(dict.fromkeys([*found, *(t for body in bodies for t in body.captured)]))
    for body in bodies:
        body.take_in_order(captures)
    return captures


def loop_shapes(trace: Any, shapes: list[TensorShape]) -> tuple[FuncGraph, FuncGraph, list[TensorShape]]:
    """Traces a loop with shapes of its variables that hold for all turns.

    The file does not tell these; so the body is traced with those of the first values, and again with what these and
    the body's results have in common, until they stay the same.

    Args:
        trace: Gives condition and body for shapes of the arguments.
        shapes: The shapes of the first values.

    Returns:
        The condition, the body and the shapes.
    """
    while True:
        try:
            condition, body = trace(shapes)
        except ValueError:
            if all(shape.ndims is None for shape in shapes):
                raise
            shapes = [TensorShape(None)] * len(shapes)
            continue
        results = body.outputs[: len(shapes)]
        found = [common_shape(shape, t.shape) for shape, t in zip(shapes, results, strict=True)]
        if found == shapes:
            return condition, body, shapes
        shapes = found


def common_shape(one: TensorShape, other: TensorShape) -> TensorShape:
    """What holds for tensors of either of two shapes."""
    if one.sizes is None or other.sizes is None or len(one.sizes) != len(other.sizes):
        return TensorShape(None)
    return TensorShape([a if a == b else None for a, b in zip(one.sizes, other.sizes, strict=True)])


def _shown(dtype: dtypes.DType | None, is_ref: bool) -> str:
    return f"{'?' if dtype is None else _TF_NAMES.get(dtype.name, dtype.name)}{'_ref' if is_ref else ''}"


_TF_NAMES = {"float32": "float", "float64": "double", "float16": "half"}


def _has_effects(op: Operation) -> bool:
    definition = op.op_def
    own = definition.updates or definition.stateful or definition.host or definition.random or bodies_of(op)
    return bool(own) or any(_has_effects(control) for control in op._control_inputs)


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _scope_of(frame: Frame) -> str:
    """The name scope in which a loop was made: that of `while/while_context` is `while`."""
    return frame.name.rpartition("/")[0] or frame.name
