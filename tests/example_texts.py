"""Short texts that between them use all of the language, in the printer's layout and in others: seeds for mutations."""

from __future__ import annotations

GRAPHS = [
    """graph @g (%x: f32[1,N,?]) -> (%y: f32[1]) {
 %w: f32[2] = [1,2.5]
 %y = Relu(%x)
}
""",
    """graph @g (%x) -> (%r1) {
 each {value="r#", name="n#", domain="", tensor="t", type="same"}
 each Relu {alpha=1.0}
 %a: f32[2] = Relu(%x)
 -> Add(%x, _, %?z) {axis=1, s="x", l=[1,2], e: ints=[]}
 -> Relu {}: f32[3]
 -> Relu {.name="q", .domain=none}
 %b, %r1 = Split(%a) {axis=0}
 -> ai.onnx.Relu
}
""",
    """graph (%x: seq(f32[*]), %o: optional(i64[]), %m: map(i64, t-1[2]), %s: sparse(f32[2,3]), {name="q"}) -> (%y) {
 %w: f32[2,2] = base64("AAAAAAAAAAAAAAAAAAAAAA==")
 %v: i64[] = data 5
 %u: text[2] = ["a","b"]
 %t: f32[2] {doc_string="x"} = none
 %k: f32[40] = stored("k")
 %l: f32[40]
 init {name="i", data_type=1, raw_data="\\x00\\x00\\x80?"}
 sparse {values: f32[1] {name="sp"}=[1], indices: i64[1]=[0], dims=[3]}
 info %x: f32[1] {doc_string="d"}
 value_info {doc_string="x"}
 node {op_type="A", input=["x"], output=["y"], attribute=[{name="a", type=INT, i=1}]}
 %y: type {denotation="T", tensor_type={elem_type=1}} = @f(%x) {w=[1,2], r: int=$p}
}
def @f<w, p, d=1> {domain="d", opset_import=["": 21]} (%x) -> (%y) {
 %y = Conv(%x) {v: f32[2] {name="c"}=[1,2], w: ints=$w, g=graph @h () -> (%x: f32[]) {
  %z: ? = "odd op"(%x) {.doc_string="x", .metadata_props=["k": "v"]}
 }, ts=[tensor f32[1]=[1], tensor i64[2]=base64("AAAAAAAAAAAAAAAAAAAAAA==")],
 tp=type f32[2], .attribute={ref_attr_name="q"}}
}
""",
    """// a comment
model { ir_version = 10 , opset_import = [ "" : 21 , {domain="x",version=1} ],
        metadata_props = [#0: #1] }
graph@"a graph"(%"x y":f32[2],%w to %v)->(%_,%"x y"){
 %w:f32[2]=[1,-0.0] %u:f16[1]=[+nan:7e01] %v:bool[3]=[1,0,1]
 %_=Relu(%"x y")->Relu{a=1}->Neg
 "A"(%_) Relu() {b=1} info %w to %v
 _,%q = B
}
""",
    """def {name="g", domain="d"}
graph @g (
  %x: f32[2],
  %x: ?) -> () {
 %x: f32[2] = [1,2]
 %y = If(%x) {then_branch=graph @a () -> (%x) {
  %p = A(%x)
 }, else_branch=graph @b () -> (%?q) {
  each {value="v#"}
  %r = A(%?y)
  -> B
 }}
 %z = Relu(%y) {.attribute={name="k", graphs=[graph () -> () {
 }]}, k: graphs=[graph () -> () {
 }], f: strings=["a",#0+"b"], o=+inf, n=[1.0,-nan]}
}
""",
]
_STRINGS = '#0 = "a long string, "\n#1 = #0+"b"\n'

TEXTS = ["onnxt 1\n" + head + graph for head in (_STRINGS, f'weights elided "0123"\n{_STRINGS}') for graph in GRAPHS]
