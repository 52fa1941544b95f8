"""What people read when something is wrong: real clients against a server that answers with each status. The table in
docs/troubleshooting.md comes from here: messages.py [VERSION…]"""
import http.server
import json
import pathlib
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

STATUSES = [400, 403, 404, 409, 413, 426, 500, 501, 502, 503, 504]


class Wrong(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 200

    def do_POST(self):
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            while int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.readline()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<html>the page of a web server</html>"
        self.send_response(self.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *a):
        pass


def said(call):
    try:
        return "nothing: " + json.dumps(call())[:60]
    except harness.ClientError as e:
        lines = [line.strip() for line in e.message.replace("\u2068", "").replace("\u2069", "").splitlines() if line.strip()]
        return "%s%s" % (e.type if e.type not in ("SyncError", "NetworkError", "Exception", "SyncFailed") else "", " ".join(lines))[:170]


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, address):
        pass  # a client that went away


def main(versions):
    httpd = Server(("127.0.0.1", 0), Wrong)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d/" % httpd.server_address[1]
    for version in versions:
        d = harness.Driver(version)
        with tempfile.TemporaryDirectory() as tmp:
            d.call("open", "c", path=tmp + "/c.anki2")
            c = harness.Cl(d, "c", "")
            for status in STATUSES + [200]:
                Wrong.status = status
                print("%-7s %s login: %s" % (version, status, said(lambda: c.login(url, "me", "x"))))
                c.set_url(url)
                c.set_hkey("k" * 32)
                print("%-7s %s sync:  %s" % (version, status, said(c.sync)))
            nobody = "http://127.0.0.1:%d/" % harness.free_port()
            print("%-7s nobody listens: %s" % (version, said(lambda: c.login(nobody, "me", "x"))))
        d.stop()
    httpd.shutdown()


main(sys.argv[1:] or [v for v in ("26.9.3", "2.1.49", "2.1.26") if v in harness.installed()])
