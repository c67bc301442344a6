"""A graph or function that rules change node by node: who uses what, what is constant, and of which types values are.

An `Editor` is a scope that follows its changes, which `finish` writes into the model.

>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 21]> g (float[N,3] x) => (float[N,3] y) { h = Neg(x) y = Neg(h) }')
>>> editor = read_editors(model, Blobs())[0]
>>> editor.replace_node(1, [onnx.helper.make_node("Abs", ["x"], ["y"])])
True
>>> editor.finish(), [node.op_type for node in model.graph.node]
(None, ['Abs'])
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import onnx
import onnx.defs
import onnx.shape_inference

from onnxtext.core.blobs import Blobs
from onnxtext_passes.constants import kind_of, read_array, read_constant, write_array
from onnxtext_passes.inference import MOST_READ, Type, read_type
from onnxtext_passes.node_names import renumber
from onnxtext_passes.operators import DOMAINS, Purity, plain_domain
from onnxtext_passes.scopes import Holder, count_uses, drop, graph_attributes
from onnxtext_passes.values import Facts, Scope, read_scopes

_FEW = 100_000  # elements of a constant up to which its array is kept
_NEAR = 3  # how far from a change rules are tried again


class Editor(Scope):
    """A scope that rules change.  A node is known by its number, which it keeps; None stands for one that has gone."""

    def __init__(self, holder: Holder, outer: Scope | None, versions: dict[str, int], facts: Facts) -> None:
        super().__init__(holder, outer, versions, facts)
        self.alive: list[onnx.NodeProto | None] = list(self.nodes)
        self.place: list[tuple[int, ...]] = [(k,) for k in range(len(self.nodes))]
        self.told: list[tuple[int, str]] = [(k, result) for k, result in enumerate(self.results)]
        self.at: dict[str, int] = {name: k for k, node in enumerate(self.nodes) for name in node.output if name}
        self.inner = {place for place, _ in self.graphs}
        self.readers: dict[str, dict[int, None]] = {}
        for k, node in enumerate(self.nodes):
            self._note_reads(k, node)
        self.purity = Purity(facts.functions)
        self.waiting: list[tuple[tuple[int, ...], int]] = []
        self._listed: set[int] = set()
        self._lost: set[str] = set()
        self._types: dict[str, Type | None] = {}
        self._arrays: dict[str, np.ndarray | None] = {}
        self._changed = False
        self.memory: dict[object, int] = {}  # of rules that compare nodes

    # ---- what is known

    def _note_reads(self, number: int, node: onnx.NodeProto) -> None:
        names: Iterable[str] = node.input
        if number in self.inner:
            names = [*node.input, *(name for graph in graph_attributes(node) for name in count_uses(graph))]
        for name in names:
            self.readers.setdefault(name, {})[number] = None

    def node(self, number: int) -> onnx.NodeProto | None:
        """Return a node, None where it has gone or is not to be touched."""
        node = self.alive[number]
        return None if node is None or node.device_configurations else node

    def maker(self, name: str, operator: str = "") -> onnx.NodeProto | None:
        """Return the node of this graph that makes a value, if it is of onnx's `operator` and makes it alone."""
        if self.made[name] != 1 or name not in self.at:
            return None
        node = self.node(self.at[name])
        return node if node is not None and operator in ("", node.op_type) and self.is_onnx(node) else None

    def is_inside(self, name: str) -> bool:
        """Tell whether a value has a single use, by a node of this graph, so that it may go with it."""
        return (
            self.uses[name] == 1
            and self.made[name] == 1
            and name not in self.outputs
            and name not in self.pinned
            and name not in self.beneath
        )

    def find_constant(self, name: str) -> np.ndarray | None:
        """Return the value of a constant; None for others and for those without data, or of rare types."""
        scope = self._scope_of(name)
        if not isinstance(scope, Editor):
            return None
        if name in scope._arrays:
            return scope._arrays[name]
        array = None
        if name in scope.initializers:
            array = read_array(scope.initializers[name], self.facts.blobs)
        elif (node := scope.maker(name, "Constant")) is not None:
            array = read_constant(node, self.facts.blobs)
        if array is None or array.size <= _FEW:
            scope._arrays[name] = array
        return array

    def find_scalar(self, name: str) -> float | None:
        """Return the one element of a constant of floats."""
        array = self.find_constant(name)
        return float(array.reshape(())) if array is not None and array.size == 1 and array.dtype.kind == "f" else None

    def find_ints(self, name: str) -> list[int] | None:
        scope = self._scope_of(name)
        if scope is None or (name not in scope.initializers and name not in getattr(scope, "at", ())):
            return None
        array = self.find_constant(name)
        if array is None or array.dtype.kind not in "ib" or array.size > MOST_READ:
            return None
        return [int(i) for i in array.reshape(-1)]

    def find_type(self, name: str) -> Type | None:
        scope = self._scope_of(name)
        if not isinstance(scope, Editor) or (name not in scope._types and name in scope.initializers):
            return super().find_type(name)
        if name not in scope._types:
            scope._types[name] = super().find_type(name)
        return scope._types[name]

    def find_shape(self, name: str) -> tuple[int | None, ...] | None:
        known = self.find_type(name)
        return None if known is None else known.shape

    def find_element(self, name: str) -> int | None:
        known = self.find_type(name)
        return None if known is None else known.element

    def infer(self, number: int) -> None:
        """Find the types of the results of a node once more, if some were not known, and try their readers again."""
        node = self.alive[number]
        if node is None or self.number < 0 or number in self.inner or not self.is_onnx(node):
            return
        wanted = [name for name in node.output if name and not _is_whole(self.find_type(name))]
        version = self.versions.get("")
        if not wanted or version is None or plain_domain(node.domain) not in DOMAINS[:1]:
            return
        types, data = {}, {}
        for name in node.input:
            kind = self._proto_of(name) if name else None
            if kind is None and name:
                return
            if kind is not None:
                types[name] = kind
                array = self.find_constant(name)
                if array is not None and array.size <= MOST_READ and kind_of(array) is not None:
                    data[name] = write_array(array, name, Blobs())
        try:
            schema = onnx.defs.get_schema(node.op_type, version, "")
            found = onnx.shape_inference.infer_node_outputs(
                schema, node, types, data, opset_imports=[onnx.OperatorSetIdProto(version=version)], ir_version=10
            )
        except Exception:  # of many kinds; nothing more is known then
            return
        for name in wanted:
            kind = found.get(name)
            known = None if kind is None else read_type(kind)
            old = self.find_type(name)
            if kind is not None and known is not None and known != old and (old is None or _is_more(known, old)):
                self.facts.types[self.number][name] = kind
                self._types[name] = known
                self._again(self.readers.get(name, ()))

    def _proto_of(self, name: str) -> onnx.TypeProto | None:
        scope = self._scope_of(name)
        if scope is None:
            return None
        if name in scope.initializers:
            tensor = scope.initializers[name]
            return onnx.helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
        return None if scope.number < 0 else self.facts.types[scope.number].get(name)

    # ---- changes

    def replace_value(self, name: str, by: str) -> bool:
        """Let every use of a result of this graph be one of another value; False where names have to stay."""
        if not self._may_move(name) or name == by or by in self.beneath or self._scope_of(by) is None:
            return False
        if name in self.outputs:
            if by not in self.at or by in self.outputs or not self._may_move(by):
                return False
            name, by = by, name  # the maker of `by` makes the output, and the name `by` goes
            number, other = self.at.pop(name), self.at[by]
            self._rename_result(other, by, "")
            self._rename_result(number, name, by)
            self.at[by] = number
            self.made[by], self.made[name] = 1, 0
            self._types[by] = self._types.pop(name, None) or self._types.get(by)
            self._lost.add(name)
        readers = self.readers.pop(name, {})
        count = 0
        for number in readers:
            node = self.alive[number]
            if node is not None:
                count += _rename_uses(node, name, by)
        self.readers.setdefault(by, {}).update(readers)
        self.uses[by] += count
        self.uses[name] -= count
        self._changed = True
        self._again(readers)
        self._retry_near(by)
        return True

    def _rename_result(self, number: int, old: str, new: str) -> None:
        node = self.alive[number]
        assert node is not None, "a value that is used has a maker"
        for k, name in enumerate(node.output):
            if name == old:
                node.output[k] = new

    def _may_move(self, name: str) -> bool:
        return (
            isinstance(name, str)
            and self.made[name] == 1
            and name in self.at
            and name not in self.beneath
            and name not in self.pinned
        )

    def replace_node(self, number: int, nodes: Sequence[onnx.NodeProto]) -> bool:
        """Put nodes, the last of which makes the same results, in the place of one.  Always True.

        The last has the name, documentation and metadata of the old node.
        """
        old = self.alive[number]
        assert old is not None, "a node is replaced once"
        copy = onnx.NodeProto()
        copy.CopyFrom(old)
        self._remove(number)
        numbers = []
        for k, node in enumerate(nodes):
            if node is nodes[-1]:
                for field in ("name", "doc_string"):
                    if copy.HasField(field):
                        setattr(node, field, getattr(copy, field))
                node.metadata_props.extend(copy.metadata_props)
            numbers.append(
                self._insert(node, (*self.place[number], k), self.told[number] if node is nodes[-1] else (-1, ""))
            )
        self._sweep(copy)
        for new in numbers:
            self.infer(new)
        self._again(numbers)
        for name in nodes[-1].output if nodes else ():
            self._retry_near(name)
        return True

    def replace_by_constant(self, number: int, values: Sequence[tuple[str, np.ndarray]]) -> bool:
        """Let results of a node be constants: initializers in a graph that may have them, or else nodes Constant."""
        old = self.alive[number]
        assert old is not None, "a node is replaced once"
        copy = onnx.NodeProto()
        copy.CopyFrom(old)
        self._remove(number)
        for k, (name, array) in enumerate(values):
            self._types.pop(name, None)
            self._arrays.pop(name, None)
            self._define(
                name, np.ascontiguousarray(array).reshape(array.shape), (*self.place[number], k), self.told[number]
            )
        self._sweep(copy)
        for name, _ in values:
            self._again(self.readers.get(name, ()))
            self._retry_near(name)
        return True

    def add_constant(self, array: np.ndarray, hint: str, number: int) -> str:
        """Return the name of a new constant, for a node that is about to replace that of this number."""
        name = self.fresh(hint)
        self._define(name, np.ascontiguousarray(array).reshape(array.shape), (*self.place[number], -1), (-1, ""))
        return name

    def fresh(self, hint: str) -> str:
        """Return a name that no value of the model has."""
        return self.facts.fresh(hint)

    def holds_initializers(self, name: str) -> bool:
        """Tell whether a constant of that name may be an initializer here rather than a node."""
        return isinstance(self.holder, onnx.GraphProto) and self.facts.ir_version >= 4 and name not in self.outputs

    def _define(self, name: str, array: np.ndarray, place: tuple[int, ...], told: tuple[int, str]) -> None:
        self._changed = True
        tensor = write_array(array, name, self.facts.blobs)
        if self.holds_initializers(name):
            assert isinstance(self.holder, onnx.GraphProto)
            kept = self.holder.initializer.add()
            kept.CopyFrom(tensor)
            self.initializers[name] = kept
            self.made[name] = 1
            self._lost.discard(name)
        else:
            tensor.ClearField("name")
            node = onnx.helper.make_node("Constant", [], [name])
            node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
            self._insert(node, place, told)
            if self.number >= 0:
                self.facts.types[self.number][name] = onnx.helper.make_tensor_type_proto(tensor.data_type, array.shape)

    def _insert(self, node: onnx.NodeProto, place: tuple[int, ...], told: tuple[int, str]) -> int:
        kept = self.holder.node.add()
        kept.CopyFrom(node)
        number = len(self.alive)
        self.alive.append(kept)
        self.place.append(place)
        self.told.append(told)
        if any(True for _ in graph_attributes(kept)):
            self.inner.add(number)
        self._note_reads(number, kept)
        for name in kept.output:
            if name:
                self.at[name] = number
                self.made[name] = 1
                self.makers[name] = kept
                self._lost.discard(name)
        self.uses.update(_count(kept))
        self._changed = True
        return number

    def _remove(self, number: int) -> None:
        node = self.alive[number]
        assert node is not None, "a node is removed once"
        self.alive[number] = None
        self._changed = True
        self.uses.subtract(_count(node))
        for name in [*node.input, *(n for g in graph_attributes(node) for n in count_uses(g))]:
            self.readers.get(name, {}).pop(number, None)
        for name in node.output:
            if name and self.at.get(name) == number:
                del self.at[name]
                self.made[name] -= 1
                self.makers.pop(name, None)
                self._lost.add(name)

    def _sweep(self, node: onnx.NodeProto) -> None:
        """Remove what nothing uses now that `node` has gone, among what it used."""
        todo = [node]
        while todo:
            gone = todo.pop()
            for name in dict.fromkeys([*gone.input, *(n for g in graph_attributes(gone) for n in count_uses(g))]):
                if not name or self.uses[name] > 0 or name in self.pinned or name in self.beneath:
                    self._retry_near(name)
                    continue
                if name in self.initializers and self.made[name] == 1:
                    del self.initializers[name]
                    self.made[name] = 0
                    self._lost.add(name)
                number = self.at.get(name)
                maker = None if number is None else self.alive[number]
                if (
                    number is None
                    or maker is None
                    or any(
                        self.uses[other] > 0 or other in self.pinned or other in self.outputs or other in self.beneath
                        for other in maker.output
                        if other
                    )
                ):
                    continue
                if not maker.device_configurations and self.purity.is_pure(maker, self.versions):
                    copy = onnx.NodeProto()
                    copy.CopyFrom(maker)
                    self._remove(number)
                    todo.append(copy)

    def drop_node(self, number: int) -> None:
        """Remove a node whose results nothing uses, and what only it used."""
        node = self.alive[number]
        assert node is not None, "a node is removed once"
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        self._remove(number)
        self._sweep(copy)

    # ---- which nodes to look at

    def _again(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number not in self._listed and self.alive[number] is not None:
                self._listed.add(number)
                heapq.heappush(self.waiting, (self.place[number], number))

    def _retry_near(self, name: str) -> None:
        """Try the readers of a value again, and theirs: a pattern may fit now."""
        names = [name]
        for _ in range(_NEAR):
            following: list[str] = []
            for current in names:
                readers = self.readers.get(current, {})
                if len(readers) > 2 * _NEAR:  # such a value is no part of a pattern
                    continue
                self._again(list(readers))
                following += [o for k in readers if (node := self.alive[k]) is not None for o in node.output if o]
            names = following

    def walk(self) -> Iterator[int]:
        """Yield the nodes in order, and those that changes make worth another look."""
        self._again(range(len(self.alive)))
        while self.waiting:
            _, number = heapq.heappop(self.waiting)
            self._listed.discard(number)
            if self.alive[number] is not None:
                yield number

    def is_in_order(self) -> bool:
        """Tell whether each node comes behind those whose results it uses."""
        return all(
            self.at.get(name, -1) < k for name, readers in self.readers.items() for k in readers if self.made[name]
        )

    def finish(self) -> None:
        """Write the changes into the graph or function."""
        if not self._changed:
            return
        holder = self.holder
        left = sorted((k for k, node in enumerate(self.alive) if node is not None), key=self.place.__getitem__)
        rank = {number: k for k, number in enumerate(left)}
        number = iter(range(len(self.alive)))
        holder.node.sort(key=lambda _: rank.get(next(number), len(rank)))  # type: ignore[attr-defined]  # those that go are last
        del holder.node[len(left) :]
        renumber(list(holder.node), [self.told[k][0] for k in left], [self.told[k][1] for k in left])
        if isinstance(holder, onnx.GraphProto):
            held = [
                k
                for k, t in enumerate(holder.initializer)
                if t.name in self._lost and t.name not in self.initializers and t.name not in self.inputs
            ]
            drop(holder.initializer, set(held))
            drop(holder.sparse_initializer, set())
        lost = self._lost - self.inputs
        drop(holder.value_info, {k for k, info in enumerate(holder.value_info) if info.name in lost})


def read_editors(model: onnx.ModelProto, blobs: Blobs) -> list[Editor]:
    """Return the graph of a model, its functions and the graphs within them to be changed, each before those in it."""
    return read_scopes(model, blobs, Editor)


def _count(node: onnx.NodeProto) -> Counter[str]:
    uses = Counter(node.input)
    for graph in graph_attributes(node):
        uses.update(count_uses(graph))
    del uses[""]
    return uses


def _rename_uses(node: onnx.NodeProto, old: str, new: str) -> int:
    count = 0
    for k, name in enumerate(node.input):
        if name == old:
            node.input[k] = new
            count += 1
    for graph in graph_attributes(node):
        count += sum(_rename_uses(inner, old, new) for inner in graph.node)
    return count


def _is_whole(known: Type | None) -> bool:
    return known is not None and known.shape is not None and None not in known.shape


def _is_more(new: Type, old: Type) -> bool:
    """Tell whether a type says more than another, and nothing else."""
    if new.element != old.element:
        return False
    if old.shape is None:
        return new.shape is not None
    if new.shape is None or len(new.shape) != len(old.shape):
        return False
    return all(b is None or a == b for a, b in zip(new.shape, old.shape, strict=True))
