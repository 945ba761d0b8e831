"""Steps of training a second on a page of `playground`, while it is not drawn and while it is, in Chromium.

    pip install playwright
    python benchmarks/playground.py [--chromium /usr/bin/chromium] [--seconds 3]

"steps" are whole steps of Adam on all 100 moons, without the measures of an epoch; "at max" is the page itself at that
speed, with maps, curves and units, and its frames a second; "drawing" is what a frame costs beside training.
"""

import argparse
import tempfile
from pathlib import Path

from scalargrad.datasets import load_moons
from scalargrad.nn import MLP
from scalargrad.optim import Adam
from scalargrad.pages.playing import playground

NETWORKS = [[8, 8, 1], [16, 16, 1]]
STEPS = """(seconds) => {
    const { run } = document.querySelector("main").playground;
    const end = performance.now() + 1000 * seconds;
    let steps = 0;
    for (; performance.now() < end; steps++) run.training.step();
    return steps / seconds;
}"""
AT_MAX = """(seconds) => new Promise((done) => {
    const { run, playground } = document.querySelector("main").playground;
    run.restart();
    playground.set("speed", "max");
    playground.play(true);
    const begun = performance.now();
    let frames = 0;
    requestAnimationFrame(function count() {
        frames += 1;
        const spent = performance.now() - begun;
        if (spent < 1000 * seconds) return requestAnimationFrame(count);
        playground.play(false);
        done([(1000 * frames) / spent, (1000 * run.training.epochs) / spent, playground.drawing]);
    });
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    X, y = load_moons(100, 0.1, 0)
    print("network      page, KB   steps a second   at max: frames a second, steps a second, drawing, ms")
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = play.chromium.launch(executable_path=options.chromium, args=["--headless", "--no-sandbox"])
        for place, sizes in enumerate(NETWORKS):
            page = playground(MLP(2, sizes, rng=0), X, y, optimizer=Adam(0.025), l2=1e-4)
            path = page.save(Path(folder) / f"{place}.html")
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            tab.goto(path.as_uri())
            tab.wait_for_selector(".sg-playground[data-size]")
            tab.evaluate(STEPS, 1.0)  # warm
            steps = tab.evaluate(STEPS, options.seconds)
            frames, at_max, drawing = tab.evaluate(AT_MAX, options.seconds)
            name = "-".join(map(str, [2, *sizes]))
            print(f"{name:<12}{len(page.html) / 1000:>9.0f}{steps:>17,.0f}", end="")
            print(f"{frames:>26.1f}{at_max:>18,.0f}{drawing:>13.1f}")
            tab.close()
        browser.close()


if __name__ == "__main__":
    main()
