"""Records the upgrade of the first scheduler by Anki's own library into
collection/testdata/scheduler-upgrade.

Run with the Python of an installed client (see ../README.md):

    python golden/scheduler_upgrade.py [output directory]

It writes v1.anki2.gz, a collection of the first scheduler, and v1.json.gz, its
cards, review log and configuration after the upgrade. `go test ./collection`
upgrades the same collection.
"""

import gzip
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from scheduling import Lab, save  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "collection", "testdata", "scheduler-upgrade")


def first_scheduler():
    """Every state that a card of the first scheduler can be in, at home and in both kinds of filtered decks."""
    lab = Lab(31, False, notes=80)
    col = lab.col
    decks = {}
    for name, resched, steps in (("F", True, []), ("G", False, []), ("H", True, [1.0, 10.0, 20.0])):
        d = col.sched.get_or_create_filtered_deck(0)
        d.name, d.config.reschedule, d.allow_empty = name, resched, True
        d.config.search_terms[0].search = "tag:nothing"
        d.config.delays[:] = steps
        decks[name] = col.sched.add_or_update_filtered_deck(d).id
    now, day = 1600000000, lab.today
    states = []
    for kind in (0, 1, 2):
        for queue, due in ((0, 5), (1, now), (2, day), (3, day + 1), (-1, day), (-2, day)):
            states.append((kind, queue, due))
    cids = col.db.list("select id from cards order by id")
    for i, cid in enumerate(cids):
        kind, queue, due = states[i % len(states)]
        col.db.execute("update cards set type=?, queue=?, due=?, ivl=?, factor=2500, left=?, odue=0, odid=0 where id=?", kind, queue, due,
                       9 if kind == 2 else 0, 5005 if kind else 0, cid)
        home = i // len(states) % 4
        if home:
            col.db.execute("update cards set odid=did, odue=?, did=? where id=?", day + 3 if kind == 2 else 7, list(decks.values())[home - 1], cid)
        elif kind == 2 and queue in (1, 3):
            col.db.execute("update cards set odue=? where id=?", day + 2, cid)
        for ease in (1, 2, 3, 4):
            for n, type in enumerate((0, 1, 2, 3)):
                if i < 6:
                    col.db.execute("insert into revlog values (?,?,0,?,10,5,2500,900,?)", now * 1000 + i * 100 + ease * 10 + n, cid, ease, type)
    col.set_config("lastUnburied", day)  # so that buried cards stay so
    col.set_config("schedVer", 1)
    col.remove_config("creationOffset")
    col.remove_config("localOffset")
    return lab


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    os.makedirs(out, exist_ok=True)
    os.environ["TZ"] = "UTC"
    lab = first_scheduler()
    path = lab.col.path
    lab.col.close(downgrade=False)
    with open(path, "rb") as f, open(os.path.join(out, "v1.anki2.gz"), "wb") as g:
        with gzip.GzipFile(fileobj=g, mode="wb", mtime=0, filename="") as z:
            z.write(f.read())
    from anki.collection import Collection
    col = lab.col = Collection(path)
    scm = col.db.scalar("select scm from col")
    col._backend.upgrade_scheduler()
    assert col.db.scalar("select scm from col") != scm
    save(out, "v1", {
        "now": int(time.time()),
        "cards": lab.rows(),
        "revlog": [list(r) for r in col.db.execute("select id,cid,ease,ivl,lastIvl,factor,time,type from revlog order by id")],
        "schedVer": col.get_config("schedVer"), "creationOffset": col.get_config("creationOffset"),
    })
    print(col.card_count(), "cards", col.db.scalar("select count() from cards where type = 3"), "being learned again")


if __name__ == "__main__":
    main()
