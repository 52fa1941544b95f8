"""The RESTful API as the tests call it, and what it shows compared with what a client has."""
import json
import urllib.error
import urllib.request

import pytest

from harness import OwnServer, diff, free_port


@pytest.fixture
def rest(workdir):
    for attempt in range(3):  # another program may take a port that was free
        port = free_port()
        try:
            s = OwnServer(workdir, env={"ANKISYNCD_REST_PORT": str(port)})
            break
        except RuntimeError:
            if attempt == 2:
                raise
    s.rest = "http://127.0.0.1:%d" % port
    yield s
    s.stop()


class Api:
    def __init__(self, server, user):
        self.base = "%s/collection/%s/" % (server.rest, user)

    def __call__(self, op, **body):
        req = urllib.request.Request(self.base + op, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(req, timeout=60) as r:
                text = r.read().decode()
        except urllib.error.HTTPError as e:
            e.msg = "%s: %s" % (op, e.read().decode()[:200])
            raise
        return json.loads(text) if text else None


def fields(api):
    return {int(n["id"]): n["fields"] for n in api("find_notes", query="", preload=True)}


def of_client(c):
    return {int(k): n["flds"].split("\x1f") for k, n in c.dump()["notes"].items()}


def same_notes(api, c):
    """What the API shows is what the client has."""
    theirs = {i: sorted(f.values()) for i, f in fields(api).items()}
    ours = {i: sorted(f) for i, f in of_client(c).items()}
    assert theirs == ours


CARD = ("nid", "did", "ord", "mod", "type", "queue", "due", "ivl", "factor", "reps", "lapses", "left", "odue", "odid")


def same_collection(api, c):
    """same_notes(), and cards, reviews, decks and options, key for key where both have it."""
    same_notes(api, c)
    d = c.dump()
    shown = {str(x["id"]): {k: x[k] for k in CARD} for x in api("find_cards", query="", preload=True)}
    assert not diff(shown, {i: {k: x[k] for k in CARD} for i, x in d["cards"].items()}, "cards")
    log = api("latest_revlog", limit=10000)
    assert not diff(
        {str(r["id"]): (r["card_id"], r["ease"], r["interval"], r["last_interval"], r["factor"], r["time"], r["type"]) for r in log},
        {i: (r["cid"], r["ease"], r["ivl"], r["lastIvl"], r["factor"], r["time"], r["type"]) for i, r in d["revlog"].items()},
        "revlog",
    )
    decks = {str(x["id"]): x for x in api("list_decks")}
    assert set(decks) == set(d["decks"])
    for i, x in decks.items():
        keys = [k for k in x if k in d["decks"][i] and not k.endswith("Today") and k != "usn"]
        assert not diff({k: x[k] for k in keys}, {k: d["decks"][i][k] for k in keys}, x["name"])
        if x["dyn"]:
            continue
        conf = api("deck/%s/get_conf" % i)
        have = d["deck_config"][str(x["conf"])]
        keys = [k for k in conf if k in have and k != "usn"]
        assert {"new", "rev", "lapse", "name"} <= set(keys)
        assert not diff({k: conf[k] for k in keys}, {k: have[k] for k in keys}, "options " + conf["name"], common=True)
