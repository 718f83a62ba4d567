"""A headless Chromium for tests, driven through its own debugging protocol; only the standard library and aiohttp."""

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_WAIT_S: Final = 60.0
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def find_browser() -> str | None:
    """The program, where this machine has one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Visit:
    """One page that was opened, and what came of it."""

    browser: "Browser"
    requests: list[str] = field(default_factory=list)
    """URLs that the page asked for, itself and data URIs left out."""
    complaints: list[str] = field(default_factory=list)
    """Console messages, exceptions, violations of the page's security policy."""
    load_ms: float = 0.0
    """From navigation to the load event."""

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.browser.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def screenshot(self, path: Path, height: int | None = None) -> None:
        """A PNG of the window, or of a window of another height."""
        if height is not None:
            self.resize(self.ask("innerWidth"), height)
        path.write_bytes(base64.b64decode(self.browser.call("Page.captureScreenshot")["data"]))

    def resize(self, width: int, height: int) -> None:
        """Another window size, in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.browser.call("Emulation.setDeviceMetricsOverride", **size)

    def set_dark(self, is_dark: bool) -> None:
        """What the reader's system prefers."""
        value = "dark" if is_dark else "light"
        self.browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])


class Browser:
    """One process for the length of a `with` block."""

    def __init__(self, program: str, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._number = 0
        self._visit = Visit(self)
        self._is_loaded = False
        command = [program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._loop.run_until_complete(self._connect(folder / "DevToolsActivePort"))
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def open(self, url: str) -> Visit:
        """Go there and wait until it is loaded."""
        self._visit, self._is_loaded = Visit(self), False
        self.call("Page.navigate", url=url)
        self._loop.run_until_complete(asyncio.wait_for(self._until_loaded(), _WAIT_S))
        timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        self._visit.load_ms = self._visit.ask(f"new Promise(done => setTimeout(() => done({timing}), 50))")
        return self._visit

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), _WAIT_S))

    async def _connect(self, port_file: Path) -> None:
        for _ in range(600):
            if port_file.is_file() and port_file.read_text().count("\n"):
                break
            await asyncio.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [page for page in await answer.json() if page["type"] == "page"]
        self._socket = await self._session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == self._number:
                assert "error" not in message, message
                answer: dict[str, Any] = message["result"]
                return answer
            self._note(message)

    async def _until_loaded(self) -> None:
        while not self._is_loaded:
            self._note(json.loads((await self._socket.receive()).data))

    def _note(self, message: dict[str, Any]) -> None:
        method, content = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._is_loaded = True
        elif method == "Network.requestWillBeSent":
            url = content["request"]["url"]
            if not url.startswith("data:") and content.get("type") != "Document":
                self._visit.requests.append(url)
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self._visit.complaints.append(json.dumps(content)[:500])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run_until_complete(self._socket.close())
        self._loop.run_until_complete(self._session.close())
        self._loop.close()
        self._process.terminate()
        self._process.wait()


@contextmanager
def browsing(program: str) -> Iterator[Browser]:
    """A browser with a profile of its own, gone afterwards."""
    folder = tempfile.TemporaryDirectory(prefix="eoltag-browser-", ignore_cleanup_errors=True)
    with folder as name, Browser(program, Path(name)) as browser:
        yield browser
