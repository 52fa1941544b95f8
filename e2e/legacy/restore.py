"""The way out of a wrong click on "Upload", as docs/troubleshooting.md tells it: stop, put the snapshot in place, start, download."""
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402


def main(tmp):
    if not harness.installed():
        print("SKIP restore: no client is installed")
        return 0
    version = harness.installed()[0]
    server = harness.OwnServer(tmp)
    if server.proc is None:
        server.start()
    farm = harness.Farm(str(pathlib.Path(tmp) / "farm"))
    try:
        account = server.account()
        good, wrong = farm.client(version), farm.client(version)
        for c in (good, wrong):
            c.login(account.url, account.user, account.password)
        good.add_note(["good", "1"])
        good.first_upload()
        wrong.add_note(["wrong", "1"])
        wrong.sync_full_wanted()
        wrong.full_upload()
        server.terminate()
        folder = pathlib.Path(server.data) / account.user
        snapshots = list((folder / "snapshots").iterdir())
        assert len(snapshots) == 1 and snapshots[0].name.endswith("-upload.anki2"), snapshots
        for name in ("collection.anki2-wal", "collection.anki2-shm"):
            (folder / name).unlink(missing_ok=True)
        shutil.copy(snapshots[0], folder / "collection.anki2")
        server.start()
        assert good.sync()["result"] == "no_changes"
        wrong.join()
        harness.assert_same(good, wrong)
        print("ok   restore: a wrong upload taken back (%s)" % version)
        return 0
    finally:
        farm.stop()
        server.stop()


with tempfile.TemporaryDirectory(dir=sys.argv[1]) as d:
    os.environ.setdefault("E2E_LOGS", d)
    sys.exit(main(d))
