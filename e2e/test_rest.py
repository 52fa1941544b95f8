"""The RESTful API beside real clients: what it changes, every device gets by an ordinary sync, and the other way round."""
import os
import time

import pytest

from harness import assert_same, check_database, installed, settle
from rest import Api, fields, rest, same_notes  # noqa: F401

pytestmark = pytest.mark.skipif("ANKI_SYNC_BINARY" not in os.environ, reason="ANKI_SYNC_BINARY is not set")

VERSIONS = ("26.9.3", "2.1.49")


@pytest.mark.parametrize("who", VERSIONS)
def test_changes_reach_clients(rest, mk, who):
    version = who
    if version not in installed():
        pytest.skip("no client " + version)
    acct = rest.account()
    a, b = mk(version, acct=acct), mk("26.9.3" if "26.9.3" in installed() else version, acct=acct)
    ids = [a.add_note(["front %d" % i, "back %d" % i], deck="Study", tags=["old"]) for i in range(8)]
    a.backdate()
    a.first_upload()
    b.join()
    api = Api(rest, acct.user)
    same_notes(api, a)
    # the API adds, edits, deletes, tags, and studies
    api("add_note", model="Basic", fields={"Front": "from the api", "Back": "x"}, tags="api new")
    api("note/%d/update" % ids[0], fields={"Front": "edited", "Back": "by the api"}, tags=["old", "edited"])
    api("note/%d/delete" % ids[1])
    api("note/%d/add_tags" % ids[2], tags=["added"])
    api("suspend_cards", ids=[a.card_ids(ids[3])[0]])
    api("select_deck", deck="Study")
    answered = []
    for _ in range(5):
        card = api("next_card", deck="Study")
        assert card, "nothing to study"
        answered.append(int(card["id"]))
        api("answer_card", id=card["id"], ease=2, timerStarted=time.time() - 3)
        api("reset_scheduler", deck="Study")
    # an ordinary sync brings all of it to every device, and nothing is left to mend
    for c in (a, b):
        assert c.sync_ok()["result"] == "normal"
    settle(a, b)
    d = assert_same(a, b)
    check_database(a, [version, "26.9.3"])
    check_database(b, [version, "26.9.3"])
    same_notes(api, a)
    texts = [n["flds"].split("\x1f")[0] for n in d["notes"].values()]
    assert "from the api" in texts and "edited" in texts and "front 1" not in texts
    assert {"api", "new", "added", "edited"} <= set(d["tags"])
    assert len(d["revlog"]) == 5 and {r["cid"] if isinstance(r, dict) else r[0] for r in d["revlog"].values()} <= set(answered)
    # and back: what a client does, the API shows
    n = a.add_note(["from the client", "y"], deck="Study")
    a.delete_notes([ids[4]])
    a.sync_ok()
    same_notes(api, a)
    assert n in fields(api) and ids[4] not in fields(api)


@pytest.mark.parametrize("who", VERSIONS)
def test_days_of_the_clients_time_zone(rest, mk, who):  # noqa: F811
    """Where the client is it is half past three at night: its day, which is that of the collection, ends at four, not when it does
    where the server is. What is due tomorrow is not yet due, and answers count from its day."""
    if who not in installed():
        pytest.skip("no client " + who)
    west = (int(time.time()) // 60 - 210) % 1440
    west -= 1440 if west > 720 else 0
    acct = rest.account()
    a = mk(who, acct=acct, env={"TZ": "XXX%+d:%02d" % (west // 60 if west >= 0 else -(-west // 60), abs(west) % 60)})
    a.sched_ver(3)
    a.deck_tree()  # writes down the time zone
    assert a.get_config("localOffset") == west
    cards = [a.card_ids(a.add_note(["front %d" % i, "back"], deck="Study"))[0] for i in range(6)]
    a.set_due(cards[:2], "0")
    a.set_due(cards[2:5], "1")
    a.backdate()
    a.first_upload()
    api = Api(rest, acct.user)
    shown = api("reset_scheduler", deck="Study")
    counts = a.counts("Study")
    assert counts == [shown["new_cards"], shown["learning_cards"], shown["review_cards"]] == [1, 0, 2]
    today = a.sql("select min(due) from cards where id in (%d, %d)" % tuple(cards[:2]))[0][0]
    for _ in range(3):
        card = api("next_card", buttons=4)
        days = card["answer_buttons"][3]["interval"] // 86400
        api("answer_card", id=card["id"], ease=4, buttons=4, timerStarted=time.time() - 2)
        after = api("card/%s" % card["id"])
        assert after["ivl"] == days and after["due"] == today + days
    settle(a)
    same_notes(api, a)
    assert a.counts("Study") == [0, 0, 0]
    check_database(a, [who])


def test_conflict_while_a_device_syncs(rest, mk):
    """A write waits for a running sync of the user, and is then refused; nothing is mixed up."""
    import urllib.error

    import wire

    acct = rest.account()
    w = wire.Wire(acct.url, 10)
    assert w.login(acct.user, acct.password).status == 200
    assert w.upload(wire.collection_11(notes=3)).text == "OK"
    api = Api(rest, acct.user)
    assert w.start(w.meta().json["usn"], True).status == 200
    with pytest.raises(urllib.error.HTTPError) as e:
        api("note/1500000000000/delete")
    assert e.value.code == 409
    assert w.call("abort").status == 200
    api("note/1500000000000/delete")
    assert len(api("find_notes", query="")) == 2
