"""Records edits by Anki's own library into collection/testdata/edits.

Run with the Python of an installed client (see ../README.md):

    python golden/edits.py [output directory]

It writes edits.anki2.gz, a collection, and edits.json.gz: the rows of all
tables before, and after each of the edits below that follow each other. `go
test ./collection` makes the same edits.
"""

import gzip
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from scheduling import Lab, save  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "collection", "testdata", "edits")

LONG_AGO = 1600000000
CHANGED = f"usn = -1, %s > {LONG_AGO}"
TABLES = {
    "notes": f"select id, {CHANGED % 'mod'}, guid, mid, tags, flds, cast(sfld as text), csum from notes order by id",
    "cards": f"select id, {CHANGED % 'mod'}, nid, did, ord, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data"
             " from cards order by id",
    "graves": "select oid, type, usn = -1 from graves order by type, oid",
    "decks": f"select id, {CHANGED % 'mtime_secs'}, name, hex(common), hex(kind) from decks order by id",
    "notetypes": f"select id, {CHANGED % 'mtime_secs'}, name, hex(config) from notetypes order by id",
    "fields": "select ntid, ord, name, hex(config) from fields order by ntid, ord",
    "templates": "select ntid, ord, name, hex(config) from templates order by ntid, ord",
    "tags": "select tag, usn = -1 from tags order by tag",
    "deck_config": f"select id, {CHANGED % 'mtime_secs'}, name, hex(config) from deck_config order by id",
    "config": "select key, usn = -1, cast(val as text) from config order by key",
    "revlog": "select cid, usn = -1, ease, ivl, lastIvl, factor, time, type from revlog order by cid, id",
    "col": "select scm from col",
}


def prepare():
    lab = Lab(41, False, notes=30)
    col, db = lab.col, lab.col.db
    for name, search, resched in (("F", "deck:E is:new", True), ("A::G", "deck:A::D is:review", False)):
        d = col.sched.get_or_create_filtered_deck(0)
        d.name = name
        d.config.reschedule = resched
        d.config.search_terms[0].search = search
        d.config.search_terms[0].limit = 6
        d.config.search_terms[0].order = 6
        lab.decks[name] = col.sched.add_or_update_filtered_deck(d).id
    nt = col.models.by_name("Cloze")
    n = col.new_note(nt)
    n["Text"], n["Back Extra"] = "{{c1::one}} {{c3::three}}", "more"
    n.tags = ["old", "Parent::Child", "parent::child::low"]
    col.add_note(n, lab.decks["A"])
    cloze = n.id
    # decks whose steps differ, and a card in each step
    lab.preset("A", learn_steps=[1.0, 5.0, 10.0, 1440.0], relearn_steps=[5.0, 10.0])
    lab.preset("A::B", learn_steps=[1.0, 20.0], relearn_steps=[5.0])
    for left in range(1, 6):
        db.execute("update cards set type = 1, queue = 3, due = ?, left = ?, did = ?, odid = 0, odue = 0 where id = ?",
                   lab.today, left, lab.decks["A"], 50001 + 7 * (53 + left))
    # few columns that depend on the time of the recording
    for table, mod in (("notes", "mod"), ("cards", "mod"), ("decks", "mtime_secs"), ("notetypes", "mtime_secs"), ("deck_config", "mtime_secs")):
        db.execute(f"update {table} set usn = 3, {mod} = ?", LONG_AGO - 9)
    db.execute("update notes set id = 1500 where id = ?", cloze)
    db.execute("update cards set id = 60000 + ord, nid = 1500 where nid = ?", cloze)
    db.execute("update tags set usn = 3")
    db.execute("update templates set usn = 3")
    db.execute("update config set usn = 3")
    db.execute("delete from graves")
    db.execute("update col set usn = 7, scm = ?, ls = 5", (LONG_AGO - 9) * 1000)
    col.sched.deck_due_tree()
    lab.reopen()
    return lab


def edits(lab):
    """Name and edit; go test has one of each name."""
    col = lab.col
    sched, decks, models = col.sched, col.decks, col.models

    def did(name):
        return decks.id(name, create=False)

    def add(notetype, fields, tags, deck):
        n = col.new_note(models.by_name(notetype))
        n.fields[:], n.tags = fields, tags
        col.add_note(n, did(deck))

    def update(nid, fields=None, tags=None):
        n = col.get_note(nid)
        if fields:
            n.fields[:] = fields
        if tags is not None:
            n.tags = tags
        col.update_note(n)

    def notetype(name, change):
        m = models.by_name(name)
        change(m)
        models.update_dict(m)

    def template(m, name, front, back):
        t = models.new_template(name)
        t["qfmt"], t["afmt"] = front, back
        models.add_template(m, t)

    def filtered(id, name, *terms, resched=True):
        d = sched.get_or_create_filtered_deck(id)
        d.name, d.config.reschedule, d.allow_empty = name, resched, True
        del d.config.search_terms[:]
        for search, limit, order in terms:
            d.config.search_terms.add(search=search, limit=limit, order=order)
        sched.add_or_update_filtered_deck(d)

    def options(id, change):
        c = decks.get_config(id)
        change(c)
        decks.update_config(c)

    def use(deck, id):
        d = decks.get(did(deck))
        d["conf"] = id
        decks.save(d)

    yield "add basic", lambda: add("Basic", ["<b>42</b>&nbsp;e\u0301", "[sound:a.mp3]"], ["New::Tag", "marked", "OLD"], "A")
    yield "add cloze", lambda: add("Cloze", ["{{c2::a}} {{c1,4::b::hint}}", ""], ["parent::Child"], "A::B")
    yield "add optional reversed", lambda: add("Basic (optional reversed card)", ["f", "b", "yes"], [], "E")
    yield "update fields", lambda: update(1001, ["<img src=\"x y.jpg\"> 1e3", "<div></div>"])
    yield "update tags", lambda: update(1002, tags=["b", "A", "a", "New::tag"])
    yield "update cloze", lambda: update(1500, ["{{c1::one}} {{c5::five}} {{c2::two}}", "more"])
    yield "update to nothing new", lambda: update(1003)
    yield "add tags", lambda: col.tags.bulk_add([1001, 1003, 1004], "x y OLD parent::child")
    yield "remove tags", lambda: col.tags.bulk_remove([1001, 1002], "X a")
    yield "rename tag", lambda: col.tags.rename("parent", "Over::there")
    yield "clear unused tags", lambda: col.tags.clear_unused_tags()
    yield "delete notes", lambda: col.remove_notes([1004, 1005, 1009])
    yield "move cards", lambda: col.set_deck(col.db.list("select id from cards where nid in (1001, 1010, 1014, 1006) order by id"), did("A::B"))
    yield "move learning cards", lambda: col.set_deck([50001 + 7 * i for i in range(52, 60)], did("A::B"))
    yield "suspend", lambda: sched.suspend_cards(col.db.list("select id from cards where nid between 1011 and 1016"))
    yield "unsuspend", lambda: sched.unsuspend_cards(col.db.list("select id from cards where nid between 1011 and 1013"))
    yield "bury", lambda: sched.bury_cards(col.db.list("select id from cards where nid between 1014 and 1020"), manual=True)
    yield "unbury", lambda: sched.unbury_cards(col.db.list("select id from cards where nid = 1017"))
    yield "unbury deck", lambda: sched.unbury_deck(did("A"))
    yield "flag", lambda: col.set_user_flag_for_cards(3, col.db.list("select id from cards where nid in (1001, 1012)"))
    yield "flag others", lambda: col.set_user_flag_for_cards(5, col.db.list("select id from cards where usn = 3 order by id limit 3"))
    yield "unflag", lambda: col.set_user_flag_for_cards(0, col.db.list("select id from cards where nid in (1012, 1013)"))
    yield "reposition", lambda: sched.reposition_new_cards(
        col.db.list("select id from cards where type = 0 and queue = 0 and odid = 0 order by id limit 5"),
        starting_from=2, step_size=2, randomize=False, shift_existing=True)
    yield "set due", lambda: sched.set_due_date(col.db.list("select id from cards where nid in (1017, 1018, 1500)"), "4!")
    yield "forget", lambda: sched.schedule_cards_as_new(
        col.db.list("select id from cards where nid in (1017, 1019)"), restore_position=True, reset_counts=True)
    yield "forget backwards", lambda: sched.schedule_cards_as_new(
        col.db.list("select id from cards where nid in (1018, 1020, 1021) order by id desc"), restore_position=False, reset_counts=False)
    yield "create deck", lambda: decks.id("\u00dcber::Neu:: Drei ")
    yield "rename deck", lambda: decks.rename(did("\u00dcber"), "Ober::Unter")
    yield "case of a deck", lambda: decks.rename(did("Ober"), "OBER")
    yield "reparent deck", lambda: decks.reparent([did("OBER::Unter")], 0)
    yield "reparent below", lambda: decks.reparent([did("A::B")], did("E"))
    yield "filtered deck", lambda: filtered(0, "OBER::H", ("is:review", 4, 5), ("deck:A -is:review", 3, 7))
    yield "rebuild", lambda: sched.rebuild_filtered_deck(did("OBER::H"))
    yield "change filtered deck", lambda: filtered(did("OBER::H"), "OBER::P", ("deck:E", 3, 6), resched=False)
    yield "empty", lambda: sched.empty_filtered_deck(did("OBER::P"))
    yield "delete filtered deck", lambda: decks.remove([did("F")])
    yield "options", lambda: decks.add_config_returning_id("Mine", decks.get_config(lab.presets["A"]))
    yield "change options", lambda: options(lab.presets["A"], lambda c: c["new"].update(perDay=33, delays=[1.5, 20]))
    yield "use options", lambda: use("A::D", lab.presets["E"])
    yield "delete options", lambda: decks.remove_config(lab.presets["E"])
    yield "select deck", lambda: decks.set_current(did("E::B"))
    yield "delete deck", lambda: decks.remove([did("E")])
    yield "config", lambda: col.set_config("someAddon", {"a": 1})
    yield "remove config", lambda: col.remove_config("someAddon")
    yield "copy notetype", lambda: models.add_dict(dict(models.copy(models.by_name("Basic (and reversed card)"), add=False), name="Mine"))
    yield "add to it", lambda: add("Mine", ["one", "two"], [], "A")
    yield "style", lambda: notetype("Mine", lambda m: m.update(css=".card{}"))
    yield "add field", lambda: notetype("Mine", lambda m: models.add_field(m, models.new_field("Third")))
    yield "rename field", lambda: notetype("Mine", lambda m: models.rename_field(m, m["flds"][0], "Vorn"))
    yield "sort by", lambda: notetype("Mine", lambda m: models.set_sort_index(m, 1))
    yield "reorder fields", lambda: notetype("Mine", lambda m: models.reposition_field(m, m["flds"][0], 2))
    yield "add template", lambda: notetype("Mine", lambda m: template(m, "C", "{{Vorn}}{{Back}}", "x"))
    yield "reorder templates", lambda: notetype("Mine", lambda m: models.reposition_template(m, m["tmpls"][2], 0))
    yield "remove template", lambda: notetype("Mine", lambda m: models.remove_template(m, m["tmpls"][1]))
    yield "remove field", lambda: notetype("Mine", lambda m: models.remove_field(m, m["flds"][1]))
    yield "delete notetype", lambda: models.remove(models.by_name("Mine")["id"])


def state(col):
    return {name: [list(r) for r in col.db.all(query)] for name, query in TABLES.items()}


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    os.makedirs(out, exist_ok=True)
    os.environ["TZ"] = "UTC"
    lab = prepare()
    path = lab.col.path
    lab.col.close(downgrade=False)
    with open(path, "rb") as f, open(os.path.join(out, "edits.anki2.gz"), "wb") as g:
        with gzip.GzipFile(fileobj=g, mode="wb", mtime=0, filename="") as z:
            z.write(f.read())
    from anki.collection import Collection
    lab.col = Collection(path)
    last = state(lab.col)
    import time
    golden = {"now": int(time.time()), "before": last, "edits": []}
    for name, edit in edits(lab):
        edit()
        now = state(lab.col)
        golden["edits"].append({"name": name, "after": {t: now[t] for t in TABLES if now[t] != last[t]}})
        print(name, [t for t in TABLES if now[t] != last[t]])
        last = now
    save(out, "edits", golden)


if __name__ == "__main__":
    main()
