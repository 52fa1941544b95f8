"""The way out of a wrong click on "Upload", as docs/troubleshooting.md tells it, while the server runs."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402


def main(tmp):
    if not harness.installed():
        print("SKIP restore: no client is installed")
        return 0
    version = harness.installed()[0]
    server = harness.OwnServer(tmp, env={"ANKISYNCD_COLLECTION_IDLE_TIMEOUT": "1s"})
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

        def command(*args):
            return subprocess.run([*server.command, *args], env=server.env, cwd=tmp, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True).stdout

        lines = [line for line in command("snapshots", account.user).splitlines() if "upload" in line]
        assert len(lines) == 1, lines
        command("restore", "--yes", account.user, lines[0].split()[0])
        # "each device asks whether to download or to upload"
        for c in (good, wrong):
            if c.sync()["result"].startswith("full"):
                c.full_download()
        assert len(good.note_ids()) == 1 and good.sql("select flds from notes")[0][0].startswith("good")
        harness.assert_same(good, wrong)
        print("ok   restore: a wrong upload taken back (%s)" % version)
        return 0
    finally:
        farm.stop()
        server.stop()


with tempfile.TemporaryDirectory(dir=sys.argv[1]) as d:
    os.environ.setdefault("E2E_LOGS", d)
    sys.exit(main(d))
