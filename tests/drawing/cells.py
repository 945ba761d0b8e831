"""Cells of a notebook in a browser, as tests see them."""

import pytest

from scalargrad.engine import Value
from scalargrad.nn import MLP

WIDTHS = (848, 600, 390)


def network(backward=True, widths=(4, 4, 1)):
    output = MLP(2, [*widths], rng=1)([Value(1.0, "x1"), Value(-2.0, "x2")])
    loss = (output - 1.0) ** 2
    if backward:
        loss.backward()
    return loss


@pytest.fixture
def show(browser):
    """Shows HTML in a cell of this width. After the test the page must have asked and complained of nothing."""
    noted, opened = [], []

    def open_cell(*html, width=848, body="", **options):
        tab = browser.new_page(viewport={"width": width + 40, "height": 700}, **options)
        tab.on("pageerror", lambda error: noted.append(str(error)))
        tab.on("console", lambda message: noted.append(message.text))
        tab.on("request", lambda request: None if request.url.startswith("data:") else noted.append(request.url))
        tab.set_content(
            f"<body style='margin:0' {body}><div id=cell style='width:{width}px;margin:12px'>{'<p>'.join(html)}</div>"
        )
        opened.append(tab)
        return tab

    yield open_cell
    for tab in opened:
        tab.close()
    assert noted == []


MEASURE = """() => [...document.querySelectorAll('.sg-stage svg')].map((svg) => {
  const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal, scale = box.width / view.width;
  return {
    left: box.left, right: box.right, scale, height: box.height,
    shown: [view.x, view.y, view.width, view.height], size: ['width', 'height'].map((x) => +svg.getAttribute(x)),
    smallest: scale * Math.min(
      ...[...svg.querySelectorAll('text')].map((text) => parseFloat(getComputedStyle(text).fontSize))),
    titles: [...svg.querySelectorAll('.sg-node > title, .sg-edge > title')].map((title) => title.textContent),
    texts: [...svg.querySelectorAll('text')].map((text) => text.textContent),
    page: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
})"""


def measured(tab):
    (found,) = tab.evaluate(MEASURE)
    return found
