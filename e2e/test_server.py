"""The program itself, beside what it says on the wire: how it starts, stops, and how much memory it takes."""
import concurrent.futures
import os
import pathlib
import socket
import subprocess
import time

import pytest

import wire
from harness import Driver, OwnServer, assert_same, installed, newest, peak_mib, reset_peak, settle, wait_port

# ------------------------------------------------------------------ start and stop
own = pytest.mark.skipif("ANKI_SYNC_BINARY" not in os.environ, reason="ANKI_SYNC_BINARY is not set")


@pytest.fixture
def server(workdir):
    made = []

    def make(**env):
        s = OwnServer(workdir, env=env)
        made.append(s)
        return s

    yield make
    for s in made:
        s.stop()


def logged_in(server, user, password, version=11):
    w = wire.Wire(server.url, version)
    assert w.login(user, password).status == 200
    return w


@own
def test_users_from_the_environment(server):
    """The README's first command: SYNC_USER1=me:secret, and a client can log in."""
    s = server(SYNC_USER1="me:secret", SYNC_USER2="you:with:colon")
    for user, password in (("me", "secret"), ("you", "with:colon")):
        assert logged_in(s, user, password).meta().status == 200
    assert wire.Wire(s.url, 11).login("me", "wrong").status == 403
    if installed():
        d = Driver(newest())
        try:
            d.call("open", "c", path=str(s.root / "client.anki2"))
            d.call("login", "c", url=s.url, username="me", password="secret")
        finally:
            d.stop()


@own
def test_nothing_configured(workdir, server):
    """Without any setting it serves on port 27701, with its data under ./collections, and prints where to point Anki."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", 27701))
        except OSError:
            pytest.skip("port 27701 is taken here")
    s = server(SYNC_USER1="me:secret")  # only for its command line and folder
    s.terminate()
    env = {k: v for k, v in s.env.items() if not k.startswith("ANKISYNCD_")}
    home = pathlib.Path(s.root) / "fresh"
    home.mkdir()
    env.update(HOME=str(home), XDG_CONFIG_HOME=str(home / "config"))
    with open(home / "out.log", "wb") as log:
        proc = subprocess.Popen(s.command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        s.url = "http://127.0.0.1:27701/"
        wait_port(s.url, 60, proc)
        w = logged_in(s, "me", "secret")
        assert w.meta().json["usn"] is not None
        assert "27701" in (home / "out.log").read_text(errors="replace")
        assert (home / "collections").is_dir()
    finally:
        proc.terminate()
        assert proc.wait(30) == 0


@own
@pytest.mark.parametrize("state", ["idle", "within a sync"])
def test_stops_within_five_seconds(server, state):
    """SIGTERM: status 0 in under 5 s, the databases closed (no write-ahead log left), an unfinished sync undone."""
    s = server()
    acct = s.account()
    w = logged_in(s, acct.user, acct.password, 10)
    assert w.upload(wire.collection_11()).text == "OK"
    before = w.meta().json
    if state != "idle":
        assert w.start(before["usn"], True).status == 200
        assert w.changes(tags=["unfinished"]).status == 200
    code, seconds = s.terminate()
    assert code == 0
    assert seconds < 5, "it took %.1f s" % seconds
    left = [str(p.relative_to(s.root)) for p in pathlib.Path(s.root).rglob("*-wal") if p.stat().st_size]
    assert not left, "databases not closed: %s" % left
    s.start()
    again = w.meta().json
    assert {k: again[k] for k in ("mod", "scm", "usn")} == {k: before[k] for k in ("mod", "scm", "usn")}
    assert w.start(0, True).status == 200
    assert "unfinished" not in w.changes().json["tags"]
    assert w.call("abort").status == 200


@own
def test_killed_server_keeps_what_was_finished(server, mk):
    """kill -9 right after a sync: nothing that finish answered for is lost, and clients go on as before."""
    if not installed():
        pytest.skip("no client installed")
    s = server()
    acct = s.account()
    a = mk(newest(), acct=acct)
    a.add_note(["base", "x"])
    a.put_media("m.txt", data="media")
    a.first_upload()
    a.media_sync()
    a.add_note(["second", "x"])
    a.sync_ok()
    s.proc.kill()
    s.proc.wait()
    s.start()
    b = mk(newest(), acct=acct)
    b.join()
    b.media_sync()
    assert_same(a, b)
    assert a.media() == b.media()
    b.add_note(["third", "x"])
    settle(b, a)
    assert len(assert_same(a, b)["notes"]) == 3


# ------------------------------------------------------------------ memory
LIMIT_MIB = 100
NOTES, CHANGED = 50_000, 20_000


def memory_pairs():
    vs = installed()
    if not vs:
        return []
    return [(vs[0], vs[0])] + [p for v in ("2.1.49",) if v in vs and v != vs[0] for p in ((v, vs[0]), (vs[0], v))]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("clients", memory_pairs(), ids=lambda p: "%s+%s" % p)
def test_memory_does_not_grow_with_the_collection(target, server, mk, clients, record_property):
    """50,000 notes: upload, download by another device, 20,000 changed cards sent and fetched. The peak of the server's
    resident memory is printed for each, and stays under 100 MiB. (The official server: printed only.)"""
    s = server() if target.kind == "own" else None
    acct = (s or target).account()
    pid = acct.server.pid()
    a, b = (mk(v, acct=acct) for v in clients)
    a.bulk_add(NOTES, deck="Huge", size=200)
    a.bulk_revlog(NOTES, start=1_400_000_000_000)
    a.backdate()
    peaks, seconds = {}, {}

    def step(name, *calls):
        if pid:
            reset_peak(pid)
        began = time.time()
        for fn, kw in calls:
            fn(**kw)
        seconds[name] = time.time() - began
        peaks[name] = peak_mib(pid) if pid else None

    a.sync_full_wanted()
    step("upload", (a.full_upload, {"timeout_": 600}))
    b.sync_full_wanted()
    step("download", (b.full_download, {"timeout_": 600}))
    a.exec("update cards set due = due + 1, mod = ?, usn = -1 where id in (select id from cards order by id limit ?)", [int(time.time()) + 5, CHANGED])
    a.bulk_revlog(CHANGED, start=1_450_000_000_000)
    step("send %d cards" % CHANGED, (a.sync_ok, {"timeout_": 600}))
    step("fetch %d cards" % CHANGED, (b.sync_ok, {"timeout_": 600}))
    x, y = a.digest(), b.digest()
    assert x["counts"] == y["counts"] and x["counts"]["notes"] == NOTES
    assert [x[k] for k in ("notes", "cards", "revlog")] == [y[k] for k in ("notes", "cards", "revlog")]
    for name in peaks:
        peak = "peak unknown" if peaks[name] is None else "peak %.1f MiB" % peaks[name]
        record_property("measured", "%s+%s %s: %s, %.1f s" % (*clients, name, peak, seconds[name]))
    if target.kind != "reference" and pid and "qemu" not in os.environ.get("ANKI_SYNC_BINARY", ""):
        over = {k: "%.1f MiB" % v for k, v in peaks.items() if v is not None and v >= LIMIT_MIB}
        assert not over, "more than %d MiB: %s" % (LIMIT_MIB, over)


def bombs():
    """Bodies of a few KB for applyChunk and applyGraves that unpack to hundreds of MiB, and one that is what it seems."""
    def packed(*parts):
        c = wire.zstandard.ZstdCompressor(3).compressobj()
        return b"".join(c.compress(p) for many, p in parts for _ in range(many)) + c.flush()

    mib = 1 << 20
    row = '[%d,"g%d",%d,1500000000,-1,"","%s\\u001fback","","",0,""]'
    notes = ",".join(row % (1_600_000_000_000 + i, i, wire.MID, "some text " * 40_000) for i in range(200))
    return {
        "zeros": ("applyChunk", packed((600, bytes(mib))), 413),
        "one text": ("applyChunk", packed((1, b'{"chunk":{"notes":[[1,"'), (600, b"a" * mib), (1, b'"]]}}')), 413),
        "ids": ("applyGraves", packed((1, b'{"chunk":{"cards":[1'), (90, b",1" * (mib // 2)), (1, b"]}}")), 413),
        "76 MiB of notes": ("applyChunk", packed((1, b'{"chunk":{"notes":['), (1, notes.encode()), (1, b"]}}")), 200),
    }


@own
@pytest.mark.slow
def test_memory_of_large_messages(server, record_property):
    """Eight users send at once what takes much memory if it is read before it is looked at. A ninth notices nothing."""
    s = server()
    accounts = [s.account() for _ in range(9)]
    users = [logged_in(s, a.user, a.password) for a in accounts]
    ninth = users.pop()
    for w in users:
        assert w.upload(wire.collection_11()).text == "OK"
    peaks = {}
    for name, (step, body, status) in bombs().items():
        for w in users:
            assert w.start(w.meta().json["usn"], True).status == 200
            assert w.changes(models=[wire.notetype()]).status == 200
        reset_peak(s.pid())
        with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
            sent = [pool.submit(w.call, step, body=body) for w in users]
            slowest = 0
            while not all(f.done() for f in sent):
                began = time.time()
                assert ninth.meta().status == 200
                slowest = max(slowest, time.time() - began)
        assert {f.result().status for f in sent} == {status}, name
        peaks[name] = peak_mib(s.pid())
        record_property("measured", "%s, eight at once: peak %.0f MiB, another user's meta at most %.0f ms" % (name, peaks[name] or 0, slowest * 1000))
        assert slowest < 5
    if "qemu" not in os.environ["ANKI_SYNC_BINARY"]:
        assert all(p is None or p < 200 for p in peaks.values()), peaks
