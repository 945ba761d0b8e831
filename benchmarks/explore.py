"""How long it takes from a drag to the picture, and how large a page is, for graphs of several sizes, in Chromium.

    pip install playwright
    python benchmarks/explore.py [--chromium /usr/bin/chromium] [--drags 60]

A drag sets a slider and waits for the frame. "work" is what the page computes and writes, with style and layout,
without drawing pixels; "frame" is the time from the event to the moment after the frame has been handed over.
The lower quartile tells more than the median where other programs run on the machine.
"""

import argparse
import random
import statistics
import tempfile
from pathlib import Path

from scalargrad.engine import Value, topological_order
from scalargrad.nn import MLP
from scalargrad.ops import sum as sum_of
from scalargrad.pages.explore import explore

DRAG = """(times) => new Promise((done) => {
    const slider = document.querySelector(".sg-card input[type=range]");
    const work = [], frame = [];
    const channel = new MessageChannel();
    let begun = 0;
    channel.port1.onmessage = () => { frame.push(performance.now() - begun); next(); };
    function next() {
        if (frame.length === times) return done({ work, frame });
        requestAnimationFrame(() => {
            begun = performance.now();
            slider.value = Math.sin(frame.length + 1);
            slider.dispatchEvent(new Event("input"));
            requestAnimationFrame(() => {
                const painted = performance.now();
                document.querySelector(".sg-stage").getBoundingClientRect();
                work.push(window.spent + performance.now() - painted);
                channel.port2.postMessage(null);
            });
        });
    }
    next();
})"""
# What the page itself does in a frame, from the beginning of its callback to its end.
WATCH = """
const ask = window.requestAnimationFrame.bind(window);
window.spent = 0;
window.requestAnimationFrame = (act) => ask((now) => {
    const begun = performance.now();
    act(now);
    window.spent = performance.now() - begun;
});
"""


def formula(size: int) -> Value:
    """Sums and products of random earlier values: as many cards as values."""
    chance = random.Random(0)
    values = [Value(chance.uniform(-1.0, 1.0), f"x{place}") for place in range(min(10, size // 2))]
    while len(values) < size - 1:
        first, second = chance.choice(values[-12:]), chance.choice(values)
        values.append(first * second if chance.random() < 0.5 else first + second)
    used = {operand for value in values for operand in value.operands}
    return sum_of(tuple(value for value in values if value not in used))


def batch(size: int) -> Value:
    """The loss of a network 2-16-16-1 over as many samples as give the size."""
    model, losses = MLP(2, [16, 16, 1], rng=0), []
    while len(losses) < max(1, (size - 337) // 74):
        y = model([Value(0.1 * len(losses), f"x1_{len(losses)}"), Value(-0.5, f"x2_{len(losses)}")])
        losses.append(((y if isinstance(y, Value) else y[0]) - 1.0) ** 2)
    return sum_of(tuple(losses))


GRAPHS = [lambda: formula(10), lambda: formula(100), lambda: batch(2000)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--drags", type=int, default=60)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    print("values   cards   page, KB   work, ms: quartile, median   frame, ms: quartile, median")
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = play.chromium.launch(executable_path=options.chromium, args=["--headless", "--no-sandbox"])
        for place, graph in enumerate(GRAPHS):
            output = graph()
            page = explore(output)
            path = page.save(Path(folder) / f"{place}.html")
            tab = browser.new_page(viewport={"width": 3840, "height": 1600})
            tab.add_init_script(WATCH)
            tab.goto(path.as_uri())
            tab.wait_for_selector(".sg-card")
            if not tab.locator(".sg-card input[type=range]").count():
                tab.locator(".sg-toggle").first.click()  # sliders are in its rows
            tab.evaluate(DRAG, 10)
            times = tab.evaluate(DRAG, options.drags)
            work, frame = times["work"], times["frame"]
            cards, size = tab.locator(".sg-card").count(), len(page.html) / 1000
            print(f"{len(topological_order(output)):>6,} {cards:>7} {size:>10.0f}", end="")
            print(f"{statistics.quantiles(work, n=4)[0]:>16.1f} {statistics.median(work):>8.1f}", end="")
            print(f"{statistics.quantiles(frame, n=4)[0]:>20.1f} {statistics.median(frame):>8.1f}")
            tab.close()
        browser.close()


if __name__ == "__main__":
    main()
