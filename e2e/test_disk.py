"""A file system that is really full, under the whole of the server's data: what cannot be stored is refused, nothing that was
stored is lost, and with room again everybody goes on as before. (A small tmpfs: only root can mount one.)"""
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time

import pytest

import wire
from harness import ClientError, OwnServer, assert_same, installed, settle
from test_server import own

pytestmark = own
SIZE = "64m"


def some_clients():
    return [v for v in ("26.9.3", "2.1.49") if v in installed()]


clients = pytest.mark.parametrize("client", some_clients())


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


def stored(s, acct):
    """What the server has of a user's collection, read from a copy of its files."""
    with tempfile.TemporaryDirectory() as d:
        for p in (pathlib.Path(s.data) / acct.user).glob("collection.anki2*"):
            shutil.copy(p, d)
        db = sqlite3.connect(d + "/collection.anki2")
        try:
            db.create_collation("unicase", lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower()))
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
            out = dict(zip(("usn", "mod", "scm"), db.execute("select usn, mod, scm from col").fetchone()))
            for table in ("notes", "cards", "revlog", "graves"):
                out[table] = db.execute("select count(), sum(usn) from " + table).fetchone()
            return out
        finally:
            db.close()


def media_agrees(s, acct, want):
    """The media database has the names and sizes of the files in the folder, and these are want."""
    folder = pathlib.Path(s.data) / acct.user
    files = {p.name: p.stat().st_size for p in (folder / "collection.media").iterdir() if p.is_file()}
    assert sorted(files) == sorted(want)
    with tempfile.TemporaryDirectory() as d:
        for p in folder.glob("*media*.db*"):
            shutil.copy(p, d)
        names = [p for p in pathlib.Path(d).iterdir() if p.suffix == ".db"]
        assert len(names) == 1, names
        db = sqlite3.connect(str(names[0]))
        try:
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
            assert sorted(r[0] for r in db.execute("select fname from media where csum is not null")) == sorted(want)
        finally:
            db.close()


def refused(s, fn, *args, **kw):
    """fn fails, with an error that people can do something with, and the log names the cause."""
    before = len(s.log())
    with pytest.raises(ClientError) as e:
        fn(*args, **kw)
    said, log = str(e.value), s.log()[before:]
    print(said, log)
    assert "no space left on device" in log or "database or disk is full" in log, log
    assert "panic" not in log
    return said


def clear(said):
    """Not "try again in a few minutes", and above all nothing that makes people overwrite one side with the other."""
    assert "507 Insufficient Storage" in said or "disk is full" in said, said


@clients
@pytest.mark.parametrize("notes", [1, 4000])
def test_incremental_sync(server, disk, mk, client, notes):
    acct = server.account()
    a, b = mk(client, acct=acct), mk(client, acct=acct)
    a.add_note(["first", "x"])
    a.backdate()
    a.first_upload()
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


@clients
def test_room_for_a_part_of_a_sync(server, disk, mk, client):
    acct = server.account()
    a, b = mk(client, acct=acct), mk(client, acct=acct)
    a.add_note(["first", "x"])
    a.backdate()
    a.first_upload()
    b.join()
    a.bulk_add(4000, size=400)
    pending, before, failed = a.pending(), stored(server, acct), 0
    for _ in disk.rooms(32 << 20, 512 << 10):
        try:
            a.sync_ok()
            break
        except ClientError as e:
            clear(str(e))
        failed += 1
        assert a.pending() == pending
        assert stored(server, acct) == before
    assert failed > 1
    disk.free()
    settle(a, b)
    assert len(assert_same(a, b)["notes"]) == 4001


@clients
def test_upload(server, disk, mk, client):
    acct = server.account()
    a, b = mk(client, acct=acct), mk(client, acct=acct)
    a.add_note(["first", "x"])
    a.backdate()
    a.first_upload()
    before = stored(server, acct)
    b.join()
    a.bulk_add(2000, size=400)
    a.backdate()
    a.force_schema_change()
    disk.fill()
    clear(refused(server, lambda: (a.sync_full_wanted(), a.full_upload())))
    failed = 0
    for _ in disk.rooms(16 << 20, 256 << 10):
        assert stored(server, acct) == before
        assert a.integrity()[:2] == ["ok", 0]
        left = [p.name for p in (pathlib.Path(server.data) / acct.user).rglob(".*")]
        assert not left
        b.sync_ok()
        a.sync_full_wanted()
        try:
            a.full_upload()
            break
        except ClientError as e:
            clear(str(e))
            failed += 1
    assert failed > 1
    disk.free()
    a.sync_ok()
    b.join()
    assert len(assert_same(a, b)["notes"]) == 2001


@clients
def test_download(server, disk, mk, client):
    """What is there can be fetched by the newest protocol: the way out of a full disk."""
    acct = server.account()
    a, b = mk(client, acct=acct), mk(client, acct=acct)
    a.add_note(["first", "x"])
    a.backdate()
    a.first_upload()
    disk.fill()
    b.sync_full_wanted()
    if client == "26.9.3":
        b.full_download()
    else:
        clear(refused(server, b.full_download))
        disk.free()
        b.full_download()
    assert_same(a, b)


@clients
def test_media(server, disk, mk, client):
    acct = server.account()
    a, b = mk(client, acct=acct), mk(client, acct=acct)
    a.add_note(["first", "x"])
    a.backdate()
    a.first_upload()
    a.put_media("there.txt", data="media")
    a.media_sync()
    disk.fill()
    a.put_media("small.txt", data="more media")
    a.put_media("big.bin", size=5_000_000)
    clear(refused(server, a.media_sync))
    media_agrees(server, acct, ["there.txt"])
    failed = 0
    for _ in disk.rooms(16 << 20, 512 << 10):
        try:
            a.media_sync()
            break
        except ClientError as e:
            clear(str(e))
            failed += 1
        got = {p.name for p in (pathlib.Path(server.data) / acct.user / "collection.media").iterdir() if p.is_file()}
        media_agrees(server, acct, got)
    assert failed > 1
    disk.free()
    a.media_sync()
    b.join()
    b.media_sync()
    assert a.media() == b.media() and len(b.media()) == 3
    media_agrees(server, acct, ["there.txt", "small.txt", "big.bin"])


@clients
def test_killed_and_started(server, disk, mk, client):
    acct = server.account()
    a, b = mk(client, acct=acct), mk(client, acct=acct)
    a.add_note(["first", "x"])
    a.backdate()
    a.first_upload()
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
