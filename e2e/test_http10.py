"""A download that breaks off behind a proxy that speaks HTTP/1.0 to the server, as nginx does unless it is told otherwise: nobody takes it for a whole one."""
import os
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest

from harness import ClientError, OwnServer, _die_with_parent, free_port, wait_port

NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)
pytestmark = [
    pytest.mark.skipif("ANKI_SYNC_BINARY" not in os.environ, reason="ANKI_SYNC_BINARY is not set"),
    pytest.mark.skipif(NGINX is None, reason="no nginx"),
]


class Cutter:
    """Passes connections on to a port; of an answer to /sync/download only some bytes of its body, then the connection ends as that of a server that dies."""

    def __init__(self, port):
        self.port, self.keep, self.heads = port, None, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.here = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(c,), daemon=True).start()

    def _pass(self, c):
        s = socket.create_connection(("127.0.0.1", self.port))
        first = c.recv(1 << 16)
        s.sendall(first)
        cut = self.keep is not None and b" /sync/download " in first.split(b"\r\n")[0]
        threading.Thread(target=self._copy, args=(c, s), daemon=True).start()
        if not cut:
            return self._copy(s, c)
        got = b""
        while b"\r\n\r\n" not in got or len(got) - got.index(b"\r\n\r\n") - 4 < self.keep:
            part = s.recv(1 << 16)
            if not part:
                break
            got += part
        body = got.index(b"\r\n\r\n") + 4
        self.heads.append((first.split(b"\r\n")[0].decode(), got[:body].decode("latin-1")))
        c.sendall(got[: body + self.keep])
        for end in (c, s):  # close() alone says nothing while a thread reads from it
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side has gone already

    @staticmethod
    def _copy(a, b):
        try:
            while part := a.recv(1 << 16):
                b.sendall(part)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.listener.close()


@pytest.fixture
def behind(workdir):
    """A server whose accounts' clients come through nginx with its default protocol, and the cutter between the two."""
    server = OwnServer(workdir)
    cutter = Cutter(int(server.url.rsplit(":", 1)[1].strip("/")))
    home = tempfile.mkdtemp(prefix="nginx", dir=str(workdir))
    port = free_port()
    conf = os.path.join(home, "nginx.conf")
    with open(conf, "w") as f:
        f.write(
            """%(user)sdaemon off; pid %(home)s/pid; error_log %(home)s/error.log;
events { worker_connections 64; }
http {
    access_log off; client_max_body_size 0;
    client_body_temp_path %(home)s/b; proxy_temp_path %(home)s/p; fastcgi_temp_path %(home)s/f; uwsgi_temp_path %(home)s/u; scgi_temp_path %(home)s/s;
    server { listen 127.0.0.1:%(port)d; location / { proxy_pass http://127.0.0.1:%(to)d; proxy_http_version 1.0; proxy_set_header Host $http_host; } }
}
"""
            % {"user": "user root; " if os.geteuid() == 0 else "", "home": home, "port": port, "to": cutter.here}
        )
    proc = subprocess.Popen([NGINX, "-c", conf, "-p", home], stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
    server.url = "http://127.0.0.1:%d/" % port
    wait_port(server.url, 30, proc)
    yield server, cutter
    proc.terminate()
    proc.wait()
    cutter.stop()
    server.stop()


def test_cut_download(behind, mk, version):
    server, cutter = behind
    acct = server.account()
    a, b = mk(version, acct=acct), mk(version, acct=acct)
    for i in range(200):
        a.add_note(["front %d" % i, os.urandom(200).hex()])
    a.backdate()
    a.first_upload()
    mine = b.add_note(["only here", "x"])
    assert b.sync()["result"] == "full_sync"
    for keep in (0, 6, 1000, 20_000):
        cutter.keep = keep
        with pytest.raises(ClientError):
            b.full_download()
        assert b.note_ids() == [mine], "a download cut after %d bytes replaced the collection" % keep
    for request, head in cutter.heads:
        assert request.endswith("HTTP/1.0") and "content-length:" in head.lower()
    assert len(cutter.heads) >= 4
    cutter.keep = None
    b.full_download()
    assert len(b.note_ids()) == 200
