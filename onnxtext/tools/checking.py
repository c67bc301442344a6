"""What is wrong with a model, or looks so: findings with a code, a place and what to do.

>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { h = Neg(x) y = Rleu(x) }')
>>> for finding in check(model, Blobs()):
...     print(finding.code, finding.place, finding.message)
OXT001 graph, %y there is no operator Rleu in version 21 of onnx (did you mean Relu?)
OXT011 graph, %h no output depends on Neg
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx
import onnx.defs
import onnx.shape_inference

from onnxtext.core.blobs import Blobs
from onnxtext.core.errors import UsageError, nearest

if TYPE_CHECKING:
    from onnxtext_passes.operators import Versions

Holder = onnx.GraphProto | onnx.FunctionProto


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code stands for."""

    title: str
    level: str  # error: a runtime refuses it; warning: it runs, and something is probably not meant
    explanation: str


RULES = {
    "OXT001": Rule(
        "unknown operator",
        "error",
        "The operator is not in the imported version of its operator set. Either its name is misspelt, or the version\n"
        "is too old or too new: `onnx.version_converter` moves a model to another version.",
    ),
    "OXT002": Rule(
        "domain not imported",
        "error",
        "A node's operator belongs to an operator set of which the model imports no version. Add the domain with a\n"
        "version to the model's opset_import (in a function, to that of the function).",
    ),
    "OXT003": Rule(
        "value defined twice",
        "error",
        "Two nodes, inputs or weights define one name. In ONNX each value is defined once: rename one of the two.",
    ),
    "OXT004": Rule(
        "undefined value",
        "error",
        "A node or an output reads a value that nothing defines. Define it, or read another.",
    ),
    "OXT005": Rule(
        "wrong number of operands or results",
        "error",
        "The operator takes another number of operands, or gives another number of results, in this version.",
    ),
    "OXT006": Rule(
        "unknown attribute",
        "error",
        "The operator has no such attribute in this version. In some versions attributes became operands: `axes` of\n"
        "Squeeze is an operand since version 13.",
    ),
    "OXT007": Rule(
        "attribute of the wrong type",
        "error",
        "The attribute holds another kind of value than the operator asks for: a float for an int, one for a list.",
    ),
    "OXT008": Rule(
        "missing attribute",
        "error",
        "The operator needs this attribute and has no default for it.",
    ),
    "OXT009": Rule(
        "types or shapes in conflict",
        "error",
        "What the operator computes from its operands is not what it may take, or not what the model declares. The\n"
        "message is that of onnx's shape inference.",
    ),
    "OXT010": Rule(
        "weight that nothing reads",
        "warning",
        "No node and no output reads this initializer; it only makes the file larger. `--passes prune` removes it.",
    ),
    "OXT011": Rule(
        "node that no output depends on",
        "warning",
        "The node computes something that reaches no output. `--passes prune` removes it.",
    ),
    "OXT012": Rule(
        "input that nothing reads",
        "warning",
        "Whoever runs the model has to give this input, and nothing depends on it. Perhaps a part of the model is not\n"
        "connected; else remove the input.",
    ),
    "OXT013": Rule(
        "used before it is defined",
        "error",
        "A node reads a value that a later node defines. ONNX wants definitions to come first:\n"
        "`--passes canonicalize` sorts nodes, and renames.",
    ),
    "OXT014": Rule(
        "function that nothing calls",
        "warning",
        "The model has a function of its own that no node calls. `--passes prune` removes it.",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: the code of its rule, the place in the model, what it is."""

    code: str
    place: str  # as in "graph, %y"
    message: str

    @property
    def level(self) -> str:
        """Return "error" or "warning"."""
        return RULES[self.code].level


def explain(code: str) -> str:
    """Return what a code stands for and what to do.  Raises UsageError for an unknown one."""
    if code not in RULES:
        raise UsageError(f"there is no code {code}{nearest(code, RULES)}; they go from {min(RULES)} to {max(RULES)}")
    rule = RULES[code]
    return f"{code}: {rule.title} ({rule.level})\n\n{rule.explanation}"


def check(model: onnx.ModelProto, blobs: Blobs) -> list[Finding]:
    """Return what is wrong with a model, in the order of the codes; nothing where all is well."""
    from onnxtext_passes.operators import function_key, node_key, versions_of
    from onnxtext_passes.scopes import holders

    functions = {function_key(f) for f in model.functions}
    found = list(_Checker(functions, versions_of(model)).holder(model.graph, "graph", {}))
    for function in model.functions:
        name = ".".join(part for part in (function.domain, function.name) if part)
        found += _Checker(functions, versions_of(function)).holder(function, f"@{name}", {})
    called = {node_key(node) for holder in holders(model) for node in holder.node}
    for key in functions - called:
        found.append(Finding("OXT014", "model", f"nothing calls the function {'.'.join(filter(None, key))}"))
    found += _conflicts(model, blobs)
    return sorted(found, key=lambda finding: finding.code)


class _Checker:
    def __init__(self, functions: set[tuple[str, str, str]], versions: Versions) -> None:
        self.functions, self.versions = functions, versions

    def holder(self, holder: Holder, scope: str, outer: dict[str, int]) -> Iterator[Finding]:
        """Yield what is wrong in a graph or function; `outer` are the values of the graphs around it."""
        from onnxtext_passes.scopes import count_uses, graph_attributes, output_names

        is_graph = isinstance(holder, onnx.GraphProto)
        weights = [t.name for t in holder.initializer] if is_graph else []  # type: ignore[union-attr]  # a graph
        weights += [s.values.name for s in holder.sparse_initializer] if is_graph else []  # type: ignore[union-attr]
        inputs = [i.name for i in holder.input] if is_graph else list(holder.input)  # type: ignore[union-attr]
        given = [*inputs, *(name for name in weights if name not in set(inputs))]
        defined: dict[str, int] = {}  # -1, or the place of the node
        for name in given:
            if name in defined:
                yield Finding("OXT003", f"{scope}, {_value(name)}", "an input or weight of this name is there twice")
            defined[name] = -1
        for place, node in enumerate(holder.node):
            for name in filter(None, node.output):
                if name in defined:
                    yield Finding("OXT003", f"{scope}, {_value(name)}", f"{node.op_type} defines it once more")
                defined.setdefault(name, place)
        for place, node in enumerate(holder.node):
            at = f"{scope}, {_value(node.output[0]) if node.output else node.op_type}"
            yield from self.node(node, at)
            for name in filter(None, node.input):
                if name not in defined and name not in outer:
                    hint = nearest(_value(name), map(_value, [*outer, *defined]))
                    yield Finding("OXT004", at, f"{node.op_type} reads {_value(name)}, which nothing defines{hint}")
                elif defined.get(name, -1) >= place:
                    yield Finding("OXT013", at, f"{node.op_type} reads {_value(name)}, which is defined later")
            for graph in graph_attributes(node):
                yield from self.holder(graph, f"{scope} within {_value(node.output[0])}", {**outer, **defined})
        for name in output_names(holder):
            if name not in defined and name not in outer:
                hint = nearest(_value(name), map(_value, defined))
                yield Finding("OXT004", scope, f"the output {_value(name)} is defined nowhere{hint}")
        uses = count_uses(holder)
        for name in weights:
            if not uses[name]:
                yield Finding("OXT010", f"{scope}, {_value(name)}", "nothing reads this weight")
        for name in inputs if not outer else ():  # a loop hands its body more than it may need
            if not uses[name] and name not in weights:
                yield Finding("OXT012", f"{scope}, {_value(name)}", "nothing reads this input")
        yield from self.dead(holder, scope)

    def dead(self, holder: Holder, scope: str) -> Iterator[Finding]:
        from onnxtext_passes.scopes import count_uses, graph_attributes, output_names

        needed = set(output_names(holder))
        for node in reversed(_in_order(holder)):
            if needed.isdisjoint(node.output):
                place = f"{scope}, {_value(node.output[0])}" if node.output else scope
                yield Finding("OXT011", place, f"no output depends on {node.op_type}")
                continue
            needed.update(node.input)
            for graph in graph_attributes(node):
                needed.update(count_uses(graph))

    def node(self, node: onnx.NodeProto, at: str) -> Iterator[Finding]:
        """Yield what is wrong with a node by itself."""
        from onnxtext_passes.holes import is_hole
        from onnxtext_passes.operators import DOMAINS, node_key, plain_domain

        if node_key(node) in self.functions or is_hole(node):
            return
        domain = plain_domain(node.domain)
        if domain not in self.versions:
            yield Finding("OXT002", at, f"{node.op_type} is of the domain {domain or 'onnx'}, which is not imported")
            return
        if domain not in DOMAINS:
            return  # of somebody else: nothing is known of it
        version = self.versions[domain]
        try:
            schema = onnx.defs.get_schema(node.op_type, version, domain)
        except onnx.defs.SchemaError:
            known = (s.name for s in onnx.defs.get_all_schemas() if s.domain == domain)
            hint = nearest(node.op_type, sorted(known))
            message = f"there is no operator {node.op_type} in version {version} of {domain or 'onnx'}{hint}"
            yield Finding("OXT001", at, message)
            return
        if schema.deprecated:
            yield Finding("OXT001", at, f"{node.op_type} is no longer there in version {version} of {domain or 'onnx'}")
        for what, count, low, high in (
            ("operands", len(node.input), schema.min_input, schema.max_input),
            ("results", len(node.output), schema.min_output, schema.max_output),
        ):
            if not low <= count <= high:
                wanted = f"{low}" if low == high else f"{low} or more" if high > 1 << 30 else f"{low} to {high}"
                yield Finding("OXT005", at, f"{node.op_type} has {count} {what}, and takes {wanted}")
        given = {a.name: a for a in node.attribute}
        for name, attribute in given.items():
            if name not in schema.attributes:
                hint = nearest(name, schema.attributes)
                yield Finding("OXT006", at, f"{node.op_type} has no attribute {name} in version {version}{hint}")
            elif not attribute.ref_attr_name and attribute.type != _kind(schema.attributes[name]):
                kinds = onnx.AttributeProto.AttributeType.Name
                wanted, found = (kinds(k).lower() for k in (_kind(schema.attributes[name]), attribute.type))
                yield Finding("OXT007", at, f"{name} of {node.op_type} is of the kind {found}, and must be {wanted}")
        for name, attribute in schema.attributes.items():
            if attribute.required and name not in given:
                yield Finding("OXT008", at, f"{node.op_type} needs the attribute {name}")


def _kind(attribute: onnx.defs.OpSchema.Attribute) -> int:
    return onnx.AttributeProto.AttributeType.Value(str(attribute.type).rpartition(".")[2])


def _value(name: str) -> str:
    from onnxtext_grammar.literals import print_value

    return print_value(name.encode())


def _in_order(holder: Holder) -> list[onnx.NodeProto]:
    """Return the nodes, each behind those it reads from where there is such an order."""
    nodes = list(holder.node)
    maker = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    order: list[int] = []
    seen: set[int] = set()
    for root in range(len(nodes)):
        stack = [root]
        while stack:
            place = stack.pop()
            if place < 0:
                order.append(~place)
            elif place not in seen:
                seen.add(place)
                stack.append(~place)
                stack += [maker[name] for name in nodes[place].input if name in maker and maker[name] not in seen]
    return [nodes[place] for place in order]


# ---- types

_INFERENCE = re.compile(r"\(op_type: ?([^,)]*)(?:, node name: ([^)]*))?\): (.*)")


def _conflicts(model: onnx.ModelProto, blobs: Blobs) -> Iterator[Finding]:
    """Yield what onnx's inference says of types and shapes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.training_info[:]
    _set_weights_aside(copy.graph, blobs)
    try:
        onnx.shape_inference.infer_shapes(copy, check_type=True, strict_mode=True)
    except Exception as error:  # of many kinds
        told: set[str] = set()
        for line in str(error).splitlines():
            found = _INFERENCE.search(line)
            if found and line not in told:
                told.add(line)
                where = f"graph, {found[2]}" if found[2] else "graph"
                yield Finding("OXT009", where, f"{found[1]}: {found[3].strip()}")
        if not told:
            yield Finding("OXT009", "graph", str(error).strip().splitlines()[0])


def _set_weights_aside(graph: onnx.GraphProto, blobs: Blobs) -> None:
    """Put types in place of initializers whose data is not in the model, so that inference does not look at it."""
    from onnxtext_passes.scopes import drop

    doomed = {k for k, t in enumerate(graph.initializer) if blobs.find(t.raw_data) is not t.raw_data}
    inputs = {i.name for i in graph.input}
    for place in sorted(doomed):
        tensor = graph.initializer[place]
        if tensor.name not in inputs:
            kind = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            graph.value_info.add(name=tensor.name).type.CopyFrom(kind)
    drop(graph.initializer, doomed)
