"""What the API adds to AnkiServer's: it changes decks and cards as the client does, row for row, and devices get it by an ordinary sync."""
import hashlib
import json
import os
import urllib.error
import urllib.parse
import urllib.request

import pytest

import wire
from harness import assert_same, check_database, diff, installed, settle
from rest import Api, rest, same_collection  # noqa: F401

NEWEST = "26.9.3"
pytestmark = [
    pytest.mark.skipif("ANKI_SYNC_BINARY" not in os.environ, reason="ANKI_SYNC_BINARY is not set"),
    pytest.mark.skipif(NEWEST not in installed(), reason="no client " + NEWEST),
]


def rows(c):
    """Cards, reviews and decks of a client, without what says when something was done."""
    d = c.dump()
    names = {i: x["name"] for i, x in d["decks"].items()}
    names["0"] = ""
    cards = {}
    for i, x in d["cards"].items():
        x = {k: v for k, v in x.items() if k not in ("id", "mod", "usn")}
        x["did"], x["odid"] = names[str(x["did"])], names[str(x["odid"])]
        cards[i] = x
    log = sorted(str((r["cid"], r["ease"], r["ivl"], r["lastIvl"], r["factor"], r["type"])) for r in d["revlog"].values())
    decks = {x["name"]: [x["dyn"], x.get("desc"), x.get("md")] for x in d["decks"].values()}
    return {"cards": cards, "revlog": dict(enumerate(log)), "decks": decks, "notes": sorted(d["notes"])}


def all_kinds(a):
    """Cards of all kinds, by what they are; each change of the tests takes one of each kind."""
    kinds = {}

    def make(kind, change=None, count=6):
        kinds[kind] = [a.card_ids(a.add_note(["%s %d" % (kind, i), "back"], deck="Work::" + kind))[0] for i in range(count)]
        if change:
            change(kinds[kind])

    make("new")
    make("review", lambda ids: a.set_due(ids, "0-9"))
    make("learning", lambda ids: a.answer("Work::learning", ease=1, count=6))
    make("relearning", lambda ids: (a.set_due(ids, "0"), a.answer("Work::relearning", ease=1, count=6)))
    make("relearning-more", lambda ids: (a.set_due(ids, "0"), a.answer("Work::relearning-more", ease=1, count=6), a.answer("Work::relearning-more", ease=3, count=6)))
    make("suspended", lambda ids: (a.set_due(ids, "3"), a.suspend(ids)))
    make("buried", lambda ids: a.bury(ids))
    make("filtered", lambda ids: (a.set_due(ids, "20!"), a.make_filtered("Some of them", "deck:Work::filtered")))
    make("filtered-new", lambda ids: a.make_filtered("New of them", "deck:Work::filtered-new"))
    return kinds


@pytest.mark.parametrize("fsrs", ("off", "on", "late"))
def test_cards_change_as_in_the_client(rest, mk, fsrs):  # noqa: F811
    acct = rest.account()
    a, b = mk(NEWEST, acct=acct), mk(NEWEST, acct=acct)
    a.sched_ver(3)
    a.set_fsrs(fsrs == "on")
    kinds = all_kinds(a)
    a.set_fsrs(fsrs != "off")
    assert len(set(map(len, kinds.values()))) == 1
    a.add_deck("Other")
    a.backdate()
    a.first_upload()
    b.join()
    api = Api(rest, acct.user)

    def one(i):
        return [ids[i] for ids in kinds.values()]

    # b does the same by itself, before it hears of it
    assert api("move_cards", ids=one(0), deck="Other")["cards"] == len(kinds)
    b.move_cards(one(0), "Other")
    api("suspend_cards", ids=one(1))
    b.suspend(one(1))
    api("bury_cards", ids=one(2))
    b.bury(one(2))
    api("flag_cards", ids=one(2), flag=5)
    b.flag(one(2), 5)
    api("forget_cards", ids=one(3), restore_position=True)
    b.forget(one(3), restore_position=True)
    api("forget_cards", ids=one(3)[:2], reset_counts=True)
    b.forget(one(3)[:2], reset_counts=True)
    api("set_due_date", ids=one(4), days="5")
    b.set_due(one(4), "5")
    api("set_due_date", ids=one(5), days="8!")
    b.set_due(one(5), "8!")
    some = [kinds[k][1] for k in ("new", "learning", "suspended")]
    api("unsuspend_cards", ids=some)
    b.unsuspend(some)
    some = [kinds[k][2] for k in ("new", "learning", "buried", "filtered")]  # the client's call would also bring back what is suspended
    api("unbury_cards", ids=some)
    b.unbury(some)
    theirs = rows(b)
    # an ordinary sync brings it to every device
    assert a.sync_ok()["result"] == "normal"
    ours = rows(a)
    for what in ("cards", "revlog", "decks"):
        d = diff(ours[what], theirs[what], what)
        assert not d, "\n".join(d) + "\n" + str(kinds)
    same_collection(api, a)
    check_database(a, [NEWEST])
    settle(a)


def test_decks_change_as_in_the_client(rest, mk):  # noqa: F811
    acct = rest.account()
    a, b = mk(NEWEST, acct=acct), mk(NEWEST, acct=acct)
    a.sched_ver(3)
    kinds = all_kinds(a)
    a.add_deck("Other::Below")
    a.backdate()
    a.first_upload()
    b.join()
    api = Api(rest, acct.user)
    api("create_deck", name="Made::Here")
    b.add_deck("Made::Here")
    api("deck/Work::new/rename", name="Other::Renamed")
    b.rename_deck("Work::new", "Other::Renamed")
    api("deck/Other/rename", name="Another")
    b.rename_deck("Other", "Another")
    api("deck/Made/set_description", desc="what it *is*", md=True)
    b.edit_deck("Made", desc="what it *is*", md=True)
    api("deck/Work::review/delete")
    b.delete_deck("Work::review")
    api("deck/Some%20of%20them/delete")
    b.delete_deck("Some of them")
    api("deck/Work::filtered-new/delete")  # its cards are elsewhere
    b.delete_deck("Work::filtered-new")
    theirs = rows(b)
    assert a.sync_ok()["result"] == "normal"
    ours = rows(a)
    for what in ("cards", "decks"):
        assert not diff(ours[what], theirs[what], what)
    assert ours["notes"] == theirs["notes"] and len(ours["notes"]) == sum(map(len, kinds.values())) - 12
    same_collection(api, a)
    check_database(a, [NEWEST])

    def numbers(nodes):
        for n in nodes:
            yield n["name"], [n["new_cards"], n["learning_cards"], n["review_cards"]]
            yield from numbers(n["children"])

    theirs = a.tree_counts()
    shown = dict(numbers(api("deck_tree")))
    assert set(shown) == set(a.deck_names())
    for name, counts in shown.items():
        assert counts == theirs.get(name, [0, 0, 0]), name  # an empty Default is left out


def test_undone_answers(rest, mk):  # noqa: F811
    """An answer that no device has got is gone as if it had never been; one that a device has got stays in the log everywhere."""
    acct = rest.account()
    a, b = mk(NEWEST, acct=acct), mk(NEWEST, acct=acct)
    a.sched_ver(3)
    for i in range(3):
        a.add_note(["front %d" % i, "back"], deck="Study")
    a.backdate()
    a.first_upload()
    b.join()
    before = rows(b)
    api = Api(rest, acct.user)
    assert api("undo_answer") == {"undone": False}
    card = api("next_card", deck="Study")["id"]
    api("answer_card", id=card, ease=3)
    assert api("undo_answer") == {"undone": True, "card_id": card, "review_kept": False}
    a.sync_ok()
    assert rows(a) == before
    assert api("next_card", deck="Study")["id"] == card
    api("answer_card", id=card, ease=3)
    a.sync_ok()
    assert a.counts("Study")[0] == 2
    assert api("undo_answer") == {"undone": True, "card_id": card, "review_kept": True}
    settle(a, b)
    assert_same(a, b)
    assert rows(a)["cards"] == before["cards"] and len(rows(a)["revlog"]) == 1
    assert a.counts("Study")[0] == 3
    same_collection(api, a)
    check_database(a, [NEWEST])


def test_media(rest, mk):  # noqa: F811
    """What the API stores and deletes, devices get with their next sync of media, under the same names; and theirs can be fetched."""
    acct = rest.account()
    a = mk(NEWEST, acct=acct)
    a.add_note(['<img src="from the client.png">', "back"])
    a.put_media("from the client.png", data="pixels")
    a.put_media("gone.mp3", data="sound")
    a.backdate()
    a.first_upload()
    a.media_sync()
    api = Api(rest, acct.user)

    def file(method, name, data=None):
        req = urllib.request.Request(api.base + "media/" + urllib.parse.quote(name), data, method=method)
        with urllib.request.urlopen(req, timeout=60) as r:
            return r.read(), r.headers

    body, headers = file("GET", "from the client.png")
    assert body == b"pixels" and headers["Content-Type"] == "image/png"
    file("PUT", "from the API ü&.jpg", b"more pixels")
    file("PUT", "from the client.png", b"other pixels")
    api("media/gone.mp3/delete")
    a.media_sync()
    want = {"from the client.png": b"other pixels", "from the API ü&.jpg": b"more pixels"}
    assert a.media() == {name: hashlib.sha1(data).hexdigest() for name, data in want.items()}
    assert {f["name"]: (f["size"], f["sha1"]) for f in api("list_media")["files"]} == {
        name: (len(data), hashlib.sha1(data).hexdigest()) for name, data in want.items()
    }
    a.put_media("another.png", data="x")
    a.media_sync()
    assert [f["name"] for f in api("list_media")["files"]] == ["another.png", "from the API ü&.jpg", "from the client.png"]


def test_export_is_imported_by_the_client(rest, mk, workdir):  # noqa: F811
    acct = rest.account()
    a, b = mk(NEWEST, acct=acct), mk(NEWEST, login=False)
    a.sched_ver(3)
    all_kinds(a)
    a.add_note(['<img src="ü 1.png">', "back"], tags=["one", "two"])
    a.put_media("ü 1.png", data="pixels")
    a.put_media("sound.mp3", size=300_000)
    a.backdate()
    a.first_upload()
    a.media_sync()
    api = Api(rest, acct.user)
    req = urllib.request.Request(api.base + "export_file", b'{"filetype": "colpkg"}')
    path = os.path.join(str(workdir), "export.colpkg")
    with urllib.request.urlopen(req, timeout=60) as r, open(path, "wb") as f:
        f.write(r.read())
    b.add_note(["is replaced", "x"])
    b.import_colpkg(path)
    assert not diff(rows(b), rows(a), "import")
    assert b.media() == a.media() and len(b.media()) == 2
    check_database(b, [NEWEST])


def download(api, path, **body):
    req = urllib.request.Request(api.base + "export_file", json.dumps(body).encode())
    with urllib.request.urlopen(req, timeout=60) as r, open(path, "wb") as f:
        f.write(r.read())
    return path


def imported(c):
    """What an import has brought, without ids of decks and days."""
    d = c.dump()
    out = rows(c)
    out["decks"].pop("Default", None)
    out["notes"] = {n["guid"]: [n["flds"], " ".join(n["tags"].split())] for n in d["notes"].values()}
    for x in out["cards"].values():
        x["data"] = "" if x["data"] == "{}" else x["data"]
    return out


@pytest.mark.parametrize("scheduling", (False, True), ids=("new", "scheduling"))
@pytest.mark.parametrize("importer", (NEWEST, "2.1.66", "2.1.49", "2.1.28", "2.1.26"))
def test_notes_are_imported_as_from_the_client(rest, mk, workdir, importer, scheduling):  # noqa: F811
    """A package of the API and one that the client wrote of the same collection bring a client the same."""
    if importer not in installed():
        pytest.skip("no client " + importer)
    old = tuple(map(int, importer.split(".")[:3])) < (2, 1, 50)
    acct = rest.account()
    a = mk(NEWEST, acct=acct)
    a.sched_ver(3)
    kinds = all_kinds(a)
    if scheduling:  # the client leaves out what is lent to a deck elsewhere
        for name in ("Some of them", "New of them"):
            a.rename_deck(name, "Work::" + name)
    else:  # and makes normal decks of these
        for name in ("Some of them", "New of them"):
            a.delete_deck(name)
    a.add_note(['<img src="ü 1.png">', "[sound:a.mp3]"], deck="Work::media", tags=["one", "leech"])
    a.add_note(["{{c1::one}} {{c2::two}}", "x"], deck="Work::media", notetype="Cloze", tags=["Marked", "a::b"])
    a.add_note(["another deck", "x"], deck="Other")
    a.flag(kinds["review"][:2], 3)
    a.put_media("ü 1.png", data="pixels")
    a.put_media("a.mp3", size=300_000)
    a.put_media("unused.png", data="x")
    a.backdate()
    a.first_upload()
    a.media_sync()
    api = Api(rest, acct.user)
    before = a.stamp()
    want = {}
    options = {"scheduling": scheduling, "deck_options": scheduling, "legacy": old}
    for who in ("ours", "theirs"):
        path = os.path.join(str(workdir), who + ".apkg")
        if who == "ours":
            download(api, path, filetype="apkg", deck="Work", **options)
        else:
            a.export_apkg(path, deck="Work", **options)
        c = mk(importer, login=False)
        if old and scheduling and importer != "2.1.26":
            c.sched_ver(2)
        c.import_apkg(path)
        want[who] = imported(c)
        assert set(c.media()) == {"ü 1.png", "a.mp3"} and c.media() == {n: h for n, h in a.media().items() if n != "unused.png"}
        check_database(c, [importer])
    theirs, ours = want["theirs"], want["ours"]
    if not scheduling:
        for x in list(theirs["cards"].values()) + list(ours["cards"].values()):
            x.pop("left"), x.pop("data")  # the client leaves some of them
        assert all(x["type"] == x["queue"] == x["reps"] == x["flags"] == 0 for x in ours["cards"].values())
        assert not ours["revlog"] and not any("leech" in n[1] or "arked" in n[1] for n in ours["notes"].values())
    for what in theirs:
        d = diff(ours[what], theirs[what], what)
        assert not d, "\n".join(d)
    assert len(ours["cards"]) > 40 and "Other" not in ours["decks"]
    assert a.sync_ok()["result"] == "no_changes" and a.stamp() == before, "an export is no change"


def test_lent_cards_are_exported(rest, mk, workdir):  # noqa: F811
    """Cards that a filtered deck has borrowed are of the deck that they are at home in."""
    acct = rest.account()
    a, b = mk(NEWEST, acct=acct), mk(NEWEST, login=False)
    a.sched_ver(3)
    kinds = all_kinds(a)
    a.backdate()
    a.first_upload()
    api = Api(rest, acct.user)
    path = download(api, os.path.join(str(workdir), "lent.apkg"), filetype="apkg", deck="Work::filtered-new")
    b.import_apkg(path)
    got = rows(b)
    assert len(got["notes"]) == len(kinds["filtered-new"])
    assert {x["did"] for x in got["cards"].values()} == {"Work::filtered-new"} and not any(x["odid"] for x in got["cards"].values())
    path = download(api, os.path.join(str(workdir), "lent too.apkg"), filetype="apkg", deck="New of them", scheduling=True)
    c = mk(NEWEST, login=False)
    c.import_apkg(path)
    assert {(x["did"], x["odid"]) for x in rows(c)["cards"].values()} == {("New of them", "Work::filtered-new")}


def test_export_with_names_that_clients_change(rest, mk, workdir):  # noqa: F811
    """The client refuses the whole package for one such name; and it does not keep the names that cannot be stored by PUT."""
    acct = rest.account()
    a, b = mk(NEWEST, acct=acct), mk(NEWEST, login=False)
    a.add_note(["front", "back"])
    a.first_upload()
    w = wire.Wire(acct.url, 11)
    assert w.login(acct.user, acct.password).status == 200
    w.media_begin()
    names = ["a:b.jpg", "a?b.jpg", "ab.jpg", 'd"e', "[x].jpg", "CON.txt", "end.", "end ", "x\ny", "y" * 130 + ".jpg", ":", "n\ufffe.jpg", "\u00a0", "Thumbs.db"]
    assert w.media_upload(wire.media_zip([(name, name.encode()) for name in names])).status == 200
    api = Api(rest, acct.user)
    assert {f["name"] for f in api("list_media")["files"]} == set(names)
    req = urllib.request.Request(api.base + "export_file", b'{"filetype": "colpkg"}')
    path = os.path.join(str(workdir), "export.colpkg")
    with urllib.request.urlopen(req, timeout=60) as r, open(path, "wb") as f:
        f.write(r.read())
    b.import_colpkg(path)
    got = b.media()
    assert len(got) == len(names)
    assert sorted(got.values()) == sorted(hashlib.sha1(name.encode()).hexdigest() for name in names)
    for name, was in {"ab.jpg": "ab.jpg", "de": 'd"e', "x.jpg": "[x].jpg", "con_.txt": "CON.txt", "end._": "end.", "end _": "end ", "n.jpg": "n\ufffe.jpg", " _": "\u00a0"}.items():
        assert got[name] == hashlib.sha1(was.encode()).hexdigest(), name


def test_names_that_clients_delete(rest, mk):  # noqa: F811
    """A file that the API would not store is one that the client drops or renames by itself."""
    acct = rest.account()
    a = mk(NEWEST, acct=acct)
    a.add_note(["front", "back"])
    a.first_upload()
    w = wire.Wire(acct.url, 11)
    assert w.login(acct.user, acct.password).status == 200
    w.media_begin()
    names = ["Thumbs.db", "thumbs.db", ".DS_Store", "n\ufffe.jpg"]
    assert w.media_upload(wire.media_zip([(name, name.encode()) for name in names])).status == 200
    api = Api(rest, acct.user)
    for i in range(3):
        a.media_sync()
        a.put_media("another %d.png" % i, data="x")  # the client looks through its folder
    left = {f["name"] for f in api("list_media")["files"]}
    assert not left & set(names), left
    for name in names:
        with pytest.raises(urllib.error.HTTPError) as e:
            urllib.request.urlopen(urllib.request.Request(api.base + "media/" + urllib.parse.quote(name), b"x", method="PUT"), timeout=60)
        assert e.value.code == 400


def test_a_flag_is_no_answer(rest, mk):  # noqa: F811
    """A card that was answered on a device keeps that, though the API gave it a flag before the device synced."""
    acct = rest.account()
    a = mk(NEWEST, acct=acct)
    a.sched_ver(3)
    card = a.card_ids(a.add_note(["front", "back"], deck="Study"))[0]
    a.backdate()
    a.first_upload()
    assert a.answer("Study", ease=4) == [card]
    a.exec("update cards set mod = mod - 50")  # before the flag
    answered = rows(a)["cards"][str(card)]
    assert answered["type"] == 2
    api = Api(rest, acct.user)
    assert api("flag_cards", ids=[card], flag=3) == {"cards": 1}
    assert a.sync_ok()["result"] == "normal"
    assert rows(a)["cards"][str(card)] == answered
    same_collection(api, a)
    settle(a)
    check_database(a, [NEWEST])
