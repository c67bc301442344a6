"""Changes between two models as one page of HTML, which asks for nothing from anywhere: style and script are in it.

>>> page = print_page([Change("inserted", "Relu", "graph", (), ("%r = Relu(%x)",), places=("r",))], "a.onnx", "b.onnx")
>>> page.count("<details"), "http:" in page
(1, False)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from onnxtext.tools.diff_text import headline
from onnxtext.tools.differences import Change

_OPEN = 200  # changes up to which all are open at first
_PLACES = 100  # that are named of one change
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --back:#fbfbfa; --card:#fff; --line:#e3e3df; --text:#1d1d1b; --dim:#6f6f69;
  --old:#fdeceb; --old-mark:#b3261e; --new:#e9f6ec; --new-mark:#1a7f37; --accent:#2f5fbf; }
@media (prefers-color-scheme: dark) { :root { --back:#161716; --card:#1f201f; --line:#343533; --text:#e8e8e4;
  --dim:#9c9c95; --old:#3a1f1d; --old-mark:#ff8a80; --new:#17301e; --new-mark:#6fd48b; --accent:#8ab0ff; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif }
header { position: sticky; top: 0; background: var(--back); border-bottom: 1px solid var(--line); padding: 14px 0 12px }
header > div, main { max-width: 1080px; margin: 0 auto; padding: 0 20px }
h1 { font-size: 17px; margin: 0 0 10px; overflow-wrap: anywhere }
h1 span { color: var(--dim); font-weight: 400; padding: 0 6px }
.bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center }
input, button { font: inherit; font-size: 14px; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 7px; padding: 5px 11px }
input { flex: 1 1 220px; min-width: 160px } button { cursor: pointer }
button[aria-pressed=true] { border-color: var(--accent); color: var(--accent) }
button b { font-weight: 600; margin-left: 5px }
main { padding-top: 18px; padding-bottom: 60px }
details { background: var(--card); border: 1px solid var(--line); border-radius: 9px; margin: 0 0 12px }
summary { padding: 9px 14px; cursor: pointer; overflow-wrap: anywhere }
summary i { font-style: normal; color: var(--dim); margin-right: 8px }
summary em { font-style: normal; font-size: 13px; background: var(--line); border-radius: 20px; padding: 1px 9px;
  margin-left: 8px }
pre { margin: 0; font: 13px/1.6 ui-monospace, "DejaVu Sans Mono", monospace; overflow-x: auto }
pre span { display: block; padding: 0 14px; min-width: max-content }
pre span::before { display: inline-block; width: 18px }
.old { background: var(--old) } .old::before { content: "\\2212"; color: var(--old-mark) }
.new { background: var(--new) } .new::before { content: "+"; color: var(--new-mark) }
p { margin: 0; padding: 7px 14px 9px; color: var(--dim); font-size: 13.5px; overflow-wrap: anywhere }
#none { padding: 30px 0; text-align: center }
[hidden] { display: none !important }
"""

_SCRIPT = """
const all = [...document.querySelectorAll('details')], chips = [...document.querySelectorAll('[data-kind]')];
const search = document.getElementById('search'), fold = document.getElementById('fold');
const text = all.map(d => d.textContent.toLowerCase());
let kind = '';
function show() {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let count = 0;
  all.forEach((d, k) => {
    d.hidden = !((!kind || d.dataset.is === kind) && words.every(w => text[k].includes(w)));
    count += !d.hidden;
  });
  document.getElementById('none').hidden = count > 0;
  chips.forEach(c => c.setAttribute('aria-pressed', c.dataset.kind === kind));
}
search.oninput = show;
chips.forEach(c => c.onclick = () => { kind = kind === c.dataset.kind ? '' : c.dataset.kind; show(); });
fold.onclick = () => { const open = !all.some(d => d.open); all.forEach(d => d.open = open); };
document.onkeydown = e => { if (e.key === '/' && e.target !== search) { e.preventDefault(); search.focus(); } };
show();
"""


def print_page(changes: Sequence[Change], old: str, new: str) -> str:
    """Return the page.  Everything from the models is escaped, and the page may load nothing."""
    counts = Counter(change.kind for change in changes)
    chips = "".join(
        f'<button data-kind="{kind}" aria-pressed="false">{kind}<b>{n:,}</b></button>'
        for kind, n in counts.most_common()
    )
    is_open = " open" if len(changes) <= _OPEN else ""
    cards = "\n".join(_card(change, is_open) for change in changes)
    empty = "Nothing changed." if not changes else "Nothing matches."
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(old)} → {escape(new)}</title>
<style>{_STYLE}</style>
<header><div>
<h1>{escape(old)}<span>→</span>{escape(new)}</h1>
<div class="bar"><input id="search" type="search" placeholder="Search  ( / )" aria-label="Search">{chips}
<button id="fold">Fold or unfold all</button></div>
</div></header>
<main>
{cards}
<p id="none">{empty}</p>
</main>
<script>{_SCRIPT}</script>
</html>
"""


def _card(change: Change, is_open: str) -> str:
    scope, _, what = headline(change).partition(": ")
    what = what.removesuffix(f", {change.count:,} times")
    times = f"<em>{change.count:,} times</em>" if change.count > 1 else ""
    lines = [f'<span class="old">{escape(line)}</span>' for line in change.old]
    lines += [f'<span class="new">{escape(line)}</span>' for line in change.new]
    note = f"<p>{escape(change.note)}</p>" if change.note else ""
    if change.count > 1:
        shown = ", ".join(f"%{place}" for place in change.places[:_PLACES])
        more = f" and {change.count - _PLACES:,} more" if change.count > _PLACES else ""
        note += f"<p>at {escape(shown)}{more}</p>"
    return (
        f'<details{is_open} data-is="{change.kind}"><summary><i>{escape(scope)}</i>{escape(what)}{times}</summary>'
        f"<pre>{''.join(lines)}</pre>{note}</details>"
    )
