"""Makes the collection that the search golden is recorded on: some hundred notes with odd texts,
tags, decks, states, reviews, custom data and FSRS data. Everything but ids and times is the same
at every run. Runs inside a client's virtual environment; see search.py.
"""
import json
import random
import time

from anki.collection import Collection

DAY = 86400

WORDS = (
    "dog underdog doggy cat Katze café cafe cafe\u0301 naïve résumé Straße STRASSE ﬁne Æther øre ĸra "
    "日本語 にほんご か\u3099 がく Ελλάδα σοφός ΣΟΦΌΣ Привет привет мир मकान हिन्दी עברית العربية "
    "100% a_b a*b back\\slash quo\"te co:lon (paren) [brack] {brace} -dash and or not a.b a+b "
    "don't e-mail x² № Å A\u030a ß ẞ ſ K \u212a \u0130 ı 1 12 3.5 007 x\u200dy"
).split(" ")
HTML = (
    "<b>bold</b> text", "foo<br>bar", "one&nbsp;two", "&lt;tag&gt; &amp; more", "<img src=\"pic 1.jpg\">",
    "[sound:a_b.mp3]", "line\nbreak", "tab\there", "<div>dog</div>cat", "exam</b>ple", "<i>ex</i>ample",
    "{{notacloze}}", "a  b", " lead", "trail ", "", "_", "*", "%", "\\", "re:x", "nc:x", "w:x", "deck:x",
)
TAGS = (
    "marked leech Verb verb::past verb::past::irregular verb-phrase Noun noun::case café cafe "
    "日本::語 a_b a*b a.b x::y::z 100% co:lon Straße re:x nc:y none"
).split(" ")
DECKS = (
    "French", "French::Words", "French::Words::Hard", "french2", "Français", "日本語", "日本語::漢字", "A_B", "A*B", "AxB",
    "With Space::Sub Deck", "Par(en)", "Dot.Deck", "Back\\slash", "Quo\"te", "current", "filtered", "Straße",
)


def notetypes(col):
    mm = col.models
    for name, fields in (
        ("Vocab (2 cards)", ("Front", "Front Extra", "Back", "Notes_1", "Nötes", "Co-lon")),
        ("vocab_x", ("Text", "Back")),
        ("Straße*", ("Only",)),
    ):
        nt = mm.new(name)
        for f in fields:
            mm.add_field(nt, mm.new_field(f))
        for i, t in enumerate(("Forward", "Back ward", "Rück_wärts")[: min(3, max(1, len(fields) - 1))]):
            tmpl = mm.new_template(t)
            tmpl["qfmt"] = "{{%s}} %d" % (fields[0], i)
            tmpl["afmt"] = "{{%s}}" % fields[-1]
            mm.add_template(nt, tmpl)
        mm.add(nt)
    return [mm.by_name(n) for n in (
        "Basic", "Basic (and reversed card)", "Cloze", "Vocab (2 cards)", "vocab_x", "Straße*")]


def text(r):
    k = r.random()
    if k < 0.25:
        return r.choice(HTML)
    if k < 0.3:
        return ""
    if k < 0.33:
        return str(r.randrange(1000))
    return " ".join(r.choice(WORDS) for _ in range(r.randrange(1, 5)))


def add_notes(col, r, count):
    types = notetypes(col)
    decks = [1] + [col.decks.id(d) for d in DECKS]
    for i in range(count):
        nt = r.choice(types)
        note = col.new_note(nt)
        for j in range(len(note.fields)):
            note.fields[j] = text(r)
        if nt["name"] == "Cloze":
            note.fields[0] = "The {{c1::%s}} and {{c2::%s::hint}} %s{{c%d::%s}}" % (
                text(r), text(r), text(r), r.randrange(1, 13), r.choice(WORDS))
        elif not note.fields[0]:
            note.fields[0] = "note %d" % i
        note.tags = r.sample(TAGS, r.choice((0, 0, 1, 1, 2, 4)))
        col.add_note(note, r.choice(decks))


def card_data(r):
    d = {}
    if r.random() < 0.5:
        d["pos"] = r.randrange(500)
    if r.random() < 0.6:
        d["s"] = r.choice((0.1, 0.5, 1, 3.1415, 10, 100.25, 2000.1234))
        d["d"] = r.choice((1, 1.5, 5.5, 7.3, 10))
        d["dr"] = 0.9
        if r.random() < 0.6:
            d["decay"] = r.choice((0.1542, 0.2, 0.5))
    if r.random() < 0.4:
        d["lrt"] = int(time.time()) - r.randrange(1, 400) * DAY // 4
    if r.random() < 0.4:
        d["cd"] = r.choice((
            '{"x":1}', '{"x":1.5,"v":"a"}', '{"v":"B c"}', '{"x":-3,"n":null}', '{"t":true,"x":"7"}', '{"x":1e2}', '{"o":{"b":1,"a":[1,2.50]}}',
            'nojson', '[1]', '{"é":1}'))
    odd = r.random()
    if odd < 0.04:
        return ""
    if odd < 0.08:
        return "{}"
    if odd < 0.11:
        return '{"s":"text","d":5}'
    if odd < 0.13:
        return "broken{"
    if odd < 0.15:
        return '{"s":5,"d":5,"cd":7}'
    return json.dumps(d, ensure_ascii=False, separators=(",", ":"))


def states(col, r):
    """Puts the cards into all states; day numbers are the collection's."""
    now, today = int(time.time()), col.sched.today
    filtered = col.decks.new_filtered("Filtered::Now")
    rows = col.db.all("select id, did from cards order by id")
    for i, (cid, did) in enumerate(rows):
        ctype = r.choice((0, 0, 1, 2, 2, 2, 2, 3))
        queue = {0: 0, 1: r.choice((1, 3)), 2: 2, 3: r.choice((1, 3))}[ctype]
        if queue == 1:
            due = now + r.choice((-5000, -600, 600, 900, 2000, 5000, 100000))
        elif queue == 0:
            due = i
        else:
            due = today + r.choice((-300, -30, -7, -2, -1, 0, 1, 2, 5, 30, 300))
        ivl = r.choice((1, 2, 7, 21, 100, 365)) if ctype >= 2 else 0
        factor = r.choice((1300, 2000, 2500, 2650, 3100)) if ctype >= 2 else 0
        reps = 0 if ctype == 0 else r.randrange(1, 40)
        lapses = r.randrange(0, 9) if ctype >= 2 else 0
        odid = odue = 0
        if r.random() < 0.12:
            odid, did, odue = did, filtered, due
            if queue == 2:
                due = -100000 + i
            if ctype == 2 and r.random() < 0.3:
                queue, due = 4, now + r.choice((-600, 600, 9000))
        if r.random() < 0.15:
            queue = r.choice((-1, -2, -3))
        flags = r.choice((0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 + 2))
        col.db.execute(
            "update cards set did=?, type=?, queue=?, due=?, ivl=?, factor=?, reps=?, lapses=?, odue=?, odid=?, flags=?, data=?,"
            " mod=? where id=?", did, ctype, queue, due, ivl, factor, reps, lapses, odue, odid, flags,
            card_data(r), now - r.randrange(100 * DAY), cid)


def history(col, r):
    """Ages cards and notes and gives them reviews of the last months."""
    now = int(time.time())
    nids = col.db.list("select id from notes order by id")
    for i, nid in enumerate(nids):
        new = (now - r.choice((0, 1, 2, 3, 10, 40, 400)) * DAY) * 1000 - 40_000_000 - i * 1009
        col.db.execute("update notes set id=?, mod=? where id=?", new, now - r.choice((1, 2, 5, 30, 300)) * DAY + 3600, nid)
        col.db.execute("update cards set nid=? where nid=?", new, nid)
    for i, cid in enumerate(col.db.list("select id from cards order by id")):
        new = (now - r.choice((0, 1, 2, 3, 10, 40, 400)) * DAY) * 1000 - 30_000_000 - i * 1013
        col.db.execute("update cards set id=? where id=?", new, cid)
    at = 0
    for cid, reps in col.db.all("select id, reps from cards order by id"):
        for _ in range(min(reps, r.randrange(6))):
            at += 1
            when = (now - r.choice((0, 0, 1, 1, 2, 3, 5, 8, 20, 50, 100)) * DAY) * 1000 - 20_000_000 - at * 7
            ease = r.choice((0, 1, 2, 3, 3, 3, 4))
            col.db.execute("insert into revlog values (?,?,-1,?,?,?,?,?,?)", when, cid, ease,
                           r.randrange(1, 100), 1, r.choice((0, 2500)), 4000, 4 if ease == 0 else 1)


def presets(col):
    conf = col.decks.add_config("Späcial Preset")
    for name in ("French", "日本語"):
        d = col.decks.by_name(name)
        d["conf"] = conf["id"]
        col.decks.save(d)


def make(path, notes=420, seed=7):
    r = random.Random(seed)
    col = Collection(path)
    col.set_config("fsrs", True)
    add_notes(col, r, notes)
    states(col, r)
    history(col, r)
    presets(col)
    col.decks.set_current(col.decks.id("French::Words"))
    col.close()


def exclude_fields(path):
    """Leaves some fields out of plain searches."""
    col = Collection(path)
    for name, ords in (("Basic", (1,)), ("Vocab (2 cards)", (0, 2, 3)), ("Cloze", (0,))):
        nt = col.models.by_name(name)
        for o in ords:
            nt["flds"][o]["excludeFromSearch"] = True
        col.models.update_dict(nt)
    col.close()
