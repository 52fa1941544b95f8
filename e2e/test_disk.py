"""A file system that is really full, under the whole of the server's data: what cannot be stored is refused, nothing that was
stored is lost, and with room again everybody goes on as before. (A small tmpfs: only root can mount one.)"""
import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time

import pytest

import test_slow
import wire
from harness import ClientError, OwnServer, assert_same, installed, settle
from test_server import own

pytestmark = own
SIZE = "64m"


def some_clients():
    return [v for v in ("26.9.3", "2.1.49") if v in installed()]



class Disk:
    """A file system of its own. It is unmounted when the standard input of a helper ends: also if the tests are killed."""

    def __init__(self, folder):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="disk", dir=folder))
        try:
            r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + SIZE, "tmpfs", str(self.path)], capture_output=True, text=True)
            why = r.stderr.strip() if r.returncode else ""
        except OSError as e:
            why = str(e)
        if why:
            self.path.rmdir()
            pytest.skip("no tmpfs can be mounted here: " + why)
        self.helper = subprocess.Popen(
            ["sh", "-c", 'read -r _; umount "$0" || umount -l "$0"; rmdir "$0"', str(self.path)], stdin=subprocess.PIPE, start_new_session=True
        )

    def fill(self, room=0):
        """No room, or room for so many bytes."""
        with open(self.path / "ballast", "ab", buffering=0) as f:
            for size in (1 << 16, 4096, 1):
                try:
                    while True:
                        f.write(bytes(size))
                except OSError:
                    pass
            f.truncate(f.tell() - room)
        assert shutil.disk_usage(self.path).free <= room

    def rooms(self, most, step):
        """More room each time, so that the disk is full in one step of the server's work after the other."""
        for room in range(0, most, step):
            self.fill(room)
            yield room

    def free(self):
        (self.path / "ballast").unlink()

    def unmount(self):
        self.helper.stdin.close()
        self.helper.wait(60)


@pytest.fixture
def disk(workdir, monkeypatch, tmp_path):
    d = Disk(workdir)
    monkeypatch.setenv("E2E_LOGS", str(tmp_path))  # not onto the full disk
    try:
        yield d
    finally:
        d.unmount()


@pytest.fixture
def server(disk):
    s = OwnServer(disk.path, env={"TMPDIR": str(disk.path)})
    try:
        yield s
    finally:
        s.stop()


@pytest.fixture(params=some_clients())
def devices(request, server, mk):
    """An account, a device that has uploaded a note, and one that has nothing yet; all with one client."""
    acct = server.account()
    a, b = mk(request.param, acct=acct), mk(request.param, acct=acct)
    a.add_note(["first", "x"])
    a.backdate()
    a.first_upload()
    return acct, a, b


def files_of(s, acct):
    return pathlib.Path(s.data) / acct.user


@contextlib.contextmanager
def copied(files):
    """The database among files, read from a copy."""
    with tempfile.TemporaryDirectory() as d:
        for p in files:
            shutil.copy(p, d)
        names = [p for p in pathlib.Path(d).iterdir() if p.suffix in (".anki2", ".db")]
        assert len(names) == 1, names
        db = sqlite3.connect(str(names[0]))
        try:
            db.create_collation("unicase", lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower()))
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
            yield db
        finally:
            db.close()


def stored(s, acct):
    """What the server has of a user's collection."""
    with copied(files_of(s, acct).glob("collection.anki2*")) as db:
        out = dict(zip(("usn", "mod", "scm"), db.execute("select usn, mod, scm from col").fetchone()))
        for table in ("notes", "cards", "revlog", "graves"):
            out[table] = db.execute("select count(), sum(usn) from " + table).fetchone()
        return out


def media_files(s, acct):
    return sorted(p.name for p in (files_of(s, acct) / "collection.media").iterdir() if p.is_file())


def media_agrees(s, acct, want):
    """The media database has the names of the files in the folder, and these are want."""
    assert media_files(s, acct) == sorted(want)
    with copied(files_of(s, acct).glob("*media*.db*")) as db:
        assert sorted(r[0] for r in db.execute("select fname from media where csum is not null")) == sorted(want)


def refused(s, fn, *args, **kw):
    """fn fails, with an error that people can do something with, and the log names the cause."""
    before = len(s.log())
    with pytest.raises(ClientError) as e:
        fn(*args, **kw)
    said, log = str(e.value), s.log()[before:]
    print(said, log)
    assert "no space left on device" in log or "database or disk is full" in log, log
    assert "panic" not in log and "roll back" not in log, log
    return said


def clear(said):
    """Not "try again in a few minutes", and above all nothing that makes people overwrite one side with the other."""
    assert "507 Insufficient Storage" in said or "disk is full" in said, said


def room_enough(disk, fn, most, step, still):
    """fn fails, always clearly and with still() true, until there is room enough."""
    failed = 0
    for _ in disk.rooms(most, step):
        try:
            fn()
            break
        except ClientError as e:
            clear(str(e))
        failed += 1
        still()
    assert failed > 1
    disk.free()


@pytest.mark.parametrize("notes", [1, 4000])
def test_incremental_sync(server, disk, devices, notes):
    acct, a, b = devices
    b.join()
    a.add_note(["second", "x"])
    settle(a, b)
    before = stored(server, acct)
    disk.fill()
    if notes == 1:
        a.add_note(["third", "x"])
    else:
        a.bulk_add(notes, size=400)
    pending = a.pending()
    for _ in range(2):
        clear(refused(server, a.sync))
        disk.fill()  # what the server gave back, as a log that it folded into the file
        assert a.pending() == pending
        assert a.integrity()[:2] == ["ok", 0]
        assert stored(server, acct) == before
    disk.free()
    settle(a, b)
    assert len(assert_same(a, b)["notes"]) == 2 + notes


def test_room_for_a_part_of_a_sync(server, disk, devices):
    acct, a, b = devices
    b.join()
    a.bulk_add(4000, size=400)
    pending, before = a.pending(), stored(server, acct)

    def still():
        assert a.pending() == pending
        assert stored(server, acct) == before

    room_enough(disk, a.sync_ok, 32 << 20, 512 << 10, still)
    settle(a, b)
    assert len(assert_same(a, b)["notes"]) == 4001


def test_upload(server, disk, devices):
    acct, a, b = devices
    before = stored(server, acct)
    b.join()
    a.bulk_add(2000, size=400)
    a.backdate()
    a.force_schema_change()

    def still():
        assert stored(server, acct) == before
        assert a.integrity()[:2] == ["ok", 0]
        assert not [p.name for p in files_of(server, acct).rglob(".*")]
        b.sync_ok()

    def upload():
        a.sync_full_wanted()
        a.full_upload()

    disk.fill()
    clear(refused(server, upload))
    still()
    room_enough(disk, upload, 16 << 20, 256 << 10, still)
    a.sync_ok()
    b.join()
    assert len(assert_same(a, b)["notes"]) == 2001


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.unchecked("its notes are made by SQL, and an upload fails on purpose")
@pytest.mark.parametrize("needs", ["nothing", "a change"])
def test_upload_to_a_slow_server(server, disk, mk, monkeypatch, record_property, needs):
    """The disk is full after the answer to an upload has begun, because it takes long to check. If something is to be written all
    the same, a status comes too late, and what the client shows is the text. What is as it should be is stored: that takes no room."""
    if "26.9.3" not in installed():
        pytest.skip("needs 26.9.3")
    monkeypatch.setattr(test_slow, "CHECK", 45)
    acct = server.account()
    a = mk("26.9.3", acct=acct)
    a.bulk_add(20_000, deck="Huge", size=100)
    a.backdate()
    a.sync_full_wanted()
    began = test_slow.cpu_seconds(server.pid())
    a.full_upload(timeout_=600)
    cost = test_slow.cpu_seconds(server.pid()) - began
    before = stored(server, acct)
    if needs == "a change":
        a.exec("create trigger t after insert on graves begin select 1; end")
    a.force_schema_change()
    a.sync_full_wanted()
    arrival = test_slow.Arrival(pathlib.Path(server.data) / acct.user, os.path.getsize(a._path))

    def fill():
        while not arrival.end.wait(0.05):
            if arrival.at:
                disk.fill()
                return

    filler = threading.Thread(target=fill)
    filler.start()
    try:
        with test_slow.slowed(server.pid(), cost, arrival):
            if needs == "a change":
                said = refused(server, a.full_upload, timeout_=500)
            else:
                a.full_upload(timeout_=600)
                said = "OK"
    finally:
        arrival.end.set()
        filler.join()
    record_property("measured", "after %.0f s: %s" % (time.time() - arrival.at, said))
    if needs == "a change":
        assert "The server's disk is full" in said, "not said, or the answer had not begun: " + said
        assert stored(server, acct) == before
        disk.free()
        a.sync_full_wanted()
        a.full_upload(timeout_=600)
    else:
        assert stored(server, acct) != before
        disk.free()
    a.sync_ok()
    a.add_note(["after", "all"], deck="Huge")
    assert a.sync_ok()["result"] == "normal"


def test_download(server, disk, devices):
    """What is there can be fetched by the newest protocol: the way out of a full disk."""
    acct, a, b = devices
    disk.fill()
    b.sync_full_wanted()
    if a.version == "26.9.3":
        b.full_download()
    else:
        clear(refused(server, b.full_download))
        disk.free()
        b.full_download()
    assert_same(a, b)


def test_media(server, disk, devices):
    acct, a, b = devices
    a.put_media("there.txt", data="media")
    a.media_sync()
    disk.fill()
    a.put_media("small.txt", data="more media")
    a.put_media("big.bin", size=5_000_000)
    clear(refused(server, a.media_sync))
    media_agrees(server, acct, ["there.txt"])
    room_enough(disk, a.media_sync, 16 << 20, 512 << 10, lambda: media_agrees(server, acct, media_files(server, acct)))
    a.media_sync()
    b.join()
    b.media_sync()
    assert a.media() == b.media() and len(b.media()) == 3
    media_agrees(server, acct, ["there.txt", "small.txt", "big.bin"])


def test_killed_and_started(server, disk, devices):
    acct, a, b = devices
    b.join()
    a.add_note(["second", "x"])
    a.put_media("there.txt", data="media")
    a.sync_ok()
    a.media_sync()
    before = stored(server, acct)
    disk.fill()
    server.proc.kill()
    server.proc.wait()
    started, began = True, len(server.log())
    try:
        server.start()
    except RuntimeError:
        started = False
    log = server.log()[began:]
    print(started, log)
    assert "panic" not in log
    assert started or "no space left on device" in log or "database or disk is full" in log
    assert stored(server, acct) == before
    if started:
        a.add_note(["third", "x"])
        clear(refused(server, a.sync))
        assert stored(server, acct) == before
        w = wire.Wire(server.url, 11)
        assert w.login(acct.user, acct.password).status in (200, 507)
        assert w.login(acct.user, "wrong").status == 403
        with pytest.raises(RuntimeError, match="no space left on device|disk is full"):
            disk.fill()
            for i in range(200):  # until what is left in half used pages is used up
                server.add("another%d" % i, "secret")
                disk.fill()
    disk.free()
    if not started:
        server.start()
    settle(a, b)
    b.media_sync()
    assert_same(a, b)
    assert a.media() == b.media()
    assert wire.Wire(server.url, 11).login(acct.user, acct.password).status == 200
