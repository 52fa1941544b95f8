"""A plugin for pytest: the harness's own proxy, which loses and cuts requests, below the path of the server it stands before."""
import urllib.parse

import harness

_init = harness.Proxy.__init__


def _below(self, target):
    _init(self, target)
    if urllib.parse.urlsplit(self.url).path in ("", "/"):
        self.url = self.url.rstrip("/") + self.target.path


harness.Proxy.__init__ = _below
