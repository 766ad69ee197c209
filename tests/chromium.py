"""Debian's Chromium, without a window, driven through its own protocol; what a page says is judged in the page.

The protocol goes over two pipes, JSON objects that end with a NUL, so no library and no port is needed.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BINARY = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
"""The browser, "" where none is installed."""
PATIENCE = 120.0
"""Seconds that an answer may take before the browser is taken to hang."""
WIDTHS = (400, 2000)
"""CSS pixels: the narrowest and the widest window that pages are made for."""

OVERFLOWING = """
(() => {
  const root = document.documentElement, wide = root.clientWidth, found = [];
  if (root.scrollWidth > wide) found.push(`page: ${root.scrollWidth} > ${wide}`);
  const clipped = (one) => {
    for (let up = one.parentElement; up; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== "visible") return true;
    return false;
  };
  for (const one of document.body.querySelectorAll("*")) {
    const box = one.getBoundingClientRect();
    if (box.width && box.height && box.right > 0 && (box.right > wide + 1 || box.left < -1) && !clipped(one))
      found.push(`${one.tagName}.${one.getAttribute("class") || ""}: ${box.left.toFixed()} to ${box.right.toFixed()}`);
  }
  return found.slice(0, 10);
})()
"""
"""What is wider than the window and cannot be scrolled by itself; what lies wholly beyond its left is meant to."""

PALE = """
(() => {
  const numbers = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return [parts[0], parts[1], parts[2], parts.length > 3 ? parts[3] : 1];
  };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3])).concat(1);
  const light = (colour) => {
    const [r, g, b] = colour.map((one) => {
      const share = one / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const below = (one) => {
    const layers = [];
    for (let up = one; up; up = up.parentElement) layers.push(numbers(getComputedStyle(up).backgroundColor));
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reverse().reduce((colour, top) => over(top, colour), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
  };
  const found = new Map();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const one = node.parentElement;
    if (!node.data.trim() || one.closest(":disabled, option")) continue;
    if (!one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const style = getComputedStyle(one);
    let shown = 1;
    for (let up = one; up; up = up.parentElement) shown *= Number(getComputedStyle(up).opacity);
    const paper = below(one), ink = numbers(style.color);
    const [a, b] = [light(over([ink[0], ink[1], ink[2], ink[3] * shown], paper)), light(paper)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const wanted = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    if (ratio < wanted) found.set(`${one.tagName}.${one.getAttribute("class") || ""}`,
      `${ratio.toFixed(2)} < ${wanted}: ${node.data.trim().slice(0, 40)}`);
  }
  return [...found].map(([name, said]) => `${name} ${said}`).slice(0, 20);
})()
"""
"""Texts whose contrast is below WCAG 2.2's level AA (1.4.3): 4.5, or 3 where they are large."""


class Page:
    """One tab. errors: what its console and its loading complained of, and exceptions that nobody caught."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._buffer, self._number, self._session = b"", 0, ""
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Ask for something; its result. Raises RuntimeError where the browser refuses, TimeoutError where it hangs."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._write, json.dumps(asked).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                return told["result"]
            self._heard(told)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], PATIENCE)[0]:
                raise TimeoutError(f"the browser said nothing for {PATIENCE:.0f} s")
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def _heard(self, event: dict[str, Any]) -> None:
        said = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = said["exceptionDetails"]
                self.errors.append(str(details.get("exception", {}).get("description") or details["text"]))
            case "Runtime.consoleAPICalled" if said["type"] in ("error", "warning", "assert"):
                self.errors.append(" ".join(str(one.get("value", one.get("description"))) for one in said["args"]))
            case "Log.entryAdded" if said["entry"]["level"] in ("error", "warning"):
                self.errors.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")

    def look(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """The window's size in CSS pixels, and the theme that the reader prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])

    def open(self, url: str) -> None:
        """Go to an address, and wait until the document is complete."""
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page. Raises RuntimeError where it throws."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise RuntimeError(told["exceptionDetails"]["exception"].get("description", expression))
        return told["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until an expression is true; its value. Raises TimeoutError."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if found := self.evaluate(expression):
                return found
            time.sleep(0.02)
        raise TimeoutError(f"it did not come true: {expression}")

    def picture(self, file: Path, *, whole: bool = True) -> None:
        """What is seen as a PNG; whole: of the page to its end."""
        options: dict[str, Any] = {"format": "png"}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options |= {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **options)["data"]))

    def faults(self) -> list[str]:
        """What is wrong with the page as it is seen: too wide, too pale, complaints."""
        found = [f"too wide: {one}" for one in self.evaluate(OVERFLOWING)]
        found += [f"too pale: {one}" for one in self.evaluate(PALE)]
        return found + [f"complaint: {one}" for one in self.errors]


@contextmanager
def chromium() -> Iterator[Page]:
    """A tab of a browser of its own, which keeps nothing."""
    to_read, to_write = os.pipe(), os.pipe()  # the browser reads from the one and writes to the other
    with tempfile.TemporaryDirectory(prefix="hornbook-chromium-", ignore_cleanup_errors=True) as profile:
        options = [
            "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-sandbox", "--disable-gpu",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            "--disable-dev-shm-usage", "about:blank",
        ]  # fmt: skip
        shell = f'exec "$0" "$@" 3<&{to_read[0]} 4>&{to_write[1]}'
        process = subprocess.Popen(
            ["/bin/bash", "-c", shell, BINARY, *options],
            pass_fds=(to_read[0], to_write[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read[0])
        os.close(to_write[1])
        try:
            yield Page(to_write[0], to_read[1])
        finally:
            os.close(to_read[1])
            os.close(to_write[0])
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
