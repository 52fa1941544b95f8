"""Records the collation "unicase" of Anki's own library.

Run with the Python of an installed client (see ../README.md):

    python golden/unicase.py > ../sqlite/testdata/unicase.txt

Each line is a code point that the collation takes for others, and those. The
order of all code points by what is written is checked against the client's
before anything is written.
"""

import itertools
import sys
import tempfile

from anki.buildinfo import version
from anki.collection import Collection

ALL = [r for r in range(1, 0x110000) if not 0xD800 <= r < 0xE000]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        col = Collection(folder + "/c.anki2")
        try:
            record(col)
        finally:
            col.close()


def record(col) -> None:
    def same(a: str, b: str) -> bool:
        return bool(col.db.scalar("select ? = ? collate unicase", a, b))

    folds = {}
    for r in ALL:
        char, fold = chr(r), chr(r).casefold()
        if fold == char:
            continue
        # More than two come in an order of their own.
        found = [f for f in ("".join(p) for p in itertools.permutations(fold)) if same(char, f)]
        if found:
            folds[r] = found[0]
    col.db.execute("create temp table every (r integer primary key, s text)")
    col.db.executemany("insert into every values (?, ?)", [(r, chr(r)) for r in ALL])
    client = col.db.list("select r from every order by s collate unicase, r")
    if client != sorted(ALL, key=lambda r: (folds.get(r, chr(r)), r)):
        sys.exit("the client's order is not explained by these foldings")
    print(f"# unicase of Anki {version}, by e2e/golden/unicase.py")
    for r, fold in sorted(folds.items()):
        print(f"{r:X}", *(f"{ord(c):X}" for c in fold))


main()
