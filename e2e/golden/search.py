#!/usr/bin/env python3
"""Records what the newest client finds, for search/testdata.

    ~/.cache/anki-clients/26.9.3/bin/python e2e/golden/search.py FIXTURES OUT

FIXTURES has v18-*.anki2 (testdata of the collection format); OUT gets one NAME.anki2.gz a
collection and golden.json.gz: for each collection its moment and calendar, and for each query the
positions of the found cards and notes among all, or that it is an error; for the sorted ones the
positions in their order.
"""
import gzip
import json
import os
import shutil
import sys
import tempfile
import time

from anki.collection import Collection

import search_collection
import search_queries as queries

FIXTURES = ("v18-26.09", "v18-25.09", "v18-23.10")


def find(f, query, index, **order):
    try:
        return [index[i] for i in f(query, **order)], None
    except BaseException as e:  # a panic of the library is no Exception
        if isinstance(e, KeyboardInterrupt):
            raise
        return None, type(e).__name__


def settled(source, path):
    """A copy that was opened today: the client unburies on the first opening of a day."""
    shutil.copy(source, path)
    os.chmod(path, 0o644)
    col = Collection(path)
    col.sched.deck_due_tree()
    col.close()
    return path


def record(path, todo, accents=False):
    """Asks one collection; the file is the caller's to keep as it is."""
    with tempfile.TemporaryDirectory() as tmp:
        copy = os.path.join(tmp, "c.anki2")
        shutil.copy(path, copy)
        os.chmod(copy, 0o644)
        col = Collection(copy)
        if accents:
            col.set_config("ignoreAccentsInSearch", True)
        cids = sorted(col.db.list("select id from cards"))
        nids = sorted(col.db.list("select id from notes"))
        cix, nix = {c: i for i, c in enumerate(cids)}, {n: i for i, n in enumerate(nids)}
        timing = col._backend.sched_timing_today()
        out = {"now": int(time.time()), "today": timing.days_elapsed, "next_day_at": timing.next_day_at,
               "learn_ahead": col.get_config("collapseTime", 1200), "accents": accents, "found": [], "sorted": []}
        dids = sorted(d.id for d in col.decks.all_names_and_ids())
        mids = sorted(m.id for m in col.models.all_names_and_ids())
        # Sorted first: an order by retrievability is that of this moment.
        for q in queries.SORTED if not accents else ():
            for key in queries.COLUMNS:
                column = col.get_browser_column(key)
                for desc in (False, True):
                    case = {"q": q, "column": key, "desc": desc}
                    for name, f, index, can in (("cards", col.find_cards, cix, column.sorting_cards),
                                                ("notes", col.find_notes, nix, column.sorting_notes)):
                        if can:
                            case[name], err = find(f, q, index, order=column, reverse=desc)
                            assert not err, (q, key, err)
                    out["sorted"].append(case)
        for q in todo:
            text = q
            for name, ids in (("CID", cids), ("NID", nids), ("DID", dids), ("MID", mids)):
                for i in range(4):
                    text = text.replace("$%s%d" % (name, i), str(ids[(i * 7 + 3) % len(ids)]))
            cards, err = find(col.find_cards, text, cix)
            notes, err2 = find(col.find_notes, text, nix)
            case = {"q": text}
            if err or err2:
                case["error"] = err or err2
            else:
                case["cards"], case["notes"] = sorted(cards), sorted(notes)
            out["found"].append(case)
        for order in queries.CUSTOM if not accents else ():
            ids, err = find(col.find_cards, "deck:*", cix, order=order)
            assert not err, (order, err)
            out["sorted"].append({"q": "deck:*", "custom": order, "cards": ids})
        col.close()
        return out


def main():
    fixtures, target = sys.argv[1:]
    os.makedirs(target, exist_ok=True)
    golden = {}
    with tempfile.TemporaryDirectory() as tmp:
        files = {name: os.path.join(fixtures, name + ".anki2") for name in FIXTURES}
        rich = os.path.join(tmp, "rich.anki2")
        search_collection.make(rich)
        excluded = os.path.join(tmp, "excluded.anki2")
        shutil.copy(rich, excluded)
        search_collection.exclude_fields(excluded)
        files.update({"rich": rich, "excluded": excluded})
        for name, source in files.items():
            path = settled(source, os.path.join(tmp, "settled.anki2"))
            with open(path, "rb") as f, open(os.path.join(target, name + ".anki2.gz"), "wb") as raw:
                with gzip.GzipFile("", "wb", 9, raw, 0) as z:
                    shutil.copyfileobj(f, z)
            todo = queries.ALL if name == "rich" else queries.TEXTS if name == "excluded" else queries.ALL
            golden[name] = record(path, todo)
            if name in ("rich", "excluded"):
                golden[name + "+accents"] = dict(record(path, queries.TEXTS, accents=True), file=name)
    with open(os.path.join(target, "golden.json.gz"), "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as z:
        z.write(json.dumps(golden, ensure_ascii=False, separators=(",", ":")).encode())
    print({k: (len(v["found"]), len(v["sorted"]), sum("error" in c for c in v["found"])) for k, v in golden.items()})


if __name__ == "__main__":
    main()
