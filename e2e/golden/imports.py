"""Records imports of packages with Anki's own library into api/testdata/imports.

Run with the Python of an installed client (see ../README.md):

    python golden/imports.py [output directory]

For each case it writes NAME.apkg, the package; NAME.anki2.gz, the collection
before; and NAME.json.gz, the cards, review log, decks and options after the
library has imported the package with schedules and deck options. `go test
./api` imports the same package through the API.
"""

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from scheduling import Lab, save  # noqa: E402
from study import prepare  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "api", "testdata", "imports")


TODAY = 1000  # in the package


def source():
    lab = prepare(21, False, False, notes=40)
    lab.preset("A::B", easy_days_percentages=[1, 0, 1, 1, 0.5, 1, 1], learn_steps=[3.0])
    lab.deck("A", review_limit=33, new_limit_today=(7, lab.today), review_limit_today=(8, lab.today - 2), desired_retention=0.8)
    d = lab.col.decks.get(lab.decks["A::B"])
    d["desc"] = "described in the package"
    lab.col.decks.save(d)
    lab.col.decks.id("Empty")
    lab.deck("A::B", last_day_studied=lab.today, new_studied=3, review_studied=4, learning_studied=1, milliseconds_studied=5000)
    lab.deck("A::D", last_day_studied=lab.today - 4, new_studied=2, new_limit_today=(5, lab.today + 2), review_limit_today=(6, lab.today - 1))
    col = lab.col
    for i, cid in enumerate(col.db.list("select id from cards where did = ? and type = 2 order by id", lab.decks["G"])):
        if i % 3 == 0:  # shown again in a preview
            col.db.execute("update cards set queue = 4, due = ? where id = ?", int(time.time()) + 60, cid)
    put_aside(lab)
    logs(lab)
    return lab


def logs(lab):
    """Gives all cards that are not new reviews, and the times of the last ones."""
    db, rng = lab.col.db, lab.rng
    start = (int(time.time()) - 86400 * 90) * 1000
    for n, (cid, ivl) in enumerate(db.all("select id, ivl from cards where type != 0 order by id")):
        day = 0
        for i in range(rng.randint(1, 3)):
            db.execute("insert into revlog values (?,?,0,?,?,?,?,?,?)", start + day * 86400000 + n, cid, rng.randint(1, 4),
                       ivl if i else -600, rng.randint(1, 9), 2500 if i else 0, rng.randint(500, 60000), min(i, 1))
            day += rng.randint(1, 30)
    text, _ = lab.col.fix_integrity()
    print(text)


def put_aside(lab):
    """Suspends and buries cards of every kind, being learned and others, at home and in filtered decks."""
    col = lab.col
    for where in ("odid = 0", "odid != 0"):
        for kind, queue in ((0, 0), (0, 2), (1, 1), (1, 3), (1, 4), (2, 2), (3, 1), (3, 3), (2, 4)):
            cids = col.db.list(f"select id from cards where {where} and type = ? and queue = ? order by id", kind, queue)
            for i, cid in enumerate(cids[:3] if len(cids) > 4 else cids[:2]):
                col.db.execute("update cards set queue = ? where id = ?", (-1, -2, -3)[i], cid)


def shifted(days):
    """A collection begun later than that of the package, so that the same day has another number."""
    def prepare(lab):
        lab.col.db.execute("update col set crt = crt + ?", 86400 * days)
    return prepare


def repack(path, change):
    """Changes the database in a package of the old format."""
    with zipfile.ZipFile(path) as z:
        parts = {n: z.read(n) for n in z.namelist()}
    name = "collection.anki21"
    with tempfile.TemporaryDirectory() as d:
        file = os.path.join(d, "c")
        with open(file, "wb") as f:
            f.write(parts[name])
        db = sqlite3.connect(file)
        change(db)
        db.commit()
        db.close()
        with open(file, "rb") as f:
            parts[name] = f.read()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for n, data in parts.items():
            z.writestr(zipfile.ZipInfo(n), data, zipfile.ZIP_DEFLATED)


def without_home(db):
    """Takes the home deck of some cards in filtered decks away, and lets decks have been studied today."""
    decks = json.loads(db.execute("select decks from col").fetchone()[0])
    gone = db.execute("select odid, count(*) from cards where odid != 0 group by odid order by 2").fetchone()[0]
    db.execute("update cards set odid = 4711 where odid = ?", (gone,))
    decks = {k: v for k, v in decks.items() if v["name"] != "Empty"}
    for deck in decks.values():  # the library exports none
        deck["newToday"] = deck["revToday"] = [TODAY, 5]
    db.execute("update col set decks = ?", (json.dumps(decks),))


def first_scheduler(db):
    """Makes the collection one of the scheduler of 2006, which had no type 3, no queues 4 and -3, and kept the day of a lapse in odue."""
    conf = json.loads(db.execute("select conf from col").fetchone()[0])
    conf["schedVer"] = 1
    db.execute("update col set conf = ?", (json.dumps(conf),))
    db.execute("update cards set odue = ? where type = 3 and odid = 0", (TODAY + 2,))
    db.execute("update cards set type = 2 where type = 3")
    db.execute("update cards set queue = -2 where queue = -3")
    db.execute("update cards set queue = 2 where queue = 4")


def clashing(lab):
    """A collection with decks of the same names, one of them of the other kind."""
    col = lab.col
    col.decks.id("F")  # filtered in the package
    d = col.sched.get_or_create_filtered_deck(0)
    d.name = "E"  # normal in the package
    d.config.search_terms[0].search = "deck:E is:new"
    d.allow_empty = True
    for name in ("A", "a::b"):
        deck = col.decks.get(col.decks.id(name))
        deck["desc"] = "described here"
        col.decks.save(deck)
    col.decks.remove([lab.decks["E"]])
    col.sched.add_or_update_filtered_deck(d)


def result(col):
    decks = [{"name": name, "kind": kind, "common": common}
             for name, kind, common in col.db.all("select name, hex(kind), hex(common) from decks order by name")]
    names = {did: name for did, name in col.db.all("select id, name from decks")}
    cards = []
    for row in col.db.all("select n.guid, c.ord, c.did, c.odid, c.type, c.queue, c.due, c.odue, c.ivl, c.factor, c.reps, c.lapses,"
                          " c.left, c.flags, c.data from cards c join notes n on n.id = c.nid order by n.guid, c.ord"):
        row = list(row)
        row[2], row[3] = names[row[2]], names.get(row[3], "")
        cards.append(row)
    configs = [list(r) for r in col.db.all("select id, name, hex(config) from deck_config order by id")]
    revlog = [list(r) for r in col.db.all("select n.guid, c.ord, r.id, r.ease, r.ivl, r.lastIvl, r.factor, r.time, r.type from revlog r"
                                          " join cards c on c.id = r.cid join notes n on n.id = c.nid order by r.id")]
    return {"decks": decks, "cards": cards, "configs": configs, "revlog": revlog}


OLD_CLIENT = "2.1.49"
OLD_EXPORT = """
import sys
from anki.collection import Collection
from anki.exporting import AnkiPackageExporter
col = Collection(sys.argv[1])
e = AnkiPackageExporter(col)
e.includeSched, e.includeMedia = True, False
e.exportInto(sys.argv[2])
col.close()
"""


def exported_by_old_client(path):
    """A package of what one of the fixtures holds, written by an old client itself."""
    clients = os.environ.get("ANKI_CLIENTS_DIR") or os.path.expanduser("~/.cache/anki-clients")
    with tempfile.TemporaryDirectory() as d:
        file = os.path.join(d, "collection.anki2")
        with gzip.open(os.path.join(HERE, "..", "..", "testdata", "collections", "v11-2.1.49.anki2.gz")) as f, open(file, "wb") as g:
            g.write(f.read())
        subprocess.run([os.path.join(clients, OLD_CLIENT, "bin", "python"), "-c", OLD_EXPORT, file, path], check=True)


def record(out, name, legacy, prepare_target=None, deck=None, change=None, export=None):
    from anki import import_export_pb2
    from anki.collection import Collection, DeckIdLimit, ExportAnkiPackageOptions
    path = os.path.join(out, name + ".apkg")
    if export:
        export(path)
    else:
        lab = source()
        limit = DeckIdLimit(lab.decks[deck]) if deck else None
        lab.col.export_anki_package(out_path=path, limit=limit, options=ExportAnkiPackageOptions(
            with_scheduling=True, with_deck_configs=True, with_media=False, legacy=legacy))
    if change:
        repack(path, change)
    target = Lab(22, False, notes=6)
    if prepare_target:
        prepare_target(target)
    before = target.col.path
    target.col.close(downgrade=False)
    with open(before, "rb") as f, open(os.path.join(out, name + ".anki2.gz"), "wb") as g:
        with gzip.GzipFile(fileobj=g, mode="wb", mtime=0, filename="") as z:
            z.write(f.read())
    col = target.col = Collection(before)
    while time.time() % 1 > 0.5:
        time.sleep(0.02)
    now = int(time.time())
    col.import_anki_package(import_export_pb2.ImportAnkiPackageRequest(
        package_path=path, options=import_export_pb2.ImportAnkiPackageOptions(with_scheduling=True, with_deck_configs=True)))
    save(out, name, {"now": now} | result(col))
    os.chmod(path, 0o644)
    print(name, col.card_count(), "cards", col.db.scalar("select count() from cards where odid != 0"), "lent",
          col.db.scalar("select count() from revlog"), "reviews")


def notetype(col, name, change):
    m = col.models.by_name(name)
    change(m)
    col.models.update_dict(m)


def copied(col, base, name, *fields):
    m = dict(col.models.copy(col.models.by_name(base), add=False), name=name)
    for f in fields:
        col.models.add_field(m, col.models.new_field(f))
    return col.models.add_dict(m).id


def note(col, nid, model, fields, tags=(), mod=None):
    """A note under an id of its own, or new fields for the one that has it."""
    db = col.db
    if db.scalar("select count() from notes where id = ?", nid):
        n = col.get_note(nid)
        n.fields[:], n.tags = fields, list(tags)
        col.update_note(n)
    else:
        n = col.new_note(col.models.by_name(model))
        n.fields[:], n.tags = fields, list(tags)
        col.add_note(n, col.decks.id("Notes"))
        db.execute("update cards set nid = ? where nid = ?", nid, n.id)
        db.execute("update notes set id = ?, guid = ? where id = ?", nid, f"guid{nid}", n.id)
    if mod:
        db.execute("update notes set mod = ? where id = ?", mod, nid)


def notetypes_result(col):
    """Notes with the names of their notetypes, and notetypes with what can be seen of them."""
    notes = [list(r) for r in col.db.all(
        "select n.guid, t.name, n.flds, n.tags, n.mod, (select group_concat(ord) from (select ord from cards where nid = n.id order by ord))"
        " from notes n join notetypes t on t.id = n.mid where n.guid like 'guid%' order by n.guid")]
    types = [[m["name"], [f["name"] for f in m["flds"]], [[t["name"], t["qfmt"], t["afmt"]] for t in m["tmpls"]], m["css"], m["sortf"]]
             for m in sorted(col.models.all(), key=lambda m: m["name"])]
    return {"notes": notes, "notetypes": types}


def record_notetypes(out):
    """The package and the collection were one, and have changed apart."""
    from anki import import_export_pb2
    from anki.collection import Collection, ExportAnkiPackageOptions
    name, day = "notetypes", 86400
    lab = Lab(51, False, notes=2)
    base, now = lab.col, int(time.time())
    for model in ("Styled", "Restyled here", "More fields", "Fewer fields", "Another template"):
        copied(base, "Basic", model)
    for i, model in enumerate(("Styled", "Restyled here", "More fields", "Fewer fields", "Another template")):
        for j in range(2):
            note(base, 1001 + 100 * (i + 1) + j, model, [f"{model} {j}", "back"], ["old"], now - 9 * day)
    base.db.execute("update notetypes set mtime_secs = ?", now - 9 * day)
    base.db.execute("update col set scm = ?, mod = ?", (now - 9 * day) * 1000, (now - 9 * day) * 1000)
    path = base.path
    base.close()
    theirs = path + ".theirs.anki2"
    shutil.copy(path, theirs)
    col = Collection(theirs)
    note(col, 1101, "Styled", ["newer there", "b"], ["new"], now - day)
    note(col, 1102, "Styled", ["older there", "b"], ["new"], now - 8 * day)
    notetype(col, "Styled", lambda m: m.update(css=".there{}"))
    notetype(col, "Restyled here", lambda m: m.update(css=".older{}"))
    notetype(col, "More fields", lambda m: col.models.add_field(m, col.models.new_field("Third")))
    notetype(col, "Fewer fields", lambda m: col.models.remove_field(m, m["flds"][1]))
    t = col.models.new_template("Second")
    t["qfmt"], t["afmt"] = "{{Back}}", "{{Front}}"
    notetype(col, "Another template", lambda m: col.models.add_template(m, t))
    for model, extra in (("Only there", []), ("Alike", []), ("Of one name", ["There"])):
        copied(col, "Basic", model, *extra)
    for nid, model, fields in ((1901, "Only there", ["o", "b"]), (1902, "Alike", ["a", "b"]), (1903, "Of one name", ["n", "b", "t"]),
                               (1904, "Styled", ["s", "b"]), (1905, "More fields", ["m", "b", "t"]), (1906, "Fewer fields", ["f"]),
                               (1907, "Another template", ["x", "y"])):
        note(col, nid, model, fields, [], now - day)
    col.db.execute("update notetypes set mtime_secs = ? where name != 'Restyled here'", now - 2 * day)
    col.db.execute("update notetypes set mtime_secs = ? where name = 'Restyled here'", now - 8 * day)
    package = os.path.join(out, name + ".apkg")
    col.export_anki_package(out_path=package, limit=None, options=ExportAnkiPackageOptions(
        with_scheduling=True, with_deck_configs=True, with_media=False, legacy=False))
    os.chmod(package, 0o644)
    col.close()
    lab.col = col = Collection(path)
    note(col, 1102, "Styled", ["changed here", "b"], ["here"], now - 3 * day)
    notetype(col, "Restyled here", lambda m: m.update(css=".here{}"))
    copied(col, "Basic", "Alike")
    copied(col, "Basic", "Of one name", "Here")
    note(col, 1801, "Alike", ["here", "b"], [], now - 3 * day)
    col.db.execute("update notetypes set mtime_secs = ? where name = 'Restyled here'", now - 3 * day)
    scm = col.db.scalar("select scm from col")
    col.close(downgrade=False)
    with open(path, "rb") as f, open(os.path.join(out, name + ".anki2.gz"), "wb") as g:
        with gzip.GzipFile(fileobj=g, mode="wb", mtime=0, filename="") as z:
            z.write(f.read())
    lab.col = col = Collection(path)
    col.import_anki_package(import_export_pb2.ImportAnkiPackageRequest(
        package_path=package, options=import_export_pb2.ImportAnkiPackageOptions(with_scheduling=True, with_deck_configs=True)))
    save(out, name, {"now": int(time.time()), "rescoped": col.db.scalar("select scm from col") != scm} | notetypes_result(col))
    print(name, col.note_count(), "notes", col.db.scalar("select scm from col") != scm)


BROKEN = {  # fronts and backs that no client would save
    "Missing field": [("{{Gone}}", "{{Back}}")],
    "Unclosed": [("{{#Front}}", "{{Back}}")],
    "No field": [("words", "{{Back}}")],
    "Two alike": [("{{Front}}", "{{Back}}"), ("{{Front}}", "{{Front}}")],
    "Unclosed later": [("{{Front}}", "{{/Back}}")],
}


def break_templates(col, name):
    m = col.models.by_name(name)
    for ord, (front, back) in enumerate(BROKEN[name]):
        if ord == len(m["tmpls"]):
            col.models.add_template(m, col.models.new_template("Second"))
        m["tmpls"][ord].update(qfmt=front, afmt=back)
    col.models.update_dict(m, skip_checks=True)


def record_broken(out):
    """A package whose templates clients call broken, one of which the collection has as it was before."""
    from anki import import_export_pb2
    from anki.collection import Collection, ExportAnkiPackageOptions
    name, day = "broken", 86400
    lab = Lab(54, False, notes=2)
    col, now = lab.col, int(time.time())
    copied(col, "Basic", "Unclosed later")
    note(col, 3001, "Unclosed later", ["before", "b"], [], now - 9 * day)
    col.db.execute("update notetypes set mtime_secs = ?", now - 9 * day)
    path = col.path
    col.close(downgrade=False)
    with open(path, "rb") as f, open(os.path.join(out, name + ".anki2.gz"), "wb") as g:
        with gzip.GzipFile(fileobj=g, mode="wb", mtime=0, filename="") as z:
            z.write(f.read())
    theirs = path + ".theirs.anki2"
    shutil.copy(path, theirs)
    col = Collection(theirs)
    for i, model in enumerate(BROKEN):
        if not col.models.by_name(model):
            copied(col, "Basic", model)
        break_templates(col, model)
        note(col, 3101 + i, model, [f"front {i}", "back"], [], now - day)
    package = os.path.join(out, name + ".apkg")
    col.export_anki_package(out_path=package, limit=None, options=ExportAnkiPackageOptions(
        with_scheduling=True, with_deck_configs=True, with_media=False, legacy=False))
    os.chmod(package, 0o644)
    col.close()
    lab.col = col = Collection(path)
    col.import_anki_package(import_export_pb2.ImportAnkiPackageRequest(
        package_path=package, options=import_export_pb2.ImportAnkiPackageOptions(with_scheduling=True, with_deck_configs=True)))
    reqs = [[m["name"], m["req"]] for m in sorted(col.models.all(), key=lambda m: m["name"]) if m["name"] in BROKEN]
    save(out, name, {"now": int(time.time()), "reqs": reqs} | notetypes_result(col))
    print(name, col.note_count(), "notes", reqs)


def record_media(out):
    """A package with media files, of which some names mean another file in the collection. NAME.media.json has the files before."""
    import hashlib
    from anki import import_export_pb2
    from anki.collection import Collection, ExportAnkiPackageOptions
    name = "media"
    lab = Lab(52, False, notes=2)
    col = lab.col
    texts = ['<img src="same.png"> <img src=\'other.png\'>', "<img src=other.png>", "[sound:other.mp3] [sound:sp ace.mp3]",
             '<img src="%C3%BC%20x.jpg">', '<img src="missing.png">', '<object data="other.svg"></object>', "other.png in words",
             '<IMG alt="other.png" SRC="other.png">', "[sound:sp%20ace.mp3] <img src='o&amp;p.png'>"]
    for i, text in enumerate(texts):
        note(col, 2001 + i, "Basic", [f"{i} {text}", text])
    files = {"same.png": "same", "other.png": "theirs", "other.mp3": "theirs", "sp ace.mp3": "theirs", "\u00fc x.jpg": "theirs",
             "other.svg": "theirs", "o&p.png": "theirs", "unused.png": "theirs", "_static.css": "theirs", "_other.css": "theirs"}
    for f, text in files.items():
        with open(os.path.join(col.media.dir(), f), "w") as g:
            g.write(text)
    nt = col.models.by_name("Basic")
    nt["css"] = '@import url("_other.css"); .a { background: url("_static.css") }'
    col.models.update_dict(nt)
    package = os.path.join(out, name + ".apkg")
    col.export_anki_package(out_path=package, limit=None, options=ExportAnkiPackageOptions(
        with_scheduling=True, with_deck_configs=True, with_media=True, legacy=False))
    os.chmod(package, 0o644)
    target = Lab(53, False, notes=2)
    before = {"same.png": "same", "other.png": "ours", "other.mp3": "ours", "other.svg": "ours", "sp ace.mp3": "ours", "o&p.png": "ours", "_other.css": "ours"}
    for f, text in before.items():
        with open(os.path.join(target.col.media.dir(), f), "w") as g:
            g.write(text)
    path = target.col.path
    target.col.close(downgrade=False)
    with open(path, "rb") as f, open(os.path.join(out, name + ".anki2.gz"), "wb") as g:
        with gzip.GzipFile(fileobj=g, mode="wb", mtime=0, filename="") as z:
            z.write(f.read())
    col = target.col = Collection(path)
    col.import_anki_package(import_export_pb2.ImportAnkiPackageRequest(
        package_path=package, options=import_export_pb2.ImportAnkiPackageOptions(with_scheduling=True, with_deck_configs=True)))
    found = {}
    for f in sorted(os.listdir(col.media.dir())):
        with open(os.path.join(col.media.dir(), f)) as g:
            found[f] = g.read()
    save(out, name, {"now": int(time.time()), "before": before, "files": found, "notes": notetypes_result(col)["notes"],
                     "css": {m["name"]: m["css"] for m in col.models.all() if "url(" in m["css"]}})
    print(name, sorted(found))


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    os.makedirs(out, exist_ok=True)
    os.environ["TZ"] = "UTC"
    record_notetypes(out)
    record_broken(out)
    record_media(out)
    record(out, "latest", False)
    record(out, "legacy", True)
    record(out, "clashing", False, clashing)
    record(out, "younger", False, shifted(999))
    record(out, "older", True, shifted(-700))
    record(out, "one-filtered", False, shifted(300), deck="F")
    record(out, "without-home", True, shifted(300), change=without_home)
    record(out, "first-package", True, shifted(-30), change=first_scheduler)
    record(out, "old-exporter", True, shifted(-70), export=exported_by_old_client)


if __name__ == "__main__":
    main()
