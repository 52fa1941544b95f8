"""A page in Chromium without a window, led through the DevTools protocol over two pipes."""
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

from harness import _die_with_parent

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    def __init__(self, url):
        self.home = tempfile.mkdtemp(prefix="page")
        to, self._in = os.pipe()
        self._out, back = os.pipe()
        args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                "--disable-features=IsolateSandboxedIframes", "--user-data-dir=" + self.home, "--remote-debugging-pipe", "about:blank"]
        # Chromium reads commands from descriptor 3 and writes to 4; whatever these were is moved out of the way
        self.proc = subprocess.Popen(
            ["bash", "-c", 'exec 3<&%d 4>&%d; exec "$0" "$@"' % (to, back), PROGRAM] + args, pass_fds=(to, back),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent,
        )
        os.close(to)
        os.close(back)
        self._answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._last = 0
        self.session = None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.errors = []  # what scripts of the page threw
        self("Runtime.enable")
        self("Page.enable")
        self("Page.navigate", url=url)

    def _read(self):
        buf = b""
        while True:
            part = os.read(self._out, 1 << 16)
            if not part:
                self._answers.put(None)
                return
            *whole, buf = (buf + part).split(b"\0")
            for w in whole:
                self._answers.put(json.loads(w))

    def __call__(self, method, **params):
        """Sends a command and returns its result."""
        self._last += 1
        msg = {"id": self._last, "method": method, "params": params}
        if self.session:
            msg["sessionId"] = self.session
        os.write(self._in, json.dumps(msg).encode() + b"\0")
        while True:
            got = self._answers.get(timeout=60)
            assert got is not None, "the browser has ended"
            if got.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(got["params"])[:500])
            if got.get("id") == self._last:
                assert "error" not in got, got
                return got["result"]

    def js(self, expression, context=None):
        """The value of an expression in the page, or in another context; None if it throws."""
        more = {"contextId": context} if context else {}
        return self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, **more)["result"].get("value")

    def frame(self, expression):
        """The value of an expression in the page's first frame, seen from outside its own scripts."""
        frames = self("Page.getFrameTree")["frameTree"].get("childFrames")
        if not frames:
            return None
        try:
            world = self("Page.createIsolatedWorld", frameId=frames[0]["frame"]["id"])["executionContextId"]
            return self.js(expression, world)
        except AssertionError as e:
            # The frame was loaded anew between two of these calls.
            if any(text in str(e) for text in ("Cannot find context", "context was destroyed", "No frame for given id")):
                return None
            raise

    def until(self, look, want=True, limit=60):
        """Looks until it sees what is wanted, and returns it."""
        end = time.monotonic() + limit
        while True:
            got = look()
            if got == want or (want is True and got):
                return got
            assert time.monotonic() < end, "waited for %r, last seen: %r; errors: %s" % (want, got, self.errors)
            time.sleep(0.05)

    def stop(self):
        self.proc.kill()
        self.proc.wait()
        os.close(self._in)
        shutil.rmtree(self.home, ignore_errors=True)
