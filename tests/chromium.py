"""A page in a headless Chromium, driven over its own protocol on two pipes: no port, no driver, no package."""

from __future__ import annotations

import atexit
import base64
import contextlib
import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"),
    *("--enable-unsafe-swiftshader", "--remote-debugging-pipe", "--window-size=1000,1300"),
)


class Page:
    """An open page: `value` evaluates JavaScript in it, and `errors` is what its console said was wrong."""

    def __init__(self, writing: int, reading: BinaryIO) -> None:
        self.writing, self.reading = writing, reading
        self.left, self.number, self.session = b"", 0, None
        self.shown = ""  # address of the document that the page has
        self.errors: list[str] = []
        self.asked: list[str] = []  # addresses that the page loaded

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self.number:
                assert "error" not in told, told["error"]
                return told["result"]

    def go(self, address: str) -> None:
        """Open an address; what is evaluated after it is so in its document, and not in the one before."""
        self.shown = ""
        self.call("Page.navigate", url=address)
        while self.shown != address:
            self._next()

    def value(self, script: str) -> Any:
        """Return what a JavaScript expression gives, after its promise if it is one."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until a JavaScript expression is true, for at most 2000 frames."""
        again = "left ? requestAnimationFrame(() => look(left - 1)) : done(false)"
        look = f"const look = (left) => ({script}) ? done(true) : {again}"
        assert self.value(f"new Promise((done) => {{ {look}; look(2000); }})"), f"it never comes to {script}"

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one point, move it to another, and let go."""
        self._mouse("mouseMoved", start)
        self._mouse("mousePressed", start)
        for part in (0.25, 0.5, 0.75, 1.0):
            between = tuple(a + (b - a) * part for a, b in zip(start, end, strict=True))
            self._mouse("mouseMoved", between)  # type: ignore[arg-type]
        self._mouse("mouseReleased", end)

    def enter(self, selector: str, value: str) -> None:
        """Give a field of a form a value, as if it were typed."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{element}.value = {json.dumps(value)}; {element}.dispatchEvent(new Event('input'))")

    def click(self, selector: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def picture(self, path: Path) -> None:
        """Write a PNG of the whole page."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def _mouse(self, kind: str, at: tuple[float, float]) -> None:
        pressed = {"button": "left", "buttons": 1} if kind != "mouseMoved" else {"buttons": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], clickCount=1, **pressed)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.left:
            part = self.reading.read(1 << 20)
            assert part, "Chromium has ended"
            self.left += part
        line, _, self.left = self.left.partition(b"\0")
        told = json.loads(line)
        method, given = told.get("method"), told.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(given["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(given["args"]))
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.errors.append(given["entry"]["text"])
        elif method == "Page.frameNavigated" and "parentId" not in given["frame"]:
            self.shown = given["frame"]["url"]
        elif method == "Network.requestWillBeSent":
            self.asked.append(given["request"]["url"])
        return told


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Page]:
    """Open a file in a tab of its own."""
    page = Page(*_browser())
    target = page.call("Target.createTarget", url="about:blank")["targetId"]
    page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        page.call(f"{domain}.enable")
    page.go(path.absolute().as_uri())
    page.until("document.readyState === 'complete' && document.documentElement.dataset.drawn === 'yes'")
    try:
        yield page
    finally:
        page.session = None
        page.call("Target.closeTarget", targetId=target)


@functools.cache
def _browser() -> tuple[int, BinaryIO]:
    """Start the browser of this process, and return where to write to it and where to read from it."""
    assert PROGRAM is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    # Chromium reads from descriptor 3 and writes to descriptor 4
    shell = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", shell, PROGRAM, *FLAGS, f"--user-data-dir={profile.name}", "about:blank"],
        env={**os.environ, "TMPDIR": profile.name},  # of what it leaves when it is killed
        pass_fds=(theirs_in, theirs_out),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs_in)
    os.close(theirs_out)

    def end() -> None:
        process.kill()
        process.wait()
        profile.cleanup()

    atexit.register(end)
    return ours_out, os.fdopen(ours_in, "rb", buffering=0)
