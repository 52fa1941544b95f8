"""Records imports of packages with Anki's own library into api/testdata/imports.

Run with the Python of an installed client (see ../README.md):

    python golden/imports.py [output directory]

For each case it writes NAME.apkg, the package; NAME.anki2.gz, the collection
before; and NAME.json.gz, the cards, decks and options after the library has
imported the package with schedules and deck options. `go test ./api` imports
the same package through the API.
"""

import gzip
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from scheduling import Lab, save  # noqa: E402
from study import prepare  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "api", "testdata", "imports")


def source():
    lab = prepare(21, False, False, notes=40)
    lab.preset("A::B", easy_days_percentages=[1, 0, 1, 1, 0.5, 1, 1], learn_steps=[3.0])
    lab.deck("A", review_limit=33, new_limit_today=(7, lab.today), review_limit_today=(8, lab.today - 2), desired_retention=0.8)
    d = lab.col.decks.get(lab.decks["A::B"])
    d["desc"] = "described in the package"
    lab.col.decks.save(d)
    lab.col.decks.id("Empty")
    return lab


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
    decks = [{"name": name, "kind": kind} for name, kind in col.db.all("select name, hex(kind) from decks order by name")]
    names = {did: name for did, name in col.db.all("select id, name from decks")}
    cards = []
    for row in col.db.all("select n.guid, c.ord, c.did, c.odid, c.type, c.queue, c.due, c.odue, c.ivl, c.factor, c.reps, c.lapses,"
                          " c.left, c.flags, c.data from cards c join notes n on n.id = c.nid order by n.guid, c.ord"):
        row = list(row)
        row[2], row[3] = names[row[2]], names.get(row[3], "")
        cards.append(row)
    configs = [list(r) for r in col.db.all("select id, name, hex(config) from deck_config order by id")]
    return {"decks": decks, "cards": cards, "configs": configs}


def record(out, name, legacy, prepare_target):
    from anki import import_export_pb2
    from anki.collection import Collection, ExportAnkiPackageOptions
    lab = source()
    path = os.path.join(out, name + ".apkg")
    lab.col.export_anki_package(out_path=path, limit=None, options=ExportAnkiPackageOptions(
        with_scheduling=True, with_deck_configs=True, with_media=False, legacy=legacy))
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
    print(name, col.card_count(), "cards")


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    os.makedirs(out, exist_ok=True)
    os.environ["TZ"] = "UTC"
    record(out, "latest", False, None)
    record(out, "legacy", True, None)
    record(out, "clashing", False, clashing)


if __name__ == "__main__":
    main()
