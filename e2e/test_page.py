"""examples/study.html in a browser: it studies what a client made, hostile cards run nothing, and devices get the reviews."""
import http.server
import os
import threading
import urllib.error
import urllib.request

import pytest

from browser import PROGRAM, Page
from harness import check_database, installed, settle
from rest import Api, rest, same_collection  # noqa: F401

NEWEST = "26.9.3"
pytestmark = [
    pytest.mark.skipif("ANKI_SYNC_BINARY" not in os.environ, reason="ANKI_SYNC_BINARY is not set"),
    pytest.mark.skipif(NEWEST not in installed(), reason="no client " + NEWEST),
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium"),
]
EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "study.html")
# one pixel
GIF = "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


@pytest.fixture
def origin(rest):  # noqa: F811
    """One origin for page and API, as the nginx lines of docs/rest-api.md make it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *a):
            pass

        def do_GET(self):
            if self.path.split("?")[0] == "/study.html":
                with open(EXAMPLE, "rb") as f:
                    return self.answer(200, "text/html; charset=utf-8", f.read())
            self.forward()

        def forward(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "accept-encoding", "content-length")}
            req = urllib.request.Request(rest.rest + self.path, body, headers, method=self.command)
            try:
                with urllib.request.urlopen(req, timeout=60) as r:
                    self.answer(r.status, r.headers.get("Content-Type", ""), r.read())
            except urllib.error.HTTPError as e:
                self.answer(e.code, e.headers.get("Content-Type", ""), e.read())

        do_POST = forward

        def answer(self, status, kind, body):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    srv = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    srv.daemon_threads = True
    threading.Thread(target=srv.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d" % srv.server_port
    srv.shutdown()
    srv.server_close()


def test_study(rest, origin, mk):  # noqa: F811
    acct = rest.account()
    a, b = mk(NEWEST, acct=acct), mk(NEWEST, acct=acct)
    a.sched_ver(3)
    evil = "<script>top.document.title='run'</script><img src=x onerror=\"top.document.title='run'\"><a href=\"javascript:1\">l</a>"
    a.add_note(['<img src="a ü.gif">one' + evil, "eins" + evil], deck="Words")
    a.add_note(["two", "zwei &amp; <i>mehr</i>"], deck="Words", notetype="Basic (type in the answer)")
    a.add_note(["three", "drei"], deck="Words")
    a.put_media("a ü.gif", b64=GIF)
    a.backdate()
    a.first_upload()
    a.media_sync()
    b.join()
    api = Api(rest, acct.user)
    page = Page("%s/study.html?user=%s&deck=Words" % (origin, acct.user))
    try:
        labels = lambda: page.js("[...document.querySelectorAll('#buttons button')].map(b => b.firstChild.textContent)")  # noqa: E731
        counts = lambda: page.js("[...document.querySelectorAll('#counts b')].map(b => Number(b.textContent))")  # noqa: E731
        shown = lambda: page.frame("document.body && document.body.innerText.trim()")  # noqa: E731
        status = lambda: page.js("document.getElementById('status').textContent")  # noqa: E731

        def press(i):
            page.js("document.querySelectorAll('#buttons button')[%d].click()" % i)

        page.until(labels, ["Show answer"])
        assert counts() == [3, 0, 0] and status() == ""
        # the first card: its picture is there, its scripts are not run
        page.until(lambda: (shown() or "").startswith("one"))
        page.until(lambda: page.frame("document.images[0].naturalWidth"), 1)
        assert page.frame("document.body.className") == "card card1"
        assert page.js("document.getElementById('typed').hidden") is True
        press(0)
        page.until(labels, ["Again", "Hard", "Good", "Easy"])
        page.until(lambda: "eins" in (shown() or ""))
        press(3)
        # the second one is typed
        page.until(lambda: page.js("document.getElementById('typed').hidden"), False)
        page.until(shown, "two")
        assert counts() == [2, 0, 0]
        page.js("document.getElementById('typed').value = 'zwei & mehr'")
        press(0)
        page.until(lambda: page.frame("(document.querySelector('#typeans .typeGood') || {}).textContent"), "zwei & mehr")
        page.until(labels, ["Again", "Hard", "Good", "Easy"])
        press(0)
        page.until(counts, [1, 1, 0])
        assert [r["ease"] for r in api("latest_revlog", limit=10)] in ([1, 4], [4, 1])
        # a wrong click is taken back
        page.until(lambda: page.js("busy"), False)
        page.js("document.getElementById('undo').click()")
        page.until(counts, [2, 0, 0])
        assert [r["ease"] for r in api("latest_revlog", limit=10)] == [4]
        page.until(shown, "two")
        page.until(lambda: page.js("busy"), False)
        assert page.js("document.title") == "Study" and page.errors == [] and status() == ""
    finally:
        page.stop()
    settle(a, b)
    for c in (a, b):
        assert [r["ease"] for r in c.dump()["revlog"].values()] == [4]
        assert c.counts("Words") == [2, 0, 0]
    same_collection(api, b)
    check_database(b, [NEWEST])
