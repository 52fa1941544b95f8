"""Records packages that Anki's own library exports into collection/testdata/extract.

Run with the Python of an installed client (see ../README.md):

    python golden/exports.py [output directory]

It writes collection.anki2.gz and packages.json.gz: for each part of that
collection, with and without scheduling and deck options, the rows of the
package. `go test ./collection` extracts the same parts.
"""

import gzip
import os
import sqlite3
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from imports import source  # noqa: E402
from scheduling import save  # noqa: E402

from anki.collection import DeckIdLimit, ExportAnkiPackageOptions, NoteIdsLimit  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "collection", "testdata", "extract")

# Without what says when something was done in the package itself.
QUERIES = {
    "notes": "select id, guid, mid, mod, tags, flds, sfld, csum, flags, data from notes order by id",
    "cards": "select id, nid, did, ord, mod, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data from cards order by id",
    "revlog": "select id, cid, ease, ivl, lastIvl, factor, time, type from revlog order by id",
    "decks": "select id, name, common, kind from decks order by id",
    "deck_config": "select id, name, config from deck_config order by id",
    "notetypes": "select id, name, mtime_secs, config from notetypes order by id",
    "templates": "select ntid, ord, name, config from templates where ntid in (select id from notetypes) order by 1, 2",
    "fields": "select ntid, ord, name, config from fields where ntid in (select id from notetypes) order by 1, 2",
    "config": "select key, val from config where key in ('creationOffset', 'schedVer') order by key",
    "col": "select crt from col",
}


def rows(path):
    db = sqlite3.connect(path)
    return {
        name: [[v.hex() if isinstance(v, bytes) else v for v in row] for row in db.execute(query)]
        for name, query in QUERIES.items()
    }


def more(lab):
    """What somebody who learns leaves in notes and cards, and siblings in other decks."""
    col = lab.col
    for i, nid in enumerate(col.find_notes("")):
        note = col.get_note(nid)
        note.tags = [["leech", "marked"], ["Marked", "a::b"], ["leeches", "x"], []][i % 4]
        col.update_note(note)
    col.set_user_flag_for_cards(3, col.find_cards("deck:A")[::3])
    m = col.models.by_name("Basic (and reversed card)")
    for i in range(6):
        note = col.new_note(m)
        note.fields = ["sibling %d" % i, "back"]
        col.add_note(note, col.decks.id("A::B"))
        col.set_deck(note.card_ids()[1:], col.decks.id("Elsewhere" if i % 2 else "Default"))
    col.db.execute("update cards set data = '{\"pos\":3' || (id % 100) || '}' where type = 2 and id % 3 = 0")
    col.db.execute("update cards set data = '' where type = 2 and id % 3 = 1")
    col.set_config("nextPos", 700)
    default = col.decks.get(1)
    default["desc"] = "the first"
    col.decks.save(default)
    conf = col.decks.get_config(1)
    conf["new"]["perDay"] = 77
    col.decks.update_config(conf)


def unpacked(path, folder):
    out = os.path.join(folder, "c")
    with zipfile.ZipFile(path) as z, open(out, "wb") as f:
        f.write(subprocess.run(["zstd", "-dc"], input=z.read("collection.anki21b"), stdout=subprocess.PIPE, check=True).stdout)
    return out


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    os.makedirs(out, exist_ok=True)
    lab = source()
    more(lab)
    col = lab.col
    limits = {
        "": None,
        "notes": NoteIdsLimit(col.find_notes("sibling or tag:leech")),
    }
    for name in ("A", "A::B", "E", "F", "Elsewhere", "Empty", "Default"):
        limits["deck " + name] = DeckIdLimit(col.decks.id(name))
    packages = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, limit in limits.items():
            for scheduling in (False, True):
                for options in (False, True):
                    path = os.path.join(folder, "p.apkg")
                    col.export_anki_package(out_path=path, limit=limit, options=ExportAnkiPackageOptions(
                        with_scheduling=scheduling, with_deck_configs=options, with_media=False, legacy=False))
                    key = name + (" scheduling" if scheduling else "") + (" options" if options else "")
                    packages[key.strip()] = rows(unpacked(path, folder))
                    print(key, {k: len(v) for k, v in packages[key.strip()].items()})
    path = col.path
    col.close(downgrade=False)
    with open(path, "rb") as f, open(os.path.join(out, "collection.anki2.gz"), "wb") as g:
        with gzip.GzipFile(fileobj=g, mode="wb", mtime=0, filename="") as z:
            z.write(f.read())
    save(out, "packages", packages)


if __name__ == "__main__":
    main()
