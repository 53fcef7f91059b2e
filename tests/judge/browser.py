"""Headless Chromium, driven through ChromeDriver by the W3C WebDriver protocol; nothing but the standard library.

Source: https://www.w3.org/TR/webdriver2/; needs the Debian packages chromium and chromium-driver.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
START_S, ANSWER_S = 60.0, 120.0
KEYS = {
    "ArrowRight": "\ue014", "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowDown": "\ue015", "Home": "\ue011",
    "End": "\ue010", "PageUp": "\ue00e", "PageDown": "\ue00f", "Escape": "\ue00c", "Enter": "\ue007", "Tab": "\ue004",
    "Delete": "\ue017",
}  # fmt: skip


class Browser:
    """A window. Use it as a context: it ends the browser and its driver, and removes the profile."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
        if driver is None or chromium is None:
            message = "chromium and chromedriver are missing; `make judge` installs them"
            pytest.fail(message) if os.environ.get("OMMATIDIA_STRICT") else pytest.skip(message)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        self._process = subprocess.Popen(
            [driver, f"--port={port}", "--log-level=SEVERE"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._base = f"http://127.0.0.1:{port}"
        options = {
            "binary": chromium,
            "args": [*FLAGS, f"--user-data-dir={self._profile}", f"--window-size={width},{height}"],
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        try:
            self._wait_for_driver()
            session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self._end()
            raise
        self._session = f"/session/{session['sessionId']}"

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a file and wait for its end."""
        self._call("POST", f"{self._session}/url", {"url": page.resolve().as_uri() + fragment})

    def run(self, script: str) -> Any:
        """Return what a script returns, run in the page."""
        return self._call("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def wait(self, condition: str, timeout_s: float = 20.0) -> None:
        """Return once an expression is true in the page."""
        end = time.monotonic() + timeout_s
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"{condition} did not come true"
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Press keys of the keyboard, one after the other."""
        steps = []
        for key in keys:
            value = KEYS.get(key, key)
            steps += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        actions = [{"type": "key", "id": "keyboard", "actions": steps}]
        self._call("POST", f"{self._session}/actions", {"actions": actions})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the pointer at a place of the window [px], move it to another and let go."""
        (x0, y0), (x1, y1) = start, end
        steps = [
            {"type": "pointerMove", "duration": 0, "x": round(x0), "y": round(y0)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "duration": 60, "x": round(x1), "y": round(y1)},
            {"type": "pointerUp", "button": 0},
        ]  # fmt: skip
        actions = [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}]
        self._call("POST", f"{self._session}/actions", {"actions": actions})

    def click(self, selector: str) -> None:
        """Click what a CSS selector finds first."""
        found = self._call("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        (identity,) = found.values()
        self._call("POST", f"{self._session}/element/{identity}/click", {})

    def messages(self) -> list[str]:
        """Return what the console said since it was asked last, violations of the policy among it."""
        return [entry["message"] for entry in self._call("POST", f"{self._session}/se/log", {"type": "browser"})]

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self._call("GET", f"{self._session}/screenshot")))

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call("DELETE", self._session)
        finally:
            self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _wait_for_driver(self) -> None:
        end = time.monotonic() + START_S
        while True:
            try:
                if self._call("GET", "/status")["ready"]:
                    return
            except OSError:
                assert self._process.poll() is None, "chromedriver ended at once"
                assert time.monotonic() < end, "chromedriver does not answer"
            time.sleep(0.1)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
        try:
            with opener.open(request, timeout=ANSWER_S) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:800]}") from error
