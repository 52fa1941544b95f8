"""The wire habits of clients that cannot be installed here (2.0.x, early 2.1.x, AnkiDroid, misconfigured ones), said by hand.
The official server fails most of these: it is formally open to protocol 8, but no 2.0 client can use it (docs/protocol.md §9.13)."""
import gzip
import json

import pytest

import wire
from test_wire import filled, other, w, w10, w11  # noqa: F401
from wire import BOUNDARY, MID, Col, Wire, collection_11, multipart, zstd

OLD = "ankidesktop,2.0.33,lin:debian:12.11"
FORM = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY}
not_official = pytest.mark.reference_fails("the official server refuses this")


def old_client(account, cv=OLD):
    c = Wire(account.url, 8)
    c.client = cv
    assert c.login(account.user, account.password).status == 200
    return c


@not_official
def test_v8_first_contact(account):
    """A user without a collection is not refused for the scheduler of one that does not exist: the client may upload."""
    c = old_client(account)
    m = c.meta(v=8).json
    assert m["cont"] is True and m["msg"] == ""
    assert isinstance(m["musn"], int), "2.0.27 to 2.0.31 need musn"
    assert c.upload(collection_11()).text == "OK"
    m = c.meta(v=8).json
    assert m["cont"] is True and m["empty"] is False


@not_official
@pytest.mark.parametrize("cv", ["ankidesktop,2.0.27,lin:deb", OLD, "ankidesktop,2.1.11 (dev),lin:deb", "ankidesktop,2.1.26 (70784154),lin:deb"])
def test_notetype_ids_by_client(account, cv):
    """Text for desktop clients before 2.1.24, numbers for the others: in changes and in a downloaded file (§10)."""
    c = old_client(account, cv)
    assert c.upload(collection_11()).text == "OK"
    text = "2.1.26" not in cv
    want = str(MID) if text else MID
    m = c.meta(v=8).json
    assert c.start(0, True).status == 200
    models = c.changes().json["models"]
    assert [x["id"] for x in models] == [want], models
    assert all(isinstance(d["id"], int) for kind in c.call("applyChanges", {"changes": {"models": [], "decks": [[], []], "tags": []}}).json["decks"] for d in kind)
    c.meta(v=8)  # and ends it
    r = c.download(fields={"v": ",".join(cv.split(" (")[0].split(",")[:2]) + ",lin:deb"}, nodata=True)
    with Col(r.data) as col:
        models = json.loads(col.one("select models from col"))
        assert list(models) == [str(MID)]
        assert [x["id"] for x in models.values()] == [want]
        assert col.one("select ver from col") == 11
    assert m["cont"] is True
    # a current client has numbers all the same
    with Col(other(c, 11).download().data) as col:
        assert col.all("select id from notetypes") == [(MID,)]


@not_official
def test_unterminated_multipart(filled):
    """2.0.x writes no closing boundary when it sends no file."""
    body = multipart({"k": filled.hkey, "c": "1", "v": OLD})
    body = body[:body.rindex(b"--" + BOUNDARY.encode())]
    for path in ("sync/download", "/sync/download"):
        r = filled.http("POST", path, body, FORM)
        assert r.status == 200 and r.raw[:15] == b"SQLite format 3", r


@not_official
def test_several_zstd_frames(w11):
    payload = json.dumps({"v": 11, "cv": w11.client}).encode()
    r = w11.call("meta", body=zstd(payload[:7]) + zstd(payload[7:]))
    assert r.status == 200 and "usn" in r.json


def form(w, payload, **fields):
    return multipart(dict({"c": "1"}, **fields), gzip.compress(json.dumps(payload).encode()))


@not_official
@pytest.mark.parametrize("prefix", ["sync/", "/sync/", "sync//", "sync/sync/", "sync/msync/", "", "sync/sync//"])
def test_paths_of_misconfigured_clients(account, prefix):
    """hostKey wherever a wrongly set address lets it arrive; a POST is never redirected."""
    c = Wire(account.url, 10)
    for tail in ("hostKey", "hostKey/"):
        r = c.http("POST", prefix + tail, form(c, {"u": account.user, "p": account.password}), FORM)
        assert r.status == 200, (prefix + tail, r)
        assert json.loads(r.raw)["key"]
        r = c.http("POST", prefix + tail, form(c, {"u": account.user, "p": "wrong"}), FORM)
        assert r.status == 403, (prefix + tail, r)


@not_official
@pytest.mark.parametrize("path", ["sync/meta/", "//sync//meta", "/sync/meta"])
def test_doubled_and_trailing_slashes(w, path):
    payload = json.dumps({"v": w.version, "cv": w.client}).encode()
    if w.version >= 11:
        r = w.http("POST", path, zstd(payload), {"anki-sync": json.dumps(w.header())})
    else:
        r = w.http("POST", path, form(w, {"v": 10, "cv": w.client}, k=w.hkey, s=w.skey), FORM)
    assert r.status == 200, (path, r)


@not_official
@pytest.mark.parametrize("path", ["msync/begin", "/msync/begin", "msync//begin", "/msync//begin/"])
def test_media_begin_by_get(w10, path):
    """2.1.28 to 2.1.56 and AnkiDroid ask by GET; slashes as AnkiDroid's settings leave them."""
    r = w10.http("GET", "%s?k=%s&v=ankidroid,2.15,linux" % (path, w10.hkey))
    assert r.status == 200, (path, r)
    data = json.loads(r.raw)
    assert data["err"] == "" and data["data"]["usn"] == 0 and data["data"]["sk"]


def test_old_media_session_key(w10):
    """All media calls after begin carry only the session key that begin gave."""
    sk = w10.media_begin().json["data"]["sk"]
    z = wire.media_zip([("a.txt", b"a")], stored=False)
    r = w10.http("POST", "msync/uploadChanges", multipart({"sk": sk, "c": "0"}, z), FORM)
    assert json.loads(r.raw)["data"] == [1, 1], r
    r = w10.http("POST", "msync/mediaSanity", form(w10, {"local": 1}, sk=sk), FORM)
    assert json.loads(r.raw)["data"] == "OK", r


def test_chunk_of_2500_rows(filled):
    """2.0.27 to 2.0.30 send 2500 rows at once."""
    m = filled.meta().json
    filled.start(m["usn"], True)
    filled.changes()
    filled.chunks()
    cards = [wire.card_row(1_600_000_000_000 + i, 1_500_000_000_000, usn=m["usn"]) for i in range(2500)]
    assert filled.send(cards=cards).json is None
    n = 2500 + 3
    assert filled.sanity([[0, 0, 0], n, 3, 0, 0, 1, 1, 1]).json["status"] == "ok"
    assert filled.finish().status == 200


@not_official
def test_client_check_failed(filled):
    """A Python client whose own check failed sends a text: the answer is "bad", and nothing is kept."""
    m = filled.meta().json
    filled.start(m["usn"], True)
    filled.changes(tags=["gone"])
    filled.chunks()
    filled.send()
    r = filled.sanity("failed basic check")
    assert r.status == 200 and r.json["status"] == "bad", r
    n = filled.meta().json
    assert [n[k] for k in ("mod", "usn", "scm")] == [m[k] for k in ("mod", "usn", "scm")]
