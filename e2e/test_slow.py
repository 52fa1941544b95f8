"""A server that needs minutes for what others do in seconds: a real client uploads a large collection to it and is told how
that went. A client gives up after 30 s without a byte, so the answer must begin before the check has ended.

The server is made slow by stopping and continuing it (SIGSTOP, SIGCONT) most of the time, which needs no rights."""
import contextlib
import gzip
import http.client
import os
import pathlib
import signal
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import wire
from harness import ClientError, OwnServer, installed

own = pytest.mark.skipif("ANKI_SYNC_BINARY" not in os.environ, reason="ANKI_SYNC_BINARY is not set")
NOTES, REVIEWS = 50_000, 50_000
SILENCE = 30  # seconds after which a client gives up
RECEIVE = 15  # seconds that an upload would take at the speed at which it is received
CHECK = 55  # seconds that the check of it lasts
TOO_LONG = 150  # seconds of a check that no client of protocol 11 waits for
SLICE = 0.001  # seconds that the server runs at a time
STOPPED = 3  # seconds that it is stopped at most


def some_clients():
    return [v for v in ("26.9.3", "2.1.66", "2.1.49") if v in installed()]


def cpu_seconds(pid):
    """The processor time of all threads of a process, from its clock (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


@contextlib.contextmanager
def slowed(pid, cost, arrival, check=CHECK):
    """The process, which needs cost seconds of a processor for an upload, gets so little of one that it would take RECEIVE
    seconds for all of it; once the collection has arrived even less, and all it wants so many seconds of check later."""
    end = threading.Event()

    def run():
        share, began, before = cost / RECEIVE, time.time(), cpu_seconds(pid)
        while not end.is_set():
            time.sleep(SLICE)
            if arrival.at:
                if time.time() > arrival.at + check:
                    return
                share = cost / (40 * CHECK)
            os.kill(pid, signal.SIGSTOP)
            ahead = (cpu_seconds(pid) - before) / share - (time.time() - began)
            end.wait(min(max(ahead, 0), STOPPED))
            os.kill(pid, signal.SIGCONT)

    t = threading.Thread(target=run, daemon=True)
    t.start()
    try:
        yield
    finally:
        end.set()
        t.join()
        os.kill(pid, signal.SIGCONT)


class Arrival:
    """When the whole collection had arrived: the temporary file in the user's folder has about the size it must get, and has
    not grown for longer than the server is ever stopped."""

    def __init__(self, folder, at_least):
        self.at = None
        self.end = threading.Event()

        def size():
            for p in pathlib.Path(folder).glob(".collection-*.tmp"):
                with contextlib.suppress(OSError):
                    return p.stat().st_size
            return 0

        def run():
            last, since = 0, time.time()
            while not self.end.is_set():
                now = size()
                if now != last:
                    last, since = now, time.time()
                elif now >= at_least and time.time() > since + STOPPED + 1:
                    self.at = time.time()
                    return
                time.sleep(0.05)

        threading.Thread(target=run, daemon=True).start()


def damaged(payload):
    """The collection with a leaf of a table in its middle cleared."""
    raw = bytearray(payload)
    size = int.from_bytes(raw[16:18], "big")
    for at in range(len(raw) // size // 2 * size, len(raw), size):
        if raw[at] == 0x0D:
            raw[at:at + size] = bytes(size)
            return bytes(raw)
    raise AssertionError("no leaf found")


def damaged_body(body):
    """An upload's body with another collection in it: zstd, or a form whose data is gzip."""
    if body[:4] == b"\x28\xb5\x2f\xfd":
        return wire.zstd(damaged(wire.unzstd(body)))
    start = body.index(b"\x1f\x8b", body.index(b'name="data"'))
    gz = zlib.decompressobj(31)
    payload = gz.decompress(body[start:])
    return body[:start] + gzip.compress(damaged(payload), 1) + gz.unused_data


class Spoiler:
    """Stands between a client and the server, damages what is uploaded, and passes answers on as they come. Clients look
    at their collection before they upload it, and would not send a damaged one themselves."""

    def __init__(self, port):
        class H(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *a):
                pass

            def do_POST(self):
                if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
                    body = b""
                    while (n := int(self.rfile.readline().split(b";")[0], 16)) > 0:
                        body += self.rfile.read(n)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path.endswith("/upload"):
                    body = damaged_body(body)
                conn = http.client.HTTPConnection("127.0.0.1", port, timeout=900)
                skip = ("transfer-encoding", "content-length", "connection", "expect", "host")
                headers = {k: v for k, v in self.headers.items() if k.lower() not in skip}
                conn.request("POST", self.path, body, headers)
                answer = conn.getresponse()
                self.send_response(answer.status)
                for k, v in answer.getheaders():
                    if k.lower() not in skip:
                        self.send_header(k, v)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while part := answer.read1(65536):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")
                conn.close()

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), H)
        self.http.daemon_threads = True
        self.url = "http://127.0.0.1:%d/" % self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


def huge(a, server):
    """A client with a large collection, which wants to upload it again; what uploading it cost the server (seconds of a
    processor), and how long it took at full speed."""
    a.bulk_add(NOTES, deck="Huge", size=100)
    a.bulk_revlog(REVIEWS, start=1_400_000_000_000)
    a.backdate()
    a.sync_full_wanted()
    before, began = cpu_seconds(server.pid()), time.time()
    a.full_upload(timeout_=600)
    cost = cpu_seconds(server.pid()) - before
    quick = time.time() - began
    a.force_schema_change()
    a.sync_full_wanted()
    return a, cost, quick


@own
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.unchecked("its notes are made by SQL, and an upload fails on purpose")
@pytest.mark.parametrize("client", some_clients())
def test_upload_to_a_slow_server(workdir, mk, client, record_property):
    s = OwnServer(workdir)
    spoiler = Spoiler(s.port)
    try:
        acct = s.account()
        a, cost, quick = huge(mk(client, acct=acct), s)
        folder = pathlib.Path(s.data) / acct.user
        size = os.path.getsize(a._path) * 9 // 10

        def slow_upload():
            arrival = Arrival(folder, size)
            began = time.time()
            try:
                with slowed(s.pid(), cost, arrival):
                    a.full_upload(timeout_=900)
            finally:
                arrival.end.set()
                slow_upload.took = time.time() - began
                slow_upload.check = time.time() - (arrival.at or time.time())

        slow_upload()
        record_property("measured", "%s: upload %.1f s at full speed, slowed %.0f s, of which %.0f s after the last byte"
                        % (client, quick, slow_upload.took, slow_upload.check))
        assert slow_upload.check > SILENCE + 5, "the check was too quick to say anything"
        a.sync_ok()
        b = mk(client, acct=acct)
        b.join()
        assert b.digest()["counts"]["notes"] == NOTES

        # and one that is refused says so
        a.force_schema_change()
        a.sync_full_wanted()
        a.set_url(spoiler.url)
        with pytest.raises(ClientError) as e:
            slow_upload()
        record_property("measured", "%s: damaged, after %.0f s: %s" % (client, slow_upload.took, e.value.message))
        assert "corrupt" in e.value.message.lower() or "check database" in e.value.message.lower(), e.value.message
        c = mk(client, acct=acct)
        c.join()
        assert c.digest()["counts"]["notes"] == NOTES, "the collection of before is not there any more"
    finally:
        spoiler.stop()
        s.stop()


@own
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.unchecked("its notes are made by SQL, and an upload fails on purpose")
@pytest.mark.parametrize("client", some_clients()[:1])
def test_check_outlasts_the_client(workdir, mk, client, record_property):
    """Whatever the size: if the check takes longer than any answer can be kept alive, the client gives up, but what it has sent
    whole is stored all the same, and its next sync finds nothing to do."""
    s = OwnServer(workdir)
    try:
        acct = s.account()
        a, cost, _ = huge(mk(client, acct=acct), s)
        arrival = Arrival(pathlib.Path(s.data) / acct.user, os.path.getsize(a._path) * 9 // 10)
        began = time.time()
        with slowed(s.pid(), cost, arrival, TOO_LONG):
            with pytest.raises(ClientError) as e:
                a.full_upload(timeout_=900)
            gave_up = time.time() - arrival.at
            while time.time() < arrival.at + TOO_LONG:
                time.sleep(1)
        arrival.end.set()
        # At full speed again, the check ends soon: the file gets its name then, and has the temporary one no longer.
        end = time.time() + 120
        while list((pathlib.Path(s.data) / acct.user).glob(".collection-*.tmp")):
            assert time.time() < end, "the check does not end"
            time.sleep(0.1)
        record_property("measured", "%s gave up %.0f s after the last byte (%.0f s in all): %s"
                        % (client, gave_up, time.time() - began, e.value.message))
        assert gave_up > SILENCE, "the answer was not even begun"
        a.sync_ok()
        b = mk(client, acct=acct)
        b.join()
        assert b.digest() == a.digest()
    finally:
        s.stop()
