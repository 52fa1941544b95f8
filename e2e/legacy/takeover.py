"""Starts the program on each old data directory in place and asks whether everything is there: see run."""
import hashlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402
import wire  # noqa: E402
from facts import PLACES  # noqa: E402

ARCHIVES = pathlib.Path(__file__).resolve().parents[2] / "testdata" / "legacy"
BINARY = os.environ["ANKI_SYNC_BINARY"]


def same(what, got, want):
    if got != want:
        raise AssertionError("%s: %r, not %r" % (what, got, want))


class Old:
    """One directory, and the program running in it."""

    def __init__(self, place, tmp, **env):
        self.place = place
        self.home = tmp / "home"
        self.home.mkdir(parents=True)
        with tarfile.open(ARCHIVES / (place.archive + "-data.tar.gz")) as t:
            t.extractall(tmp / "data", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        self.dir = tmp / "data" / place.sub
        if place.conf:
            shutil.copy(self.dir / place.conf[0], self.dir / place.conf[1])
        shutil.copytree(self.dir, tmp / "before")
        self.before = tmp / "before"
        self.port = harness.free_port()
        self.url = "http://127.0.0.1:%d/" % self.port
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("ANKISYNCD_", "SYNC_"))}
        # only where it listens is not as it was, so that this test disturbs nobody
        self.env.update(HOME=str(self.home), XDG_CONFIG_HOME=str(self.home))
        if place.env:
            self.env.update(place.env, SYNC_BASE=str(self.dir), SYNC_HOST="127.0.0.1", SYNC_PORT=str(self.port))
        else:
            self.env.update(ANKISYNCD_HOST="127.0.0.1", ANKISYNCD_PORT=str(self.port))
        self.env.update(env)
        self.log = open(tmp / "server.log", "w+")
        self.proc = None

    def start(self):
        self.proc = subprocess.Popen([BINARY], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)
        harness.wait_port(self.url, 60, self.proc)

    def stop(self):
        if self.proc is not None and self.proc.poll() is None:
            self.proc.terminate()
            same("status at the end", self.proc.wait(30), 0)

    def run(self, *args):
        return subprocess.run([BINARY, *args], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def original(self, user, tmp):
        """The collection as the old server had it, with its write-ahead log worked in: what a device had after its last sync."""
        tmp.mkdir(parents=True)
        for f in (self.before / self.place.root / user.name).glob("collection.anki2*"):
            if f.name in ("collection.anki2", "collection.anki2-wal"):
                shutil.copy(f, tmp)
        path = tmp / "collection.anki2"
        db = sqlite3.connect(path)
        db.execute("pragma wal_checkpoint(truncate)")
        db.execute("pragma journal_mode=delete")
        row = db.execute("select mod, scm, usn from col").fetchone()
        db.close()
        return path, row


def check_collection(w, user):
    with wire.Col(w.download().data) as col:
        version = col.one("select ver from col")
        same("schema", version, 18 if w.version >= 11 else 11)
        same("counts", tuple(col.one("select count() from " + t) for t in ("notes", "cards", "revlog", "graves")), user.counts)
        same("integrity", col.one("pragma integrity_check"), "ok")
        if version == 18:
            same("decks", sorted(n.replace("\x1f", "::") for n, in col.all("select name from decks")), user.decks)
            same("tags", sorted(t for t, in col.all("select tag from tags")), user.tags)


def check_media(w, user):
    r = w.media_begin().json
    data = r.get("data", r)
    same("media usn", data["usn"], user.media_usn)
    changes = w.media_changes(0).json
    changes = changes.get("data", changes) if isinstance(changes, dict) else changes
    alive = {name: sha for name, _, sha in changes if sha}
    same("media listing", alive, user.media)
    same("media listing, the last usn", max([u for _, u, _ in changes], default=0), user.media_usn)
    files = wire.unzip_media(w.media_download(list(alive)).data) if alive else {}
    same("media files", {n: hashlib.sha1(b).hexdigest() for n, b in files.items()}, user.media)


def check_user(old, user, tmp):
    same("wrong password", wire.Wire(old.url, 11).login(user.name, user.password + "x").status, 403)
    row = old.original(user, tmp)[1] if user.counts else None
    for version in (11, 10):
        keys = list(user.keys)
        w = wire.Wire(old.url, version)
        same("login", w.login(user.name, user.password).status, 200)
        for key in keys + [w.hkey]:
            w.hkey = key
            r = w.meta()
            same("meta with the key %s" % key, r.status, 200)
            if row:
                same("meta", (r.json["mod"], r.json["scm"], r.json["usn"]), row)
                same("usn", r.json["usn"], user.usn)
            else:
                same("nothing there yet", r.json.get("empty", True) if version >= 11 else True, True)
        if row:
            check_collection(w, user)
            check_media(w, user)
    return len(user.keys)


def device(old, user, version, tmp):
    """A device of the old server: it has what that server had, and its key. It goes on without a full sync and without a login."""
    path, _ = old.original(user, tmp)
    d = harness.Driver(version)
    try:
        d.call("open", "c", path=str(path))
        c = harness.Cl(d, "c", str(path))
        c.set_url(old.url)
        c.set_hkey(user.keys[0])
        first = c.sync_ok()["result"]
        harness.tick()
        c.add_note(["after the move", version])
        same("sync after a change", c.sync_ok()["result"], "normal")
        c.put_media("after %s.txt" % version, data="new")
        for _ in range(2):
            c.media_sync()
        names = set(c.media())
        want = set(user.media) | {"after %s.txt" % version}
        if not want <= names:
            raise AssertionError("media on the device: %s, not all of %s" % (sorted(names), sorted(want)))
        return first
    finally:
        d.stop()


def back_to_python(old):
    """What the Python servers read is as they left it, or as they would have written it: users, keys, media."""
    def rows(folder, name, query):
        db = sqlite3.connect(folder / name)
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    same("auth.db", rows(old.dir, "auth.db", "select * from auth"), rows(old.before, "auth.db", "select * from auth"))
    sessions = "select * from session order by hkey" if (old.before / "session.db").exists() else None
    if sessions:
        same("session.db", rows(old.dir, "session.db", sessions), rows(old.before, "session.db", sessions))
    for user in old.place.users:
        folder = old.dir / old.place.root / user.name
        if not user.counts:
            continue
        listed = dict(rows(folder, "collection.media.server.db", "select fname, csum from media where csum is not null"))
        media = next((folder / n for n in ("collection.media", "media") if (folder / n).is_dir()), None)
        files = {p.name: hashlib.sha1(p.read_bytes()).hexdigest() for p in media.iterdir()} if media else {}
        same("media listed and there", files, listed)
        if (folder / "collection.anki2-wal").exists():
            same("left in the write-ahead log", (folder / "collection.anki2-wal").stat().st_size, 0)
        kept = list((folder / "snapshots").glob("*-upgrade.anki2"))
        was = rows(old.before / old.place.root / user.name, "collection.anki2", "select ver from col")[0][0]
        is_ = rows(folder, "collection.anki2", "select ver from col")[0][0]
        if was != is_:
            same("the old form of the collection, kept", len(kept), 1)
            same("its schema", rows(kept[0].parent, kept[0].name, "select ver from col")[0][0], was)
    return "back: users, keys and media lists as before"


def back_by_migration(old, tmp):
    """The way back for servers that know only the old form of collections: a copy in that form."""
    to = tmp / "copy"
    r = old.run("migrate", "--from", str(old.dir), "--to", str(to), "--schema11")
    same("migrate " + r.stderr[-500:], r.returncode, 0)
    for user in old.place.users:
        if not user.counts:
            continue
        db = sqlite3.connect(to / "collections" / user.name / "collection.anki2")
        same("schema", db.execute("select ver from col").fetchone()[0], 11)
        here = sqlite3.connect(old.dir / old.place.root / user.name / "collection.anki2")
        for table in ("notes", "cards", "revlog"):
            same(table, *(d.execute("select count() from " + table).fetchone() for d in (db, here)))
        db.close()
        here.close()
    return ", and by migrate --schema11"


def back_to_official(old, user, tmp, migrated):
    """The official server, started again where it was, or on a migrated copy: a device that synced here meanwhile goes on with it."""
    tmp = tmp / ("migrated" if migrated else "in-place")
    shutil.copytree(tmp.parent / ("device" + harness.newest()), tmp / ("device" + harness.newest()))
    env = dict(old.env)
    if migrated:
        r = old.run("migrate", "--from", str(old.dir), "--to", str(tmp / "base"), "--layout", "official")
        same("migrate " + r.stderr[-500:], r.returncode, 0)
        env["SYNC_BASE"] = str(tmp / "base")
    python = harness.clients_dir() / harness.newest() / "bin" / "python"
    log = open(tmp / "official.log", "w")
    proc = subprocess.Popen([str(python), "-m", "anki.syncserver"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    d = harness.Driver(harness.newest())
    try:
        harness.wait_port(old.url, 60, proc)
        c = harness.Cl(d, "c", "")
        d.call("open", "c", path=str(tmp / ("device" + harness.newest()) / "collection.anki2"))
        c.set_url(old.url)
        c.set_hkey(user.keys[0])
        same("sync with the official server", c.sync_ok()["result"], "no_changes")
        harness.tick()
        c.add_note(["back", "again"])
        same("sync after a change", c.sync_ok()["result"], "normal")
        # it knows nothing of media that came meanwhile: the client sees that, says "Please sync again", and sends everything anew
        again = 0
        for _ in range(4):
            try:
                c.media_sync()
            except harness.ClientError as e:
                if "sync again" not in e.message:
                    raise
                again += 1
        d.call("open", "n", path=str(tmp / "fresh.anki2"))
        n = harness.Cl(d, "n", "")
        n.login(old.url, user.name, user.password)
        n.join()
        n.media_sync()
        same("notes of a new device", len(n.note_ids()), len(c.note_ids()))
        same("media of a new device", n.media(), c.media())
        return "back, %s: the official server goes on with %d notes and %d media files, after %d times \"Please sync again\"" % (
            tmp.name, len(n.note_ids()), len(n.media()), again)
    finally:
        d.stop()
        proc.kill()
        proc.wait()
        log.close()


def look(place, tmp):
    # the way back to the Python servers needs their password hashes
    old = Old(place, tmp, ANKISYNCD_KEEP_LEGACY_HASHES="yes")
    try:
        same("lsuser", old.run("lsuser").stdout.splitlines() if not place.env else [u.name for u in place.users], [u.name for u in place.users])
        old.start()
        keys = sum(check_user(old, u, tmp / ("check%d" % i)) for i, u in enumerate(place.users))
        said = []
        for v in sorted(harness.installed(), key=harness.vkey):
            # a client from before 2022 cannot open what the newest server left
            user = place.users[0]
            path, _ = old.original(user, tmp / ("look" + v))
            db = sqlite3.connect(path)
            schema = db.execute("select ver from col").fetchone()[0]
            db.close()
            if schema > 11 and harness.vkey(v) < (2, 1, 28):
                said.append("SKIP %s: its collections were schema 11" % v)
                continue
            said.append("%s: %s, then normal" % (v, device(old, user, v, tmp / ("device" + v))))
        old.stop()
        went_back = ""
        if not place.env:
            went_back = back_to_python(old)
            if place.sub == "." and place.name != "ankisyncd-rs":
                went_back += back_by_migration(old, tmp)
        elif harness.installed() and harness.newest() in harness.installed():
            went_back = back_to_official(old, place.users[0], tmp, True) + "\n     " + back_to_official(old, place.users[0], tmp, False)
        after = sorted(str(p.relative_to(old.dir)) for p in old.dir.rglob("*") if p.is_file())
        had = {str(p.relative_to(old.before)) for p in old.before.rglob("*") if p.is_file()}
        new = [p for p in after if p not in had]
        gone = sorted(had - set(after))
        print("ok   %s: %d users, %d old keys; devices %s" % (place.name, len(place.users), keys, "; ".join(said) or "none installed"))
        if went_back:
            print("     " + went_back)
        print("     new files: %s%s" % (", ".join(new), ("; gone: " + ", ".join(gone)) if gone else ""))
    finally:
        if old.proc is not None and old.proc.poll() is None:
            old.proc.kill()
            old.proc.wait()
        old.log.seek(0)
        old.said = old.log.read()
    return old


def main(tmp, words):
    tmp = pathlib.Path(tmp)
    failed, count = [], 0
    for place in PLACES:
        if words and not any(w in place.name for w in words):
            continue
        count += 1
        folder = tmp / place.name
        try:
            look(place, folder)
        except Exception as e:
            failed.append(place.name)
            print("FAILED %s: %s" % (place.name, "".join(traceback.format_exception_only(type(e), e)).strip()))
            print("       " + traceback.format_exc().splitlines()[-3].strip())
            for line in (folder / "server.log").read_text().splitlines()[-6:]:
                print("       | " + line[:300])
        shutil.rmtree(folder, ignore_errors=True)
    print("%d passed, %d failed" % (count - len(failed), len(failed)))
    return 1 if failed else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
