"""Two clients of any two generations on one account: random edits on both sides, syncs, and in the end one collection.

The edits are drawn with a seed (E2E_SEED, default 1), so that a failure can be run again; the message lists them.
Three things are arranged, because no server can mend them: no two edits of one object fall into the same second (all
merges compare whole seconds, and on a tie each side keeps its own), a deck is renamed or deleted only by the side
that made it (a card added meanwhile to a deck deleted elsewhere has no deck; test_collection has that case alone), and
a media file is removed only by one of the two sides (a client that hears of a removal of what it has removed itself
stops there, and keeps the files whose removal it was to hear of next: README, faults of clients).
"""
import hashlib
import os
import random

import pytest

from harness import assert_same, newest, ready_to_study, settle, tick

SEED = os.environ.get("E2E_SEED", "1")
ROUNDS = 3
EDITS = (4, 9)  # of one side in one round
KEPT = "m0.txt"  # the one media file that is never changed
WORDS = "alpha be\u0301ta \u6f22\u5b57 <b>bold</b> \U0001f600 &amp; zeta {{x}} line<br>break \u00e9t\u00e9".split()


class Side:
    """One client, and the random edits made with it."""

    def __init__(self, client, name, rng, clock):
        self.c, self.name, self.rng, self.clock = client, name, rng, clock
        self.decks = []
        self.done = []
        self.count = 0

    def unique(self, kind):
        self.count += 1
        return "%s %s %d" % (kind, self.name, self.count)

    def text(self):
        return " ".join(self.rng.choice(WORDS) for _ in range(self.rng.randint(1, 6)))

    def some(self, ids, most=4):
        return self.rng.sample(ids, min(len(ids), self.rng.randint(1, most))) if ids else []

    def notes(self, most=4):
        return self.some(self.c.note_ids(), most)

    def cards(self, most=4):
        return self.some(self.c.card_ids(), most)

    def deck(self):
        return self.rng.choice(self.decks + ["Default", "Shared", "Shared::Child"])

    # ---- the edits
    def add_note(self):
        kind = self.rng.choice(["Basic", "Basic", "Basic (and reversed card)", "Cloze"])
        front = "{{c1::%s}} {{c2::two}}" % self.unique("cloze") if kind == "Cloze" else self.unique("note")
        self.c.add_note([front, self.text()], deck=self.deck(), notetype=kind, tags=self.some(["t1", "t2::sub", "\u00fc"], 2))

    def bulk_add(self):
        self.clock["id"] += 1_000_000
        self.c.bulk_add(self.rng.randint(100, 400), deck=self.deck(), start=self.clock["id"])

    def edit_note(self):
        for nid in self.notes(2):
            kept = self.c.sql("select flds from notes where id=?", [nid])[0][0].split("\x1f")
            kept[-1] = self.text()
            self.c.edit_note(nid, kept)

    def delete_notes(self):
        self.c.delete_notes(self.notes(3))

    def add_tags(self):
        self.c.add_tags(self.notes(), "%s common" % self.unique("tag").replace(" ", "-"))

    def remove_tags(self):
        self.c.remove_tags(self.notes(), "common")

    def suspend(self):
        self.c.suspend(self.cards())

    def unsuspend(self):
        ids = [r[0] for r in self.c.sql("select id from cards where queue=-1 order by id")]
        if ids:
            self.c.unsuspend(self.some(ids))

    def flag(self):
        self.c.flag(self.cards(), self.rng.randint(0, 4))

    def move_notes(self):
        ids = [cid for nid in self.notes(3) for cid in self.c.card_ids(nid)]
        if ids:
            self.c.move_cards(ids, self.deck())

    def study(self):
        self.c.answer("Shared", ease=self.rng.randint(1, 3), count=self.rng.randint(1, 3))

    def revlog(self):
        self.clock["id"] += 1_000_000
        self.c.bulk_revlog(self.rng.randint(1, 300), start=self.clock["id"])

    def new_deck(self):
        self.decks.append(self.unique("deck"))
        self.c.add_deck(self.decks[-1])

    def rename_deck(self):
        if self.decks:
            old = self.decks.pop(self.rng.randrange(len(self.decks)))
            self.decks.append(self.unique("renamed"))
            self.c.rename_deck(old, self.decks[-1])

    def delete_deck(self):
        if self.decks:
            self.c.delete_deck(self.decks.pop(self.rng.randrange(len(self.decks))))

    def describe_deck(self):
        self.c.edit_deck(self.rng.choice(["Shared", "Shared::Child"]), desc=self.text())

    def options(self):
        self.c.set_deck_options("Shared", new_per_day=self.rng.randint(20, 400))

    def config(self):
        self.c.set_config("random %d" % self.rng.randint(1, 3), {"by": self.name, "n": self.rng.randint(0, 9), "t": self.text()})

    def notetype(self):
        self.c.edit_template("Basic", css=".card { /* %s %s */ }" % (self.unique("css"), self.text().replace("*/", "")))

    def media(self):
        # m1, m3, … are removed by side a alone, the others by side b
        have = [name for name in sorted(self.c.media()) if name != KEPT and int(name[1:-4]) % 2 == (self.name == "a")]
        if have and self.rng.random() < 0.3:
            self.c.remove_media(self.rng.choice(have))
        else:
            self.c.put_media("m%d.txt" % self.rng.randint(1, 8), data=self.unique("content") + self.text())

    KINDS = (
        [add_note, edit_note, study, media] * 3 + [delete_notes, add_tags, move_notes, new_deck, flag, suspend] * 2
        + [bulk_add, remove_tags, unsuspend, revlog, rename_deck, delete_deck, describe_deck, options, config, notetype]
    )

    def edit(self):
        for _ in range(self.rng.randint(*EDITS)):
            kind = self.rng.choice(self.KINDS)
            self.done.append("%s.%s" % (self.name, kind.__name__))
            kind(self)
        # one time for all that this side changed now, later than any before
        self.clock["s"] += 1
        for table in ("notes", "cards"):
            self.c.exec("update %s set mod=? where usn=-1" % table, [self.clock["s"]])


def same_media(a, b):
    for c in (a, b, a, b):
        c.media_sync()
    x, y = a.media(), b.media()
    assert KEPT in x and x == y, "media differ: %s / %s" % (sorted(set(x.items()) - set(y.items())), sorted(set(y.items()) - set(x.items())))


def test_random_edits_converge(mk, pair):
    rng = random.Random(hashlib.sha256(("%s %s %s" % (SEED, *pair)).encode()).digest())
    a, b = mk(pair[0]), mk(pair[1])
    for i in range(12):
        a.add_note(["start %d" % i, "x"], deck="Shared" if i % 2 else "Shared::Child", tags=["common"])
    a.set_deck_options("Shared", name="Group", new_per_day=500)
    a.put_media(KEPT, data="both have it")
    a.backdate()
    a.first_upload()
    b.join()
    ready_to_study(b, a)
    ready_to_study(a, b)
    clock = {"s": a.sql("select max(mod) from cards")[0][0] + 200, "id": 1_400_000_000_000}
    x, y = Side(a, "a", rng, clock), Side(b, "b", rng, clock)
    try:
        for _ in range(ROUNDS):
            for side in rng.sample([x, y], 2):
                tick()
                side.edit()
            order = rng.sample([a, b], 2)
            for c in order:
                c.sync_ok()
            settle(*order)
            assert_same(a, b, known=False)
            same_media(*order)
        # and what the server holds is what both hold
        fresh = mk(newest())
        fresh.join()
        assert_same(a, fresh, known=False)
        assert_same(b, fresh, known=False)
    except BaseException as e:
        raise AssertionError("E2E_SEED=%s %s+%s, edits: %s" % (SEED, *pair, " ".join(x.done + y.done))) from e
