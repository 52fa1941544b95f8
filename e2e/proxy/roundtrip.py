"""A small whole life over TLS, with real clients: roundtrip.py URL VERSION…

Every client logs in, the first uploads, the others download, all add notes and media, and all end with the same. The authority in
$TLS_CA is made known as docs/tls.md says; without it every client must refuse the certificate. $ADDUSER makes the account, from
$USERNAME_ and $PASSWORD_."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

# Rust's TLS (2.1.28 and newer) reads the first, Python's requests (2.1.0 - 2.1.27) the second
AUTHORITY = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def refuses(version, url, folder):
    env = {k: v for k, v in os.environ.items() if k not in AUTHORITY}
    os.environ.clear()
    os.environ.update(env)
    d = harness.Driver(version)
    try:
        d.call("open", "x", path=str(folder / "stranger.anki2"))
        try:
            d.call("login", "x", url=url, username="tls", password="secret")
        except harness.ClientError as e:
            return e.message.strip().splitlines()[-1][:120]
        raise SystemExit("%s took a certificate of an unknown authority" % version)
    finally:
        d.stop()


def main(url, versions):
    versions = [v for v in versions if v in harness.installed()]
    if not versions:
        raise SystemExit("none of these clients is installed: run e2e/setup.sh")
    env = dict(os.environ, USERNAME_="tls", PASSWORD_="secret")
    subprocess.run([os.environ["ADDUSER"]], env=env, check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as tmp:
        root = pathlib.Path(tmp)
        for v in versions:
            (root / v).mkdir()
            print(v, "without the authority:", refuses(v, url, root / v))
        for name in AUTHORITY:
            os.environ[name] = os.environ["TLS_CA"]
        farm = harness.Farm(str(root / "farm"))
        try:
            clients = []
            for v in versions + [versions[0]]:
                c = farm.client(v)
                c.login(url, "tls", "secret")
                c.put_media("%d.txt" % len(clients), data="of %s" % v)
                if clients:
                    c.join()
                else:
                    c.add_note(["first", "note"])
                    c.first_upload()
                clients.append(c)
            for i, c in enumerate(clients):
                c.add_note(["from %d" % i, "x" * 100_000])
                harness.tick()
                c.sync_ok()
            harness.settle(*clients)
            harness.assert_same(*clients)
            for _ in range(2):
                for c in clients:
                    c.media_sync()
            assert all(c.media() == clients[0].media() for c in clients), [c.media() for c in clients]
            print("%d clients (%s) have the same %d notes and %d media files" % (
                len(clients), ", ".join(c.version for c in clients), len(clients[0].note_ids()), len(clients[0].media())))
        finally:
            farm.stop()


main(sys.argv[1], sys.argv[2:])
