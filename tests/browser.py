"""A real browser that opens a page, does what a script says, and hands back what the script returns.

The script is put into a copy of the page, and the browser prints the document when it has run.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="left out without a browser: what a page does in one (Debian package chromium)"
)


def in_browser(page: Path, script: str) -> Any:
    """Return what `script`, the body of a function, returns in an open `page`; what it throws fails the test."""
    assert CHROMIUM is not None
    wrapped = (
        "<script>const done = v => { const e = document.createElement('output'); e.id = 'done';"
        " e.textContent = JSON.stringify(v); document.body.append(e); };"
        f"try {{ done({{value: (() => {{ {script} }})()}}) }} catch (e) {{ done({{error: String(e)}}) }}"
        "</script></html>"
    )
    text = page.read_text("utf-8")
    copy = page.with_name(f"driven-{page.name}")
    copy.write_text(text.replace("</html>", wrapped), "utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={page.parent / 'browser'}",
        "--dump-dom",
    ]
    done = subprocess.run([CHROMIUM, *options, copy.as_uri()], capture_output=True, encoding="utf-8", timeout=120)
    found = re.search(r'<output id="done">(.*?)</output>', done.stdout)
    assert found, done.stderr[-2000:]
    told = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert "error" not in told, told
    return told["value"]
