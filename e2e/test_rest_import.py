"""Packages that the API imports, and a scheduler that it upgrades: devices get it by an ordinary sync, find nothing to mend,
study it, and send what they did back."""
import base64
import hashlib
import pathlib
import shutil
import tempfile
import time

import pytest

from harness import check_database, diff, installed, settle
from rest import Api, rest, same_collection  # noqa: F401

TOP = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = TOP / "api" / "testdata" / "imports"
NEWEST, OLD = "26.9.3", "2.1.36"  # the latter begins with the scheduler of 2006


@pytest.fixture(params=(NEWEST, "2.1.49"))
def who(request):
    if {request.param, NEWEST} - set(installed()):
        pytest.skip("no client " + request.param)
    return request.param


def copy_of(mk, c, version):
    """A client that never syncs, with what another one has."""
    c.reopen()
    folder = tempfile.mkdtemp(dir=pathlib.Path(c._path).parent)
    return mk(version, login=False, path=shutil.copy(c._path, folder))


def check_copy(mk, c, *versions):
    """Check Database in a copy: old ones ask for a full sync after it."""
    check_database(copy_of(mk, c, c.version), versions)


def snapshots(server, user):
    return [p.name for p in pathlib.Path(server.data, user).rglob("*") if "snapshot" in str(p) and p.is_file()]


@pytest.mark.parametrize("package", ("latest", "legacy", "clashing"))
def test_packages_reach_clients(rest, mk, who, package):  # noqa: F811
    acct = rest.account()
    a, b = mk(who, acct=acct), mk(NEWEST, acct=acct)
    a.sched_ver(3)
    if package == "clashing":  # "F" and "G" are filtered decks in the package, normal ones here; "A" is normal in both
        for name in ("F", "G", "A"):
            a.add_deck(name)
    own = [a.add_note(["own %d" % i, "back"], deck="Own") for i in range(4)]
    a.answer("Own", ease=3, count=2)
    a.backdate()
    a.first_upload()
    b.join()
    kept = len(snapshots(rest, acct.user))
    api = Api(rest, acct.user)
    data = base64.b64encode((PACKAGES / (package + ".apkg")).read_bytes()).decode()
    api("import_file", filetype="apkg", data=data)
    assert len(snapshots(rest, acct.user)) > kept, "the collection before the import is kept"
    # no notetype changes its shape by an import, so no device is asked for a full sync
    for c in (a, b):
        assert c.sync_ok()["result"] == "normal"
    settle(a, b)
    for c in (a, b):
        same_collection(api, c)
        check_copy(mk, c, who, NEWEST)
    settle(a, b)
    d = b.dump()
    assert len(d["notes"]) == len(own) + 40
    names = {x["name"]: x for x in d["decks"].values()}
    assert {"A::B::C", "A::D", "E", "F", "G"} <= set(names)
    lent = [x for x in d["cards"].values() if x["odid"]]
    assert len(lent) > 10 and len({x["did"] for x in lent}) == 2
    presets = {x["name"] for x in d["deck_config"].values()}
    assert {"preset A", "preset A::B", "preset E"} <= presets
    # a second import changes nothing, and devices have nothing to fetch
    a.sync_ok()  # b's sync, which had nothing to say, gave the collection a new time
    stamp = a.stamp()
    api("import_file", filetype="apkg", data=data)
    if package == "clashing":  # but that decks with other names are made once more, and stay empty, as in the client
        assert a.sync_ok()["result"] == "normal" and a.dump()["cards"] == d["cards"]
    else:
        assert a.sync_ok()["result"] == "no_changes" and a.stamp() == stamp
    # the client studies what came: in normal decks and in the filtered ones
    before = len(d["revlog"])
    filtered = sorted(x["name"] for x in d["decks"].values() if x["dyn"])
    done = a.answer("E", ease=3, count=3) + [i for name in filtered for i in a.answer(name, ease=3, count=1)]
    assert len(done) == 5
    a.sync_ok()
    same_collection(api, a)
    # and the API goes on where the client stopped
    api("reset_scheduler", deck=filtered[0])
    card = api("next_card", buttons=4)
    assert card, "nothing is left to study in " + filtered[0]
    api("answer_card", id=card["id"], ease=3, buttons=4, timerStarted=time.time() - 2)
    api("empty_dynamic_deck", name=filtered[1])
    settle(b, a)
    for c in (a, b):
        same_collection(api, c)
        check_copy(mk, c, who, NEWEST)
    assert len(b.dump()["revlog"]) == before + len(done) + 1
    for deck in ["A", "A::D", "E"] + filtered:
        shown = api("reset_scheduler", deck=deck)
        want = [shown[k] for k in ("new_cards", "learning_cards", "review_cards")]
        assert b.counts(deck) == want, deck  # 2.1.49 knows no limits of decks


def test_upgraded_scheduler_reaches_clients(rest, mk, who):  # noqa: F811
    if OLD not in installed():
        pytest.skip("no client " + OLD)
    acct = rest.account()
    src, a = mk(OLD, acct=acct), mk(who, acct=acct)
    assert src.get_config("schedVer") in (None, 1)
    ids = [src.add_note(["front %d" % i, "back"], deck="Study" if i % 2 else "Other") for i in range(24)]
    cards = [src.card_ids(i)[0] for i in ids]
    src.set_due(cards[:8], "0")
    for ease in (1, 2, 3):
        src.answer("Study", ease=ease, count=3)
    src.answer("Other", ease=1, count=2)
    src.make_filtered("Filtered", "deck:Other", limit=6)
    src.answer("Filtered", ease=1, count=2)
    src.suspend(cards[20:21])
    src.bury(cards[21:22])
    src.backdate()
    src.first_upload()
    a.join()
    api = Api(rest, acct.user)
    same_collection(api, a)
    theirs = copy_of(mk, a, NEWEST)  # upgrades by itself
    assert theirs.sched_ver(2) == 2
    kept = len(snapshots(rest, acct.user))
    assert api("upgrade_scheduler") == {"upgraded": True}
    assert len(snapshots(rest, acct.user)) > kept, "the collection before the upgrade is kept"
    assert api("upgrade_scheduler") == {"upgraded": False}
    # rows of reviews that exist are changed, which no ordinary sync carries: as after an upgrade in a client the user is asked
    # which side to keep, once
    assert a.sync()["result"] == "full_sync"
    a.full_download()
    assert a.get_config("schedVer") == 2
    same_collection(api, a)
    want, got = theirs.dump(), a.dump()
    for c in list(want["cards"].values()) + list(got["cards"].values()):
        c.update(mod=0, data=c["data"] or "{}")
    assert not diff(want["cards"], got["cards"], "cards") and not diff(want["revlog"], got["revlog"], "revlog")
    assert want["config"]["creationOffset"] == got["config"]["creationOffset"]
    check_copy(mk, a, OLD, who, NEWEST)
    assert a.sync_ok()["result"] == "no_changes"
    # from here on everything is ordinary: both study, and agree
    api("reset_scheduler", deck="Study")
    for ease in (3, 1):
        card = api("next_card", buttons=4)
        api("answer_card", id=card["id"], ease=ease, buttons=4, timerStarted=time.time() - 2)
    assert a.sync_ok()["result"] == "normal"
    same_collection(api, a)
    if who == NEWEST:
        a.sched_ver(3)
    before = len(a.dump()["revlog"])
    done = a.answer("Study", ease=3, count=3) + a.answer("Filtered", ease=3, count=1)
    assert len(done) == 4
    settle(a)
    same_collection(api, a)
    assert len(api("latest_revlog", limit=10000)) == before + 4
    check_copy(mk, a, OLD, who, NEWEST)


def test_media_of_packages(rest, mk, who):  # noqa: F811
    acct = rest.account()
    a = mk(who, acct=acct)
    a.add_note(["mine", '<img src="other.png">'])
    a.put_media("other.png", "my own picture")
    a.backdate()
    a.first_upload()
    a.media_sync()
    api = Api(rest, acct.user)
    api("import_file", filetype="apkg", data=base64.b64encode((PACKAGES / "media.apkg").read_bytes()).decode())
    assert a.sync_ok()["result"] == "normal"
    a.media_sync()
    same_collection(api, a)
    media = a.media()
    assert media["other.png"] == hashlib.sha1(b"my own picture").hexdigest()
    theirs = [name for name, sha in media.items() if sha == hashlib.sha1(b"theirs").hexdigest()]
    assert len(theirs) >= 6 and "unused.png" not in theirs
    fields = " ".join(n["flds"] for n in a.dump()["notes"].values())
    renamed = [name for name in theirs if name.startswith("other-")]
    assert renamed and all(name in fields for name in renamed)
