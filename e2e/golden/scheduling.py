"""Records what Anki's own library does into scheduling/testdata.

Run with the Python of an installed client (see ../README.md):

    python golden/scheduling.py [output directory]

It writes queues.json.gz (the order of study for one collection under many
settings, and the counts of the deck list), sessions.json.gz (days of answers,
one after the other), states.json.gz (buttons under random presets, memory from
histories), actions.json.gz (changes without an answer), moves.json.gz (the steps
that are left in another deck) and timing.json.gz (days under many clocks). `go test
./scheduling` reads them.
"""

import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "scheduling", "testdata")

COLUMNS = "id,nid,did,ord,mod,type,queue,due,ivl,factor,reps,lapses,left,odue,odid,flags,data"

W17 = [0.4, 0.6, 2.4, 5.8, 4.93, 0.94, 0.86, 0.01, 1.49, 0.14, 0.94, 2.18, 0.05, 0.34, 1.26, 0.29, 2.61]
W19 = [0.40255, 1.18385, 3.173, 15.69105, 7.1949, 0.5345, 1.4604, 0.0046, 1.54575, 0.1192, 1.01925, 1.9395, 0.11,
       0.29605, 2.2698, 0.2315, 2.9898, 0.51655, 0.6621]
W21 = [0.2172, 1.1771, 3.2602, 16.1507, 7.0114, 0.57, 2.0966, 0.0069, 1.5261, 0.112, 1.0178, 1.849, 0.1133, 0.3127,
       2.2934, 0.2191, 3.0004, 0.7536, 0.3332, 0.1437, 0.2]


def save(out, name, value):
    # no time stamp, so that the same recording makes the same file
    with open(os.path.join(out, name + ".json.gz"), "wb") as f:
        with gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
            z.write(json.dumps(value, separators=(",", ":")).encode())


class Lab:
    """A collection of five decks and some notes with two cards each."""

    def __init__(self, seed, fsrs=False, notes=60):
        from anki.collection import Collection
        self.dir = tempfile.TemporaryDirectory()
        self.col = Collection(os.path.join(self.dir.name, "c.anki2"))
        self.rng = random.Random(seed)
        self.col.db.execute("update col set crt = crt - 86400*1000")
        self.reopen()
        self.set("loadBalancerEnabled", False)
        self.set("fsrs", fsrs)
        self.presets = {}
        self.decks = {}
        for name in ["A", "A::B", "A::B::C", "A::D", "E"]:
            self.decks[name] = self.col.decks.id(name)
            self.presets[name] = self.col.decks.add_config_returning_id("preset " + name)
            d = self.col.decks.get(self.decks[name])
            d["conf"] = self.presets[name]
            self.col.decks.save(d)
        self.today = self.col._backend.sched_timing_today().days_elapsed
        self.fill(notes)

    def reopen(self):
        path = self.col.path
        self.col.close()
        from anki.collection import Collection
        self.col = Collection(path)

    def set(self, key, value):
        self.col.set_config(key, value)

    def fill(self, notes):
        nt = self.col.models.by_name("Basic (and reversed card)")
        names = list(self.decks)
        for i in range(notes):
            n = self.col.new_note(nt)
            n["Front"], n["Back"] = f"f{i}", f"b{i}"
            self.col.add_note(n, self.decks[names[i % 5]])
        # small, reproducible ids
        db = self.col.db
        for i, nid in enumerate(db.list("select id from notes order by id")):
            db.execute("update notes set id=? where id=?", 1001 + i, nid)
            db.execute("update cards set nid=? where nid=?", 1001 + i, nid)
        for i, cid in enumerate(db.list("select id from cards order by nid, ord")):
            db.execute("update cards set id=?, mod=? where id=?", 50001 + i * 7, 1700000000 + i * 13, cid)
        for cid in db.list("select id from cards order by id"):
            self.dress(cid)
        # cards of one note in different decks, and equal positions
        for i, cid in enumerate(db.list("select id from cards order by id")):
            if i % 9 == 4:
                db.execute("update cards set did=? where id=?", self.decks["A::D"], cid)
        db.execute("update cards set due = due / 3 where queue = 0")

    def dress(self, cid):
        r, db, today = self.rng, self.col.db, self.today
        kind = r.choice(["new", "new", "new", "review", "review", "review", "late", "learn", "day", "relearn", "suspended", "future"])
        ivl = r.randint(1, 90)
        factor = r.choice([1300, 1900, 2350, 2500, 2650])
        now = int(time.time())
        data = {}
        if kind != "new" and r.random() < 0.75:
            data = {"s": round(r.uniform(0.5, 90), 4), "d": round(r.uniform(1, 10), 3), "dr": r.choice([0.85, 0.9]),
                    "decay": r.choice([0.154, 0.5])}
            if r.random() < 0.7:
                data["lrt"] = now - ivl * 86400 - r.randint(0, 3000)
        row = None
        if kind in ("review", "late", "future", "suspended"):
            due = today - (r.randint(1, 30) if kind == "late" else r.randint(0, 3))
            if kind == "future":
                due = today + r.randint(1, 9)
            row = (2, -1 if kind == "suspended" else 2, due, ivl, factor, r.randint(1, 20), r.randint(0, 6), 0)
        elif kind == "learn":
            # one of them is due in the future, beyond learn-ahead
            due = now + r.choice([-90000, -4000, -500, 600, 900, 2000])
            row = (1, 1, due, 0, 0, r.randint(0, 3), 0, r.randint(1, 2))
        elif kind == "day":
            row = (1, 3, today - r.randint(0, 2), 0, 0, r.randint(1, 3), 0, 1)
        elif kind == "relearn":
            row = (3, r.choice([1, 3]), 0, ivl, factor, r.randint(2, 9), r.randint(1, 7), 1)
            row = row[:2] + ((now - r.randint(100, 900) if row[1] == 1 else today - r.randint(0, 2)),) + row[3:]
        if row:
            db.execute("update cards set type=?,queue=?,due=?,ivl=?,factor=?,reps=?,lapses=?,left=? where id=?", *row, cid)
            db.execute("update cards set data=? where id=?", json.dumps(data, separators=(",", ":")), cid)

    def blob(self, sql, *args):
        # the library's own connection passes no blobs
        return bytes.fromhex(self.col.db.scalar(sql, *args))

    def preset(self, name, **fields):
        """Changes a preset by writing its message."""
        from anki import deck_config_pb2
        raw = self.blob("select hex(config) from deck_config where id=?", self.presets[name])
        m = deck_config_pb2.DeckConfig.Config()
        m.ParseFromString(raw)
        for k, v in fields.items():
            if isinstance(v, list):
                getattr(m, k)[:] = v
            else:
                setattr(m, k, v)
        self.col.db.execute(f"update deck_config set config=x'{m.SerializeToString().hex()}' where id=?", self.presets[name])

    def deck(self, name, **fields):
        from anki import decks_pb2
        did = self.decks[name]
        common = self.blob("select hex(common) from decks where id=?", did)
        kind = self.blob("select hex(kind) from decks where id=?", did)
        c, k = decks_pb2.Deck.Common(), decks_pb2.Deck.KindContainer()
        c.ParseFromString(common)
        k.ParseFromString(kind)
        for key, v in fields.items():
            if key in ("review_limit", "new_limit", "desired_retention"):
                setattr(k.normal, key, v)
            elif key in ("review_limit_today", "new_limit_today"):
                m = getattr(k.normal, key)
                m.limit, m.today = v
            else:
                setattr(c, key, v)
        self.col.db.execute(f"update decks set common=x'{c.SerializeToString().hex()}', kind=x'{k.SerializeToString().hex()}' "
                            "where id=?", did)

    def dump_decks(self):
        """All decks in the order of their names, with the presets' messages."""
        import base64
        out = []
        from anki import decks_pb2

        def text(blob):
            return base64.b64encode(blob).decode()

        for did, name, common, kind in self.col.db.all("select id,name,hex(common),hex(kind) from decks order by name"):
            common, kind, conf = bytes.fromhex(common), bytes.fromhex(kind), None
            k = decks_pb2.Deck.KindContainer()
            k.ParseFromString(kind)
            if k.HasField("normal"):
                conf = text(self.blob("select hex(config) from deck_config where id=?", k.normal.config_id))
            out.append({"id": did, "name": name, "common": text(common), "kind": text(kind), "config": conf})
        return out

    def rows(self, where="1"):
        return [list(r) for r in self.col.db.execute(f"select {COLUMNS} from cards where {where} order by id")]

    def timing(self):
        t = self.col._backend.sched_timing_today()
        return {"now": int(time.time()), "today": t.days_elapsed, "next_day_at": t.next_day_at}

    def options(self):
        get = self.col.get_config
        return {"fsrs": bool(get("fsrs", False)), "withSteps": bool(get("fsrsShortTermWithStepsEnabled", False)),
                "ignore": bool(get("newCardsIgnoreReviewLimit", False)),
                "parents": bool(get("applyAllParentLimits", False)), "ahead": int(get("collapseTime", 1200))}

    def queue(self, name, label):
        """Records the queue of a deck under the present settings."""
        did = self.decks[name]
        self.col.decks.set_current(did)
        self.reopen()
        q = self.col._backend.get_queued_cards(fetch_limit=10000, intraday_learning_only=False)
        return {
            "label": label, "root": did, "timing": self.timing(), "options": self.options(), "decks": self.dump_decks(),
            "want": [[c.card.id, c.queue] for c in q.cards],
            "counts": [q.new_count, q.learning_count, q.review_count],
            "tree": self.tree(),
        }

    def tree(self):
        out = {}

        def walk(node):
            if node.deck_id:
                out[node.deck_id] = [node.new_count, node.learn_count, node.review_count]
            for c in node.children:
                walk(c)
        walk(self.col._backend.deck_tree(now=int(time.time())))
        return out


def record_queues():
    os.environ["TZ"] = "UTC"
    out = []
    for fsrs in (False, True):
        lab = Lab(7, fsrs)
        cases = []
        for name in lab.decks:
            lab.preset(name, new_per_day=9000, reviews_per_day=9000)
        for order in range(13):
            lab.preset("A", review_order=order)
            cases.append(lab.queue("A", f"review order {order}"))
        lab.preset("A", review_order=0)
        if not fsrs:
            for gather in range(6):
                for sort in range(5):
                    lab.preset("A", new_card_gather_priority=gather, new_card_sort_order=sort, new_per_day=13)
                    lab.preset("A::B", new_per_day=6)
                    cases.append(lab.queue("A", f"gather {gather} sort {sort}"))
            lab.preset("A", new_card_gather_priority=0, new_card_sort_order=0, new_per_day=9000)
            lab.preset("A::B", new_per_day=9000)
            for mix in range(3):
                for day in range(3):
                    lab.preset("A", new_mix=mix, interday_learning_mix=day)
                    cases.append(lab.queue("A", f"mix {mix} {day}"))
            lab.preset("A", new_mix=0, interday_learning_mix=0)
            bury(lab, cases)
            limits(lab, cases)
        cards = lab.rows()
        if not fsrs:
            filtered(lab, cases)
        out.append({"cards": cards, "cases": cases})
    return out


def bury(lab, cases):
    for bits in range(8):
        flags = {"bury_new": bool(bits & 1), "bury_reviews": bool(bits & 2), "bury_interday_learning": bool(bits & 4)}
        for name in lab.decks:
            lab.preset(name, **flags)
        cases.append(lab.queue("A", f"bury {bits}"))
    for name in lab.decks:
        lab.preset(name, bury_new=False, bury_reviews=False, bury_interday_learning=False)
    lab.preset("A::D", bury_new=True, bury_reviews=True, bury_interday_learning=True)
    cases.append(lab.queue("A", "bury in one deck"))
    lab.preset("A::D", bury_new=False, bury_reviews=False, bury_interday_learning=False)


def limits(lab, cases):
    def case(root, label):
        cases.append(lab.queue(root, label))
    lab.preset("A", new_per_day=5, reviews_per_day=12)
    case("A", "limits of the root")
    lab.preset("A", new_per_day=9, reviews_per_day=20)
    lab.preset("A::B", new_per_day=3, reviews_per_day=4)
    lab.preset("A::B::C", new_per_day=20, reviews_per_day=20)
    lab.preset("A::D", new_per_day=2, reviews_per_day=3)
    case("A", "limits of children")
    case("A::B", "limits of a child as root")
    lab.set("applyAllParentLimits", True)
    lab.preset("A", new_per_day=1, reviews_per_day=2)
    case("A::B", "limits of parents")
    case("A::B::C", "limits of grandparents")
    lab.set("applyAllParentLimits", False)
    case("A::B", "limits of parents off")
    lab.preset("A", new_per_day=9, reviews_per_day=8)
    lab.set("newCardsIgnoreReviewLimit", True)
    case("A", "ignore review limit")
    lab.set("newCardsIgnoreReviewLimit", False)
    case("A", "do not ignore review limit")
    lab.deck("A", last_day_studied=lab.today, new_studied=3, review_studied=2)
    lab.deck("A::D", last_day_studied=lab.today - 1, new_studied=300, review_studied=200)
    case("A", "studied today")
    lab.deck("A", last_day_studied=lab.today, new_studied=-4, review_studied=-5)
    case("A", "extended today")
    lab.deck("A", last_day_studied=0, new_studied=0, review_studied=0, review_limit=30, new_limit=11)
    lab.deck("A::B", review_limit=0)
    case("A", "limits of decks")
    lab.deck("A", review_limit_today=(7, lab.today), new_limit_today=(2, lab.today))
    lab.deck("A::B", review_limit_today=(7, lab.today - 1))
    case("A", "limits of today")
    lab.preset("E", new_per_day=0, reviews_per_day=3)
    case("E", "another root")


def filtered(lab, cases):
    d = lab.col.sched.get_or_create_filtered_deck(0)
    d.name = "A::F"
    d.config.search_terms[0].search = "deck:E"
    d.config.search_terms[0].limit = 12
    lab.decks["A::F"] = lab.col.sched.add_or_update_filtered_deck(d).id
    lab.col.db.execute("update cards set mod = 1700000000 + id where odid != 0")
    c = lab.queue("A::F", "filtered deck")
    c["cards"] = lab.rows()
    cases.append(c)
    c = lab.queue("A", "filtered deck as child")
    c["cards"] = lab.rows()
    cases.append(c)


def record_session(seed, fsrs, answers=200):
    os.environ["TZ"] = "UTC"
    lab = Lab(seed, fsrs, notes=260)
    rng = random.Random(seed)
    for i, name in enumerate(lab.decks):
        lab.preset(name, new_per_day=90, reviews_per_day=140, bury_new=i % 2 == 0, bury_reviews=i % 3 == 0,
                   bury_interday_learning=i % 2 == 1, leech_threshold=4, leech_action=i % 2)
    lab.preset("A", learn_steps=[1.0, 10.0], relearn_steps=[10.0], fsrs_params_6=W21 if fsrs else [])
    lab.preset("A::B", learn_steps=[0.5], relearn_steps=[], lapse_multiplier=0.5, fsrs_params_5=W19 if fsrs else [])
    lab.preset("A::B::C", learn_steps=[1.0, 10.0, 1440.0], relearn_steps=[5.0, 10.0], fsrs_params_4=W17 if fsrs else [],
               desired_retention=0.85)
    lab.preset("A::D", learn_steps=[] if fsrs else [2.0], relearn_steps=[] if fsrs else [3.0])
    if fsrs:
        lab.deck("A::D", desired_retention=0.95)
    revlog = histories(lab, rng) if fsrs else []
    did = lab.decks["A"]
    lab.col.decks.set_current(did)
    lab.reopen()
    out = {"root": did, "timing": lab.timing(), "options": lab.options(), "decks": lab.dump_decks(),
           "cards": lab.rows(), "revlog": revlog, "steps": []}
    from anki.scheduler_pb2 import CardAnswer
    b = lab.col._backend
    for _ in range(answers):
        built = int(time.time())
        q = b.get_queued_cards(fetch_limit=1, intraday_learning_only=False)
        if not q.cards:
            break
        top = q.cards[0]
        labels = list(b.describe_next_states(top.states))
        rating = rng.choice([1, 2, 3, 3, 3, 4])
        s = top.states
        taken = rng.randint(300, 70000)
        answered = int(time.time() * 1000)
        b.answer_card(CardAnswer(
            card_id=top.card.id, current_state=s.current, new_state=[s.again, s.hard, s.good, s.easy][rating - 1],
            rating=rating - 1, answered_at_millis=answered, milliseconds_taken=taken))
        row = lab.rows(f"id={top.card.id}")[0]
        entry = lab.col.db.first("select id,cid,ease,ivl,lastIvl,factor,time,type from revlog order by rowid desc limit 1")
        out["steps"].append({
            "now": built, "card": top.card.id, "kind": top.queue, "counts": [q.new_count, q.learning_count, q.review_count],
            "labels": [x.replace("\u2068", "").replace("\u2069", "") for x in labels], "rating": rating, "answered": answered,
            "taken": taken, "after": row, "revlog": list(entry)})
    out["final"] = lab.rows()
    out["finalDecks"] = lab.dump_decks()
    out["leeches"] = lab.col.db.list("select id from notes where tags like '% leech %' order by id")
    return out


def histories(lab, rng):
    """Review logs for the cards that do not say how well they are remembered."""
    now = int(time.time())
    out, eid = [], 0
    for cid, data in lab.col.db.all("select id, data from cards where type != 0 order by id"):
        if "lrt" in data and rng.random() < 0.8:
            continue
        if rng.random() < 0.3:
            continue
        day = rng.randint(20, 60)
        shape = rng.choice(["full", "full", "cut", "reset", "relearn", "cram"])
        kinds = {"full": [0, 0, 1, 1, 2, 1], "cut": [1, 1, 2, 1], "reset": [0, 1, 4, 0, 1], "relearn": [1, 0, 1],
                 "cram": [0, 1, 3, 1]}[shape]
        for kind in kinds:
            eid += 1
            ease = 0 if kind == 4 else rng.randint(1, 4)
            factor = 0 if kind in (0, 3, 4) else rng.choice([2500, 2100, 640])
            ivl = rng.choice([-600, -60]) if kind in (0, 2) else rng.randint(1, 20)
            row = [(now - day * 86400) * 1000 + eid, cid, ease, ivl, 1, factor, 1000, kind]
            lab.col.db.execute("insert into revlog values (?,?,0,?,?,?,?,?,?)", *row)
            out.append(row)
            day -= rng.choice([0, 1, 2, 5])
            if day < 1:
                break
    return out


def record_actions():
    os.environ["TZ"] = "UTC"
    out = []
    for fsrs in (False, True):
        for seed in (11, 12):
            lab = Lab(seed, fsrs)
            d = lab.col.sched.get_or_create_filtered_deck(0)
            d.name = "F"
            d.config.search_terms[0].search = "deck:E"
            d.config.search_terms[0].limit = 14
            lab.decks["F"] = lab.col.sched.add_or_update_filtered_deck(d).id
            out.extend(actions(lab, fsrs))
    out.append(filters())
    return {"actions": out[:-1], "filters": out[-1]}


def actions(lab, fsrs):
    from anki.scheduler_pb2 import ScheduleCardsAsNewRequest
    col, out = lab.col, []
    b = col._backend
    ids = col.db.list("select id from cards order by id")

    def do(op, args, run):
        picked = lab.rng.sample(ids, 25)
        picked.sort()
        before = lab.rows(f"id in ({','.join(map(str, picked))})")
        last = col.db.scalar("select ifnull(max(rowid),0) from revlog") or 0
        position = col.get_config("nextPos")
        t = lab.timing()
        run(picked)
        log = [list(r) for r in col.db.execute("select id,cid,ease,ivl,lastIvl,factor,time,type from revlog where id > ? order by cid", last)]
        changed = {r[0]: r for r in lab.rows()}
        out.append({"op": op, "args": args, "fsrs": fsrs, "timing": t, "position": position, "before": before,
                    "after": [changed[r[0]] for r in before], "revlog": log, "nextPos": col.get_config("nextPos")})

    for text in ["0", "3", "7-7", "0!", "5!", "12-12!"]:
        do("due", text, lambda c, text=text: col.sched.set_due_date(c, text))
    for restore in (False, True):
        for reset in (False, True):
            do("forget", [restore, reset], lambda c: b.schedule_cards_as_new(ScheduleCardsAsNewRequest(
                card_ids=c, log=True, restore_position=restore, reset_counts=reset, context=ScheduleCardsAsNewRequest.BROWSER)))
    do("suspend", None, lambda c: col.sched.suspend_cards(c))
    do("bury", True, lambda c: col.sched.bury_cards(c, manual=True))
    do("bury", False, lambda c: col.sched.bury_cards(c, manual=False))
    do("restore", None, lambda c: b.restore_buried_and_suspended_cards(c))
    do("flag", 5, lambda c: col.set_user_flag_for_cards(5, c))
    do("flag", 0, lambda c: col.set_user_flag_for_cards(0, c))
    do("position", [100, 3], lambda c: col.sched.reposition_new_cards(
        c, starting_from=100, step_size=3, randomize=False, shift_existing=False))
    return out


def filters():
    out = []
    for fsrs in (False, True):
        lab = Lab(21, fsrs)
        before = lab.rows()
        revlog = histories(lab, random.Random(3))
        d = lab.col.sched.get_or_create_filtered_deck(0)
        for order in range(11):
            if order == 1 or not fsrs and order in (8, 9):
                continue  # random; a syntax error in the library
            for reschedule in (True, False):
                d.name = "F"
                d.config.reschedule = reschedule
                d.config.search_terms[0].search = "deck:A"
                d.config.search_terms[0].limit = 17
                d.config.search_terms[0].order = order
                del d.config.search_terms[1:]
                t = lab.timing()
                d.id = lab.col.sched.add_or_update_filtered_deck(d).id
                built = [list(r) for r in lab.col.db.execute(
                    "select id,did,odid,queue,due,odue from cards where odid != 0 order by due, id")]
                lab.col.sched.empty_filtered_deck(d.id)
                home = [list(r) for r in lab.col.db.execute("select id,did,odid,queue,due,odue from cards order by id")]
                # the hash that breaks ties depends on the time of change
                for r in before:
                    lab.col.db.execute("update cards set mod=?, queue=?, due=? where id=?", r[4], r[6], r[7], r[0])
                out.append({"order": order, "reschedule": reschedule, "fsrs": fsrs, "timing": t, "deck": d.id,
                            "a": [lab.decks[n] for n in ("A", "A::B", "A::B::C", "A::D")], "built": built,
                            "home": home if order < 2 else None})
        out.append({"cards": before, "revlog": revlog, "fsrs": fsrs})
    return out


def record_moves():
    """What a learning card has left in a deck with other steps: kind, steps there and here, and left before and after."""
    lab = Lab(41, notes=5)
    cid, rng, out = 50001, random.Random(3), []
    pairs = [([1, 10], [1, 10]), ([1, 10], []), ([], [1, 10]), ([10], [10, 20]), ([1], [1, 10, 100]), ([5, 5], [5, 5, 5]),
             ([1, 5, 10, 30], [1, 10]), ([0.5, 10], [1, 20]), ([1, 10, 60, 1440], [5, 70]), ([10, 1], [20, 5, 1])]
    for _ in range(20):
        pairs.append([[rng.choice([0.5, 1, 5, 10, 60, 1440]) for _ in range(rng.randint(0, 4))] for _ in range(2)])
    for kind, steps in ((1, "learn_steps"), (3, "relearn_steps")):
        for here, there in pairs:
            lab.preset("A", **{steps: [float(x) for x in here]})
            lab.preset("E", **{steps: [float(x) for x in there]})
            lab.reopen()
            for left in (0, 1, 2, 3, 4, 5, 1001, 1002, 2002, 2003, 3004):
                lab.col.db.execute("update cards set did = ?, type = ?, queue = 1, due = 1900000000, left = ? where id = ?",
                                   lab.decks["A"], kind, left, cid)
                lab.col.set_deck([cid], lab.decks["E"])
                out.append([kind, here, there, left, lab.col.db.scalar("select left from cards where id = ?", cid)])
    return out


def record_states():
    """The buttons of many cards under random presets, and memory states from histories."""
    from google.protobuf.json_format import MessageToDict
    os.environ["TZ"] = "UTC"
    out = []
    for seed in range(30, 38):
        fsrs = seed % 2 == 1
        lab = Lab(seed, fsrs)
        rng = random.Random(seed)
        lab.set("fsrsShortTermWithStepsEnabled", seed % 4 == 3)
        steps = [[], [0.3], [1.0], [1.0, 10.0], [10.0, 1440.0, 4000.0], [1500.0]]
        for i, name in enumerate(lab.decks):
            lab.preset(name, learn_steps=rng.choice(steps), relearn_steps=rng.choice(steps),
                       initial_ease=rng.uniform(1.31, 4), hard_multiplier=rng.uniform(0.6, 1.3),
                       easy_multiplier=rng.uniform(1, 3), interval_multiplier=rng.uniform(0.5, 2),
                       lapse_multiplier=rng.uniform(0, 1), minimum_lapse_interval=rng.randint(1, 5),
                       graduating_interval_good=rng.randint(1, 20), graduating_interval_easy=rng.randint(1, 40),
                       maximum_review_interval=rng.choice([36500, 60]), desired_retention=rng.uniform(0.7, 0.99),
                       historical_retention=rng.uniform(0.7, 0.97), leech_threshold=rng.randint(1, 8),
                       ignore_revlogs_before_date="" if i % 2 else time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400 * 25)))
            lab.preset(name, **{"fsrs_params_" + "465"[i % 3]: [round(w * rng.uniform(0.8, 1.2), 4) for w in (W17, W21, W19)[i % 3]]})
        revlog = histories(lab, rng)
        lab.reopen()
        b = lab.col._backend
        cards, memory = [], []
        for row in lab.rows():
            now = int(time.time())
            states = b.get_scheduling_states(row[0])
            labels = [x.replace("\u2068", "").replace("\u2069", "") for x in b.describe_next_states(states)]
            if int(time.time()) == now:
                d = MessageToDict(states, preserving_proto_field_name=True)
                cards.append([row, now, [d[k] for k in ("current", "again", "hard", "good", "easy")], labels])
            if fsrs and row[5] != 0:
                m = b.compute_memory_state(row[0])
                memory.append([row[0], [m.state.stability, m.state.difficulty] if m.HasField("state") else None, m.decay])
        out.append({"timing": lab.timing(), "options": lab.options(), "decks": lab.dump_decks(), "cards": cards,
                    "revlog": revlog, "memory": memory})
    return out


def record_timing_here():
    """Days for the time zone of this process, with the real clock."""
    from anki.collection import Collection
    out = []
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "c.anki2")
        col = Collection(path)
        crt = col.db.scalar("select crt from col")
        for back in (0, 1, 33, 400):
            for shift in (0, 5 * 3600 + 17, -4 * 3600):
                for hour in (0, 4, 12, 23, int(time.strftime("%H")), (int(time.strftime("%H")) + 1) % 24):
                    for creation in (None, 0, 480, -660, -330, 300):
                        c = crt - back * 86400 + shift
                        col.db.execute("update col set crt=?", c)
                        col.set_config("rollover", hour)
                        if creation is None:
                            col.remove_config("creationOffset")
                        else:
                            col.set_config("creationOffset", creation)
                        col.close()
                        col = Collection(path)
                        now = int(time.time())
                        t = col._backend.sched_timing_today()
                        if int(time.time()) != now:
                            continue
                        out.append([c, creation, col.get_config("localOffset"), hour, now, t.days_elapsed, t.next_day_at])
        col.close()
    return out


def child(job, **env):
    return json.loads(subprocess.run([sys.executable, __file__, "--job", job], check=True, stdout=subprocess.PIPE,
                                     env={k: v for k, v in os.environ.items() if k != "ANKI_TEST_MODE"} | env).stdout)


JOBS = {
    "queues": record_queues,
    "actions": record_actions,
    "moves": record_moves,
    "states": record_states,
    "timing": record_timing_here,
    "sm2": lambda: record_session(5, False),
    "fsrs": lambda: record_session(6, True),
}


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--job":
        value = JOBS[sys.argv[2]]()
        json.dump(value, sys.stdout)
        return
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    os.makedirs(out, exist_ok=True)
    save(out, "queues", child("queues", ANKI_TEST_MODE="1", TZ="UTC"))
    save(out, "actions", child("actions", ANKI_TEST_MODE="1", TZ="UTC"))
    save(out, "moves", child("moves", TZ="UTC"))
    save(out, "sessions", {"exact": [child("sm2", ANKI_TEST_MODE="1", TZ="UTC"), child("fsrs", ANKI_TEST_MODE="1", TZ="UTC")],
                           "fuzzed": [child("sm2", TZ="UTC"), child("fsrs", TZ="UTC")]})
    save(out, "states", child("states", TZ="UTC"))
    zones = ["UTC", "Australia/Sydney", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
    save(out, "timing", [row for z in zones for row in child("timing", TZ=z)[:: 1 if z == "UTC" else 5]])


if __name__ == "__main__":
    main()
