"""Records imports of text files with Anki's own library into api/testdata/texts.json.

Run with the Python of an installed client (see ../README.md):

    python golden/texts.py [output file]

For each text it writes the notes of a new collection after the library has
imported the texts before it in its group and itself. `go test ./api` imports
the same texts through the API.
"""

import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "api", "testdata", "texts.json")

# Each group is imported in order into one collection. What is HTML is said, for the API does not guess it; and no first field stands in
# one text twice: the client makes two notes of these, the API one, as the original was closer to.
GROUPS = {
    "separators": [
        "#separator:tab\n#html:false\na\tb <i>\nc\td & 'e'\r\n", "#separator:Comma\n#html:false\ne,\"f, \"\"g\"\"\"\nh , i\n",
        "#separator:;\n#html:true\nj;<b>k</b>\n", "#separator:Pipe\n#html:true\nl|m\n", "#separator:Colon\n#html:true\nn:o\n",
        "#separator:space\n#html:true\np q\n",
    ],
    "headers": [
        "\ufeff#separator:tab\n#html:true\n#tags:x  y\n#notetype:Basic (and reversed card)\n#deck:New::Deck\na\t<i>b</i>\n",
        "#html:true\n#separator:tab\n#columns:Front\tBack\nc\td\n", "#separator:tab\n#html:true\n#notetype:Cloze\n{{c1::x}} {{c3::y}}\tmore\n",
    ],
    "tags": [
        "#separator:tab\n#html:true\n#tags column:2\na\tt1 T1 t2::t3\tb\n", "#separator:tab\n#html:true\n#tags column:3\n#tags:all\nc\td\tone two\n",
        "#separator:tab\n#html:true\n#tags column:1\nfirst\te\tf\n",
    ],
    "lines": [
        "#separator:tab\n#html:false\na\t\"b\nc\"\n", "#separator:tab\n#html:true\nd\t\"e\n<br>f\"\n", "#separator:tab\n#html:true\n\n g \t h \n\n",
        "#separator:tab\n#html:true\n\tno first\n", "#separator:tab\n#html:true\nonly\n",
    ],
    "again": [
        "#separator:tab\n#html:true\n#tags:old\na\tb\n", "#separator:tab\n#html:true\n#tags:new\na\tc\n", "#separator:tab\n#html:true\n#deck:Other\na\td\n",
        "#separator:tab\n#html:true\ne\tf\n", "#separator:tab\n#html:true\n<b>e</b>\th\n",
    ],
}


def notes(col):
    out = []
    for nid in col.find_notes(""):
        n = col.get_note(nid)
        out.append([n.note_type()["name"], list(n.fields), sorted(n.tags), sorted({col.decks.name(c.did) for c in n.cards()})])
    return sorted(out)


def main():
    from anki import import_export_pb2
    from anki.collection import Collection
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    golden = {}
    with tempfile.TemporaryDirectory() as tmp:
        for name, texts in GROUPS.items():
            col = Collection(os.path.join(tmp, name + ".anki2"))
            golden[name] = []
            for text in texts:
                path = os.path.join(tmp, "text.txt")
                with open(path, "w", encoding="utf-8", newline="") as f:
                    f.write(text)
                meta = col.get_csv_metadata(path, None)
                col.import_csv(import_export_pb2.ImportCsvRequest(path=path, metadata=meta))
                golden[name].append({"text": text, "notes": notes(col)})
            col.close()
    with open(out, "w", encoding="utf-8") as f:
        json.dump(golden, f, ensure_ascii=False, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
