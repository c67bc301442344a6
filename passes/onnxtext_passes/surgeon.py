"""Passes on a graph of onnx-graphsurgeon: a view for rewiring, of which only what was touched is written back.

graphsurgeon's own export drops metadata, doc strings, quantization annotations, training information and more.  Here
the model stays as it is, and what the pass did to the view is done to it: nodes that changed are changed, new ones are
added.  Large data is read when a pass asks for it, and not before.

>>> class DropIdentity(SurgeonPass):
...     name, keeps = "drop-identity", "equivalent"
...     def rewire(self, graph, context):
...         found = [n for n in graph.nodes if n.op == "Identity" and n.outputs[0] not in graph.outputs]
...         for node in found:
...             for user in list(node.outputs[0].outputs):
...                 user.inputs = [node.inputs[0] if t is node.outputs[0] else t for t in user.inputs]
...             graph.nodes.remove(node)
...         return len(found)
>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 20]> g (float[2] x) => (float[2] y) { h = Identity(x) y = Neg(h) }')
>>> DropIdentity().run(model, Context())
1
>>> [(node.op_type, *node.input) for node in model.graph.node]
[('Neg', 'x')]
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxtext.core.blobs import Blobs
from onnxtext_passes.base import Context, Pass
from onnxtext_passes.scopes import Holder, count_uses, drop, named_in_training, replace_all

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs

_AT = onnx.AttributeProto


@dataclass(frozen=True)
class SurgeonPass(Pass):
    """A pass that works on `onnx_graphsurgeon.Graph`.  Subclasses implement `rewire` in place of `run`.

    It is called for every function, every graph in an attribute, innermost first, and for the graph of the model; with
    `inner` false for that one alone.  What graphsurgeon does not show (lists of graphs in one attribute, training
    graphs, unused initializers) stays as it is.  graphsurgeon's log goes to standard error.
    """

    inner: ClassVar[bool] = True

    def rewire(self, graph: gs.Graph, context: Context) -> int:
        """Rewrite `graph` in place and return how many rewrites were made; 0 means that nothing changed."""
        raise NotImplementedError

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        with _log_on_standard_error():
            overlay = _Overlay(model, context.blobs)
            views = overlay.views if self.inner else overlay.views[-1:]
            total = sum([self.rewire(view.graph, context) for view in views])
            overlay.write()
        return total


@contextlib.contextmanager
def _log_on_standard_error() -> Iterator[None]:
    """Let what graphsurgeon prints go to standard error; standard output is for data."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


@dataclass(slots=True, eq=False)
class _View:
    """A graph or function, graphsurgeon's view of it, the view of the graph around it, and how all was before."""

    holder: Holder
    graph: Any
    outer: _View | None
    inputs: list[tuple[Any, str, tuple]]  # tensor, name and type
    outputs: list[tuple[Any, str, tuple]]
    uses: set[str]  # the names that anything uses
    defined: list[tuple[Any, str, tuple]] = field(default_factory=list)  # results of nodes
    constants: dict[int, _Held] = field(default_factory=dict)  # by tensor


@dataclass(slots=True, eq=False)
class _Held:
    """An initializer as it was: its tensor, name and values."""

    tensor: Any
    name: str
    values: Any


@dataclass(slots=True, eq=False)
class _Known:
    """A node as it was: the message, the view's node (held, so that its id stays its own) and its attributes."""

    proto: onnx.NodeProto
    node: Any
    fields: tuple[str, str, str | None]  # op, name, domain
    operands: tuple[list[str], list[str]]
    attributes: dict[str, Any]


class _Overlay:
    """The views of a model, and the way back."""

    def __init__(self, model: onnx.ModelProto, blobs: Blobs) -> None:
        from onnx_graphsurgeon.importers import onnx_importer
        from onnx_graphsurgeon.logger import G_LOGGER

        importer: Any = onnx_importer.OnnxImporter  # its annotations are narrower than what it takes
        self.model, self.blobs = model, blobs
        self.views: list[_View] = []  # functions, inner graphs before those around them, the model's graph
        self.nodes: dict[int, _Known] = {}
        with G_LOGGER.suppress(G_LOGGER.ERROR):
            opset, domains = importer.get_opset(model), model.opset_import
            self.functions = [importer.import_function(f, opset, domains) for f in model.functions]
            graph = importer.import_graph(
                model.graph,
                opset=opset,
                import_domains=domains,
                producer_name=model.producer_name,
                producer_version=model.producer_version,
                functions=self.functions,
                ir_version=model.ir_version,
            )
        self.functions = list(self.functions)  # the view's own list may grow
        for function, held in zip(self.functions, model.functions, strict=True):
            self._look(held, function, None)
        self._look(model.graph, graph, None)

    @property
    def graph(self) -> Any:
        return self.views[-1].graph

    # ---- what there is

    def _look(self, holder: Holder, graph: Any, outer: _View | None) -> None:
        """Note the state of a view and of those within."""
        inputs, outputs = ([(t, t.name, _type(t)) for t in tensors] for tensors in (graph.inputs, graph.outputs))
        view = _View(holder, graph, outer, inputs, outputs, set(count_uses(holder)))
        for proto, node in zip(holder.node, graph.nodes, strict=True):
            view.defined += [(t, t.name, _type(t)) for t in node.outputs if t.name]
            protos = {a.name: a for a in proto.attribute}
            attributes = {}
            for tensor in node.inputs:
                self._note(tensor, view)
            for name, value in node.attrs.items():
                if _is_graph(value):
                    self._look(protos[name].g, value, view)
                elif _is_constant(value):
                    self._hold(value, protos[name].t)
                attributes[name] = _seen(value)
            operands = [t.name for t in node.inputs], [t.name for t in node.outputs]
            self.nodes[id(node)] = _Known(proto, node, (node.op, node.name, node.domain), operands, attributes)
        for tensor in graph.outputs:
            self._note(tensor, view)
        self.views.append(view)

    def _note(self, tensor: Any, view: _View) -> None:
        """Note an initializer, with the graph that holds it."""
        if not _is_constant(tensor) or self._owner(tensor, view) is not None:
            return
        for around in _outwards(view):
            for held in _initializers(around.holder):
                if held.name == tensor.name:
                    self._hold(tensor, held)
                    around.constants[id(tensor)] = _Held(tensor, tensor.name, tensor._values)
                    return

    def _owner(self, tensor: Any, view: _View) -> _View | None:
        return next((around for around in _outwards(view) if id(tensor) in around.constants), None)

    def _hold(self, tensor: Any, held: onnx.TensorProto) -> None:
        """Let the values of a constant be read from the data that is set aside, when they are asked for."""
        raw = held.raw_data
        if self.blobs.find(raw) is not raw and not _is_sparse(tensor._values):
            tensor._values = _lazy(held, self.blobs)

    # ---- the way back

    def write(self) -> None:
        """Do to the model what was done to the views.

        Initializers come first, outer graphs before inner ones, which see what those hold; then nodes, inner graphs
        first, because the nodes around them are copied when they are put in order.
        """
        for view in reversed(self.views):
            self._write_constants(view)
        made_before = {name for view in self.views for _, name, _ in view.defined}
        for view in self.views:
            self._write_nodes(view)
            self._write_operands(view)
            self._write_infos(view, made_before)
            self._drop_unused(view)
        self._write_functions()
        self._import_domains()

    def _write_nodes(self, view: _View) -> None:
        nodes = [self._node(node) for node in view.graph.nodes]
        if isinstance(view.holder, onnx.FunctionProto):  # which has no initializers
            new = [self._tensor(t) for t in _used_constants(view)]
            nodes[:0] = [helper.make_node("Constant", [], [t.name], value=t) for t in new]
        old = list(view.holder.node)
        if len(nodes) != len(old) or any(a is not b for a, b in zip(nodes, old, strict=True)):
            replace_all(view.holder.node, nodes)
        for name in ("name", "doc_string"):
            if getattr(view.graph, name) != getattr(view.holder, name):
                setattr(view.holder, name, getattr(view.graph, name) or "")

    def _node(self, node: Any) -> onnx.NodeProto:
        """Return the message of a node: the old one, with what changed."""
        known = self.nodes.get(id(node))
        proto = onnx.NodeProto() if known is None else known.proto
        op, name, domain = ("", "", None) if known is None else known.fields
        if node.op != op:
            proto.op_type = node.op
        for field_name, old, new in (("name", name, node.name), ("domain", domain, node.domain)):
            if new != old:
                proto.ClearField(field_name)
                if new:
                    setattr(proto, field_name, new)
        for field_name, old, tensors in zip(
            ("input", "output"), known.operands if known else ([], []), (node.inputs, node.outputs), strict=True
        ):
            names = [t.name for t in tensors]
            if names != old:
                proto.ClearField(field_name)
                getattr(proto, field_name).extend(names)
        self._write_attributes(proto, node, known.attributes if known else {})
        return proto

    def _write_attributes(self, proto: onnx.NodeProto, node: Any, old: dict[str, Any]) -> None:
        gone = {i for i, a in enumerate(proto.attribute) if a.name in old and a.name not in node.attrs}
        drop(proto.attribute, gone)
        held = {a.name: a for a in proto.attribute}
        for name, value in node.attrs.items():
            if name in old and self._is_unchanged(old[name], value):
                continue
            attribute = held.get(name)
            made = self._attribute(name, value)
            if attribute is None:
                proto.attribute.append(made)
            else:
                made.doc_string = attribute.doc_string
                if not attribute.HasField("doc_string"):
                    made.ClearField("doc_string")
                attribute.CopyFrom(made)

    def _is_unchanged(self, seen: Any, value: Any) -> bool:
        if isinstance(seen, tuple) and seen[0] == "constant":
            return _is_constant(value) and value is seen[1] and _same_values(value, seen[2])
        return seen == _seen(value)

    def _attribute(self, name: str, value: Any) -> onnx.AttributeProto:
        from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter

        for view in self.views:
            if view.graph is value and isinstance(view.holder, onnx.GraphProto):
                return _AT(name=name, type=_AT.GRAPH, g=view.holder)
        if _is_constant(value):
            return _AT(name=name, type=_AT.TENSOR, t=self._tensor(value))
        return OnnxExporter.export_attributes({name: value})[0]

    def _tensor(self, constant: Any) -> onnx.TensorProto:
        """Return the message of a constant, large data set aside."""
        values = constant._values.load() if _is_sparse(constant._values) else constant._values
        made = onnx.TensorProto()
        if isinstance(values, np.ndarray):
            made.CopyFrom(numpy_helper.from_array(values))
            if made.HasField("raw_data"):
                made.raw_data = self.blobs.keep(made.raw_data)
        else:
            made.CopyFrom(values.tensor)
        made.name = constant.name
        if not constant.name:
            made.ClearField("name")
        return made

    def _write_constants(self, view: _View) -> None:
        """Write the initializers that changed, and those that are new."""
        holder = view.holder
        if not isinstance(holder, onnx.GraphProto):
            return
        for held in view.constants.values():
            tensor = held.tensor
            if not _is_constant(tensor):
                continue
            for info in holder.input:  # an initializer may be an input too
                if info.name == held.name != tensor.name:
                    info.name = tensor.name
            if _same_values(tensor, held.values):
                for old in _initializers(holder):
                    if old.name == held.name != tensor.name:
                        old.name = tensor.name
            elif _is_sparse(held.values):
                places = {i for i, s in enumerate(holder.sparse_initializer) if s.values.name == held.name}
                drop(holder.sparse_initializer, places)
                holder.initializer.append(self._tensor(tensor))
            else:
                for old in holder.initializer:
                    if old.name == held.name:
                        made = self._tensor(tensor)
                        if old.HasField("doc_string"):
                            made.doc_string = old.doc_string
                        made.metadata_props.extend(old.metadata_props)
                        old.CopyFrom(made)
        for tensor in _used_constants(view):
            if self._owner(tensor, view) is None:
                view.constants[id(tensor)] = _Held(tensor, tensor.name, tensor._values)
                holder.initializer.append(self._tensor(tensor))

    def _write_operands(self, view: _View) -> None:
        """Write the inputs and outputs of a graph or function."""
        holder = view.holder
        for old, tensors, fields in (
            (view.inputs, view.graph.inputs, holder.input),
            (view.outputs, view.graph.outputs, holder.output),
        ):
            if [(id(t), name, kind) for t, name, kind in old] == [(id(t), t.name, _type(t)) for t in tensors]:
                continue
            if isinstance(holder, onnx.FunctionProto):
                fields[:] = [t.name for t in tensors]  # type: ignore[index]  # strings, in a function
                continue
            before = {id(t): (name, kind) for t, name, kind in old}
            infos: dict[str, onnx.ValueInfoProto] = {info.name: info for info in fields}  # type: ignore[union-attr]
            shown = {name for _, name, _ in old}
            made = []
            for tensor in tensors:
                name, kind = before.get(id(tensor), ("", None))
                made.append(self._info(tensor, infos.get(name), changed=kind != _type(tensor)))
            made += [info for name, info in infos.items() if name not in shown]  # initializers that are inputs too
            replace_all(fields, made)

    def _write_infos(self, view: _View, made_before: set[str]) -> None:
        """Write the types of values, and the new names of values wherever they stand."""
        holder = view.holder
        infos = holder.value_info
        renamed = {name: t.name for t, name, _ in (*view.defined, *view.inputs) if t.name != name}
        renamed |= {held.name: held.tensor.name for held in view.constants.values() if held.tensor.name != held.name}
        now = {t.name: t for node in view.graph.nodes for t in node.outputs if t.name}
        used = count_uses(holder) if any(info.name not in now for info in infos) else {}
        typed, gone = {}, set()
        for place, info in enumerate(infos):
            name = renamed.get(info.name, info.name)
            if name not in now and info.name in made_before and name not in used:
                gone.add(place)
            elif name != info.name:
                info.name = name
            typed[name] = info
        drop(infos, gone)
        before = {id(t): kind for t, _, kind in view.defined}
        bounds = {t.name for t in (*view.graph.inputs, *view.graph.outputs)}
        for name, tensor in now.items():
            if _is_constant(tensor) or before.get(id(tensor)) == _type(tensor) or name in bounds:
                continue
            if name in typed:
                self._info(tensor, typed[name], changed=True)
            elif tensor.dtype is not None:
                infos.append(self._info(tensor, None, changed=True))
        if isinstance(holder, onnx.GraphProto):
            for annotation in holder.quantization_annotation:
                if annotation.tensor_name in renamed:
                    annotation.tensor_name = renamed[annotation.tensor_name]
                for entry in annotation.quant_parameter_tensor_names:
                    if entry.value in renamed:
                        entry.value = renamed[entry.value]

    def _info(self, tensor: Any, info: onnx.ValueInfoProto | None, *, changed: bool) -> onnx.ValueInfoProto:
        """Return the name and type of a value: the old message, with what changed."""
        from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter

        made = onnx.ValueInfoProto() if info is None else info
        if made.name != tensor.name:
            made.name = tensor.name
        if changed:
            made.type.CopyFrom(OnnxExporter.export_value_info_proto(tensor, False).type)
        return made

    def _drop_unused(self, view: _View) -> None:
        """Drop the initializers that something used, and nothing uses any more."""
        holder = view.holder
        if not isinstance(holder, onnx.GraphProto):
            return
        gone = view.uses - set(count_uses(holder))
        gone |= {held.name for held in view.constants.values() if not _is_constant(held.tensor)}
        gone -= named_in_training(self.model)
        gone -= {p.value for a in holder.quantization_annotation for p in a.quant_parameter_tensor_names}
        dropped = gone & {tensor.name for tensor in _initializers(holder)}
        if dropped:
            drop(holder.initializer, {i for i, t in enumerate(holder.initializer) if t.name in dropped})
            drop(
                holder.sparse_initializer,
                {i for i, s in enumerate(holder.sparse_initializer) if s.values.name in dropped},
            )
            drop(holder.input, {i for i, info in enumerate(holder.input) if info.name in dropped})

    def _write_functions(self) -> None:
        from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter

        old = {id(view.graph): view.holder for view in self.views}
        now = self.graph.functions
        if [id(f) for f in now] == [id(f) for f in self.functions]:
            return
        made = [old[id(f)] if id(f) in old else OnnxExporter.export_function(f) for f in now]
        replace_all(self.model.functions, made)

    def _import_domains(self) -> None:
        """Import the domains of new nodes, in version 1 where the model imports none."""
        for view in self.views:
            if view.outer is not None:
                continue
            owner = view.holder if isinstance(view.holder, onnx.FunctionProto) else self.model
            imported = {o.domain for o in owner.opset_import}
            for graph in (view.graph, *view.graph.subgraphs(recursive=True)):
                for node in graph.nodes:
                    domain = node.domain or ""
                    if id(node) not in self.nodes and domain not in imported and domain:
                        imported.add(domain)
                        owner.opset_import.add(domain=domain, version=1)


def _initializers(holder: Holder) -> Sequence[onnx.TensorProto]:
    if not isinstance(holder, onnx.GraphProto):
        return ()
    return [*holder.initializer, *(s.values for s in holder.sparse_initializer)]


def _outwards(view: _View | None) -> Iterator[_View]:
    while view is not None:
        yield view
        view = view.outer


def _used_constants(view: _View) -> list[Any]:
    """Return the constants that the nodes of a view use, or that are its outputs."""
    tensors = [*(t for node in view.graph.nodes for t in node.inputs), *view.graph.outputs]
    return list({id(t): t for t in tensors if _is_constant(t)}.values())


def _is_constant(value: Any) -> bool:
    import onnx_graphsurgeon as gs

    return isinstance(value, gs.Constant)


def _is_graph(value: Any) -> bool:
    import onnx_graphsurgeon as gs

    return isinstance(value, gs.Graph)


def _is_sparse(values: Any) -> bool:
    from onnx_graphsurgeon.ir.tensor import SparseValues

    return isinstance(values, SparseValues)


def _type(tensor: Any) -> tuple:
    """Return what says the type of a tensor, in a form that does not change with it."""
    if _is_constant(tensor):
        return ("constant",)
    return tensor.dtype, None if tensor.shape is None else tuple(tensor.shape), tensor.type


def _seen(value: Any) -> Any:
    """Return an attribute's value in a form that does not change with it."""
    if _is_constant(value):
        return ("constant", value, value._values)
    if _is_graph(value):
        return ("graph", id(value))
    return (type(value).__name__, repr(value))  # repr tells NaNs and signs of zeros as they are


def _same_values(constant: Any, old: Any) -> bool:
    """Tell whether a constant has the values that it had, whether or not they were read."""
    values = constant._values
    if values is old:
        return not isinstance(values, np.ndarray)  # an array of ours may have been written into
    if not isinstance(values, np.ndarray) or isinstance(old, np.ndarray):
        return False
    before = old.load()
    if (values.dtype, values.shape) != (before.dtype, before.shape):
        return False
    return values.tolist() == before.tolist() if values.dtype.kind == "O" else values.tobytes() == before.tobytes()


def _lazy(held: onnx.TensorProto, blobs: Blobs) -> Any:
    """Return values that are read from data that is set aside."""
    from onnx_graphsurgeon.ir.tensor import LazyValues

    class Aside(LazyValues):
        def load(self) -> np.ndarray:
            whole = onnx.TensorProto()
            whole.CopyFrom(self.tensor)
            whole.raw_data = bytes(blobs.find(self.tensor.raw_data))
            return np.array(numpy_helper.to_array(whole))

    return Aside(held)
