"""How quick the report page is: python benchmarks/page.py REPORT.html

Prints, in milliseconds, when the live matrix is interactive and when the whole page is read, how long a slider's move
takes with all that is drawn anew, how long labels take alone (as found in the page, and 25 and 40 names crowded into a
corner), and the size of the page. Needs Chromium and Playwright.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
MOVES = """() => {
  const times = [], inputs = [...document.querySelectorAll("#live-sliders input[type=range]:enabled")];
  const frame = window.requestAnimationFrame;
  let update = null;
  window.requestAnimationFrame = (call) => { update = call; return 1; };
  for (let k = 0; k < 80; k++) {
    const input = inputs[k % inputs.length];
    input.value = Number(input.min) + ((k * 37) % 101) / 100 * (input.max - input.min);
    const start = performance.now();
    input.dispatchEvent(new Event("input", {bubbles: true}));
    if (update) update(start);
    document.getElementById("live-svg").getBoundingClientRect();
    times.push(performance.now() - start);
    update = null;
  }
  window.requestAnimationFrame = frame;
  return times.slice(30);
}"""
CROWDED = """(labels) => {
  let seed = labels;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const second = () => Array.from({length: 9}, random).sort((a, b) => a - b)[1];
  const first = [], after = [];
  for (let k = 0; k < 60; k++) {
    const dots = Array.from({length: labels}, () => [1000 * (1 - second()), 650 * second()]);
    const sizes = dots.map(() => [90 + 55 * random(), random() < 0.5 ? 13 : 26]);
    const bars = dots.flatMap(([x, y]) => [[x - 14, y, x + 14, y], [x, y - 11, x, y + 11]]);
    const options = {radius: 6, bounds: [0, 0, 1000, 650], segments: bars};
    let start = performance.now();
    options.previous = placeLabels(dots, sizes, options);
    first.push(performance.now() - start);
    const moved = dots.map(([x, y]) => [x + random() * 2 - 1, y + random() * 2 - 1]);
    start = performance.now();
    placeLabels(moved, sizes, options);
    after.push(performance.now() - start);
  }
  return [first.slice(10), after.slice(10)];
}"""


def told(name: str, times: list[float]) -> None:
    print(f"{name}: median {statistics.median(times):.1f} ms, longest {max(times):.1f} ms")


def main(path: Path) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET.split())
        ready, whole = [], []
        for _ in range(5):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(path.resolve().as_uri())
            page.wait_for_function("document.documentElement.dataset.live === 'ready'")
            ready.append(page.evaluate("performance.getEntriesByName('live')[0].startTime"))
            whole.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
        told("the matrix is interactive after", ready)
        told("the page is read to its end after", whole)
        told("a slider's move", page.evaluate(MOVES))
        labels = Path(__file__).parent.parent / "materiality" / "reporting" / "labels.js"
        bare = browser.new_page()
        bare.evaluate("(text) => { placeLabels = new Function(text + 'return placeLabels')() }", labels.read_text())
        for count in (25, 40):
            first, after = bare.evaluate(CROWDED, count)
            told(f"{count} names in a corner", first)
            told(f"{count} names in a corner, dots moved by a pixel", after)
        browser.close()
    print(f"page: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
