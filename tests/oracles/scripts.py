"""Scripts in node and in a browser, which take JSON and answer with floats, to the bit."""

import base64
import json
import math
import subprocess
from contextlib import contextmanager
from functools import partial

import numpy as np

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
# A script sets `answer`, a function from data to a list of numbers. JSON has no inf, nan and -0.0: they are texts.
IN_NODE = """
const data = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(Buffer.from(Float64Array.from(answer(data)).buffer).toString("base64"));
"""
IN_A_BROWSER = """
data => btoa(Array.from(new Uint8Array(Float64Array.from(answer(JSON.parse(data))).buffer),
  byte => String.fromCharCode(byte)).join(""))
"""


def plain(x):
    """Data for JSON: floats that it lacks as texts."""
    if isinstance(x, dict):
        return {key: plain(item) for key, item in x.items()}
    if isinstance(x, list | tuple):
        return [plain(item) for item in x]
    if isinstance(x, float) and (not math.isfinite(x) or (x == 0.0 and math.copysign(1.0, x) < 0.0)):
        return repr(x)
    return x


def floats(text):
    return np.frombuffer(base64.b64decode(text)).tolist()


def in_node(node, script, data):
    """What the script answers."""
    command = [node, "-e", f"{script}\n{IN_NODE}"]
    done = subprocess.run(command, input=json.dumps(plain(data)), capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return floats(done.stdout)


@contextmanager
def a_browser(playwright, chromium):
    """Chromium, which a process can start only once at a time."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def in_a_page_of(browser):
    """`run(script, data)`, as `in_node`, in a page of its own."""
    page = browser.new_page()
    try:
        yield partial(_in_a_page, page)
    finally:
        page.close()


def _in_a_page(page, script, data):
    page.evaluate(f"() => {{ {script} }}")
    return floats(page.evaluate(IN_A_BROWSER, json.dumps(plain(data))))
