"""The add-ons of deploy/addons, run by the old clients they are for: addons.py FOLDER URL CLIENTS. The account is me, secret."""
import pathlib
import subprocess
import sys
import tempfile

HEAD = "import sys, types\nsys.argv = ['anki']\n"

# what is not in a client's library: the window with the profile in it
AQT = "aqt = types.ModuleType('aqt'); aqt.mw = types.SimpleNamespace(pm=types.SimpleNamespace(profile={'hostNum': 7})); sys.modules['aqt'] = aqt\n"

LOGIN_PYTHON = """
from anki.hooks import runHook
runHook("profileLoaded")
assert aqt.mw.pm.profile["hostNum"] is None
from anki.sync import RemoteServer
key = RemoteServer(None, aqt.mw.pm.profile["hostNum"]).hostKey("me", "secret")
assert key and not RemoteServer(None, None).hostKey("me", "wrong")
print("logged in with", key[:4] + "...")
"""

LOGIN_RUST = """
import anki.collection
from anki.collection import Collection
col = Collection({path!r})
login = getattr(col, "sync_login", None) or (lambda u, p: col.backend.sync_login(username=u, password=p))
key = login("me", "secret").hkey
print("logged in with", key[:4] + "...")
"""

# no client of 2013 runs on a Python of today: what it would be set to
SEEN_2_0 = """
anki = types.ModuleType("anki"); anki.sync = types.ModuleType("anki.sync"); sys.modules.update({{"anki": anki, "anki.sync": anki.sync}})
{source}
assert anki.sync.SYNC_BASE == {url!r} + "/" and anki.sync.SYNC_MEDIA_BASE == {url!r} + "/msync/", vars(anki.sync)
print("SYNC_BASE", anki.sync.SYNC_BASE, "SYNC_MEDIA_BASE", anki.sync.SYNC_MEDIA_BASE)
"""


def run(what, python, code):
    p = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=120)
    print("%s: %s" % (what, (p.stdout.strip().splitlines() or ["nothing"])[-1] if p.returncode == 0 else "FAILED\n" + p.stderr[-2000:]))
    return p.returncode


def main(folder, url, clients):
    folder, clients = pathlib.Path(folder), pathlib.Path(clients)

    def source(name):
        text = (folder / name).read_text()
        changed = text.replace("http://localhost:27701/", url)  # also without the slash at its end
        assert changed != text
        return changed

    rc = run("2.0 (values only)", sys.executable, HEAD + SEEN_2_0.format(source=source("anki-2.0/ankisyncd.py"), url=url))
    cases = [(v, "anki-2.1.0-2.1.27/ankisyncd/__init__.py", AQT, LOGIN_PYTHON) for v in ("2.1.26",)]
    cases += [(v, "anki-2.1.28-2.1.56/ankisyncd/__init__.py", "", LOGIN_RUST) for v in ("2.1.28", "2.1.49", "2.1.56")]
    with tempfile.TemporaryDirectory() as tmp:
        for version, name, before, after in cases:
            python = clients / version / "bin" / "python"
            if not python.exists():
                print("SKIP %s: this client is not installed (e2e/setup.sh %s)" % (version, version))
                continue
            code = after.format(path="%s/%s.anki2" % (tmp, version)) if "{path" in after else after
            rc |= run(version, python, HEAD + before + source(name) + code)
    return rc


sys.exit(main(*sys.argv[1:4]))
