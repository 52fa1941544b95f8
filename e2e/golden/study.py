"""Records days of study in Anki's own library into collection/testdata/study.

Run with the Python of an installed client (see ../README.md):

    python golden/study.py [output directory]

For each session it writes NAME.anki2.gz, the collection before, and
NAME.json.gz: which card came next with which counts and button labels, which
button was pressed when and which answers were taken back, and the cards, review
log, deck counters and tags in the end. `go test ./collection` plays the same
session. Two sessions are in time zones in which the day ends while they last,
so that they take a minute each.
"""

import gzip
import json
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from scheduling import Lab, W17, W19, W21, histories, save  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "collection", "testdata", "study")


def prepare(seed, fsrs, balanced, notes=220):
    lab = Lab(seed, fsrs, notes=notes)
    lab.set("loadBalancerEnabled", bool(balanced))
    for i, name in enumerate(lab.decks):
        lab.preset(name, new_per_day=40, reviews_per_day=60, bury_new=i % 2 == 0, bury_reviews=i % 3 == 0,
                   bury_interday_learning=i % 2 == 1, leech_threshold=4, leech_action=i % 2, review_order=i,
                   new_card_gather_priority=i)
    lab.preset("A", learn_steps=[1.0, 10.0], relearn_steps=[10.0], fsrs_params_6=W21 if fsrs else [])
    lab.preset("A::B", learn_steps=[0.5], relearn_steps=[], lapse_multiplier=0.5, fsrs_params_5=W19 if fsrs else [])
    lab.preset("A::B::C", learn_steps=[1.0, 10.0, 1440.0], relearn_steps=[5.0, 10.0], fsrs_params_4=W17 if fsrs else [],
               desired_retention=0.85)
    lab.preset("E", review_order=7)
    for name, search, resched in (("F", "deck:E is:new", True), ("G", "deck:A::D is:review", False)):
        d = lab.col.sched.get_or_create_filtered_deck(0)
        d.name = name
        d.config.reschedule = resched
        d.config.search_terms[0].search = search
        d.config.search_terms[0].limit = 15
        d.config.search_terms[0].order = 6
        lab.decks[name] = lab.col.sched.add_or_update_filtered_deck(d).id
    if balanced:
        # with easy days, some of them nearly free; siblings are kept apart where reviews are buried
        for name, days in (("A", [1, 0.5, 0, 1, 0.5, 0, 1]), ("A::B", [0, 1, 0.3, 1, 1, 0.5, 1]), ("E", [1, 1, 1, 1, 1, 0, 0])):
            lab.preset(name, easy_days_percentages=days)
        lab.preset("E", graduating_interval_good=5, graduating_interval_easy=9, bury_reviews=True)
    if fsrs:
        histories(lab, lab.rng)
    if balanced:
        crowd(lab)
    return lab


def crowd(lab):
    """Gives the days to come cards, some days more than others."""
    r = lab.rng
    for cid in lab.col.db.list("select id from cards where queue = 2 and id % 3 != 0 order by id"):
        lab.col.db.execute("update cards set due=? where id=?", lab.today + min(r.randint(0, 3) * r.randint(0, 12), 98), cid)
    for cid in lab.col.db.list("select id from cards where queue = 2 order by id"):
        lab.col.db.execute("update cards set ivl=? where id=?", r.randint(1, 40), cid)


def moment():
    """Waits for the first part of a second, so that all of a step is in one."""
    while time.time() % 1 > 0.8:
        time.sleep(0.02)
    return int(time.time() * 1000)


def late():
    """A time zone in which it is 3:58 or 3:59."""
    east = (4 * 3600 - 60 - time.time()) % 86400 // 60 + (time.time() % 60 > 30)
    east -= 1440 if east > 840 else 0
    return "XXX%s%02d:%02d" % ("-" if east >= 0 else "+", abs(east) // 60, abs(east) % 60)


def record(out, name, seed, fsrs, answers, balanced=False, undo=0, rollover=False, moved=None):
    from anki import scheduler_pb2
    lab = prepare(seed, fsrs, balanced)
    if moved is not None:  # the collection was made in another time zone
        lab.set("creationOffset", moved)
    path = lab.col.path
    lab.col.close(downgrade=False)
    with open(path, "rb") as f, open(os.path.join(out, name + ".anki2.gz"), "wb") as g:
        with gzip.GzipFile(fileobj=g, mode="wb", mtime=0, filename="") as z:
            z.write(f.read())
    from anki.collection import Collection
    col = lab.col = Collection(path)
    rng = random.Random(seed)
    decks = ["A", "A::B", "E", "A::D", "F", "G"]
    steps, start, i = [], moment(), 0
    next_day = col._backend.sched_timing_today().next_day_at
    assert not rollover or next_day - time.time() < 120, "the day is not about to end"
    col._backend.deck_tree(now=int(time.time()))
    while len(steps) < answers and i < 3000:
        if rollover and len(steps) == answers // 2:
            while time.time() < next_day:
                time.sleep(0.2)
        if i % 17 == 0:
            did = lab.decks[decks[(i // 17) % len(decks)]]
            col.decks.set_current(did)
        i += 1
        now = moment()
        q = col._backend.get_queued_cards(fetch_limit=1, intraday_learning_only=False)
        step = {"deck": did, "now": now, "counts": [q.new_count, q.learning_count, q.review_count]}
        steps.append(step)
        if not q.cards:
            i += 17 - i % 17
            continue
        c = q.cards[0]
        labels = col._backend.describe_next_states(c.states)
        rating = rng.choice([0, 1, 2, 2, 2, 3])
        nxt = [c.states.again, c.states.hard, c.states.good, c.states.easy][rating]
        taken = rng.choice([900, 5000, 70000])
        col._backend.answer_card(scheduler_pb2.CardAnswer(
            card_id=c.card.id, current_state=c.states.current, new_state=nxt, rating=rating, answered_at_millis=now,
            milliseconds_taken=taken))
        assert int(time.time()) == now // 1000, "a step took too long: record again"
        if undo and rng.randrange(undo) == 0:
            col.undo()
            step["undone"] = True
        step.update(card=c.card.id, queue=c.queue, labels=[x.replace("\u2068", "").replace("\u2069", "") for x in labels], rating=rating + 1, taken=taken)
    golden = {
        "start": start, "steps": steps,
        "cards": lab.rows(),
        "revlog": [list(r) for r in col.db.execute("select id,cid,ease,ivl,lastIvl,factor,time,type from revlog order by id")],
        "tags": [list(r) for r in col.db.execute("select id,tags from notes where tags != '' order by id")],
        "decks": lab.dump_decks(),
    }
    save(out, name, golden)
    print(name, len(steps), "steps", sum("card" in s for s in steps), "answers")


SESSIONS = {
    "sm2": (11, False, 230),
    "fsrs": (12, True, 230),
    "sm2-balanced": (13, False, 230, True),
    "fsrs-balanced": (14, True, 230, True),
    "sm2-undo": (17, False, 230, True, 5),
    "fsrs-undo": (18, True, 230, True, 5),
    "sm2-rollover": (15, False, 260, False, 0, True),
    "fsrs-rollover": (16, True, 260, False, 6, True, -330),
}


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    os.makedirs(out, exist_ok=True)
    if len(sys.argv) > 2:
        record(out, sys.argv[2], *SESSIONS[sys.argv[2]])
        return
    for name in SESSIONS:
        zone = late() if "rollover" in name else "UTC"
        subprocess.run([sys.executable, __file__, out, name], check=True, env=dict(os.environ, TZ=zone))


if __name__ == "__main__":
    main()
