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

TAB = "#separator:tab\n#html:true\n"
BASIC = "#notetype:Basic\n"
UPDATE = "#if matches:update current\n"
IN_DECK = "#match scope:notetype + deck\n"
EXPORTED = "#guid column:1\n#notetype column:2\n#deck column:3\n#tags column:6\n"

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
    "quotation marks": [
        TAB + '"Foo" is\tx\nzwei\ttwo\ndrei\tthree\n', TAB + 'a"b\tc""d\n"a""c"\t"x"y"z\n', TAB + ' "a"\tb\n"""q"""\tc\n',
        TAB + '"d"\t\r\n"e"\t"f" \r\n', TAB + '"open\tx\ny\tz',
    ],
    "ends of lines": [
        TAB + "a\tb\rc\td\r", TAB + "\n\n\r\ne\tf\n\n\r\n\n g\th", TAB + '"i\r\nj"\tk\n"l\rm"\tn\r\n', TAB + "o\x00p\tq\n", TAB + "r\t",
    ],
    "comments": [
        TAB + "#c\na\tb\n#d\te\nf\tg\n", TAB + 'h\t#b\n #x\ty\n"#q"\tr\n', TAB + "i\tj\n#k\rl\tm\nn\to\n#",
    ],
    # What the library exports of notes in plain text, changed and imported again.
    "exported": [
        TAB + EXPORTED + 'z%S{8Pcbvt\tBasic\tD1\ta <b>x</b>\t"""q""\ttab\nnl"\tt1 t2\nx[88uS9C5o\tCloze\tD::2\t{{c1::o}}\t\t\n'
        '"""#g,"\tBasic (and reversed card)\tD1\t"#hash"\t1\t\nE4Bz|%)6^z\tBasic\tD1\t"#hash"\tx\t\n',
        TAB + EXPORTED + 'z%S{8Pcbvt\tBasic\tD2\tother first\t\tt3\nx[88uS9C5o\tBasic\tD::2\tanother model\t\t\n'
        '"""#g,"\tBasic (and reversed card)\tD1\t"#hash"\tnew\tt4\nnewGUID\tBasic\tD3\t"#hash"\tthe same first\t\n\tBasic\tD1\tno guid\ty\tt5\n',
        TAB + "#notetype column:1\n#tags column:4\nBasic\tp\tq\tt1 t2\nCloze\t{{c1::r}}\t\t\n", TAB + "#guid column:1\n#deck column:2\n#notetype:Basic\nG\tD4\ts\tt\n",
        TAB + "#guid column:1\n#notetype:Basic\n#tags:all\nG\ts\tu\n",
    ],
    "columns": [
        TAB + BASIC + "#columns:Back\tFront\tTags\nb\ta\tt\n", TAB + BASIC + "#columns:\tBack\tFront\nx\tb\tc\n", TAB + BASIC + "#columns:Nix\tNux\nd\tt\n",
        TAB + BASIC + "#columns:Front\tX\tBack\n#tags column:2\ne\tt\tf\n", TAB + BASIC + "#columns:Back\ng\th\n", TAB + BASIC + "#columns:Back\tfront\tMore\ni\tt\tj\n",
        TAB + BASIC + "# GUID Column :4\nk\tl\tt\tG\n", "#separator:Comma,,\n#html:true,,\n#notetype:Basic\n#guid column:1,,\nG2,m,n\n",
    ],
    # Templates that show nothing of a note make no card; it gets the first one.
    "no cards": [
        TAB + "#notetype:Cloze\nplain\tmore\n{{c1::}}\t\n{{c0::x}}\ty\n", TAB + BASIC + "<br>\tb\n", TAB + "#notetype column:1\nCloze\tnone\tx\n",
        TAB + "#guid column:1\n#notetype:Cloze\nG\twithout\n",
    ],
    "first line": [
        "tags:x y\n" + TAB + BASIC + "a\tb\n", "\ufefftags: x  y\r\n" + TAB + BASIC + "c\td\n", TAB + BASIC + "tags: x\te\nf\tg\n",
        "tags: x\n" + TAB + BASIC + "#tags:z\ng\th\n", "tags: x\n" + TAB + BASIC + "#tags:\ni\tj\n", "tags: x\n" + TAB + BASIC + "tags: y\tk\n",
    ],
    "the later line": [
        TAB + BASIC + "#tags:x\n#tags:y\na\tb\n", TAB + BASIC + "#tags:x\n#tags: \nc\td\n", TAB + BASIC + "#deck:D1\n#deck column:1\nD2\te\tf\n",
        TAB + BASIC + "#deck column:1\n#deck:D3\nD4\tg\th\n", TAB + BASIC + "#deck:D5\n#deck:D6\ni\tj\n", TAB + BASIC + "#deck:D7\n#deck:\nk\tl\n",
        TAB + BASIC + "#deck column:1\n#deck:\nD8\tm\tn\n", TAB + "#notetype:Cloze\n#notetype column:1\nBasic\t{{c1::o}}\tp\n",
        TAB + "#notetype column:1\n#notetype:Cloze\nBasic\t{{c1::q}}\tr\n", TAB + "#notetype:Cloze\n#notetype:Basic\ns\tt\n", TAB + BASIC + "#notetype:\nu\tv\n",
        TAB + BASIC + "#guid column:1\n#guid column:2\nx\tG\ty\n", TAB + BASIC + "#tags column:1\n#tags:all\nt1\tz\t1\n", "#separator:comma\n" + TAB + BASIC + "2\t3,4\n",
        TAB + "#html:false\n" + BASIC + "5\t<b>\n", TAB + BASIC + "#columns:A\tB\n#columns:Back\tFront\n6\t7\n", TAB + BASIC + "#columns:Back\tFront\n#columns:\n8\t9\n",
    ],
    "labels": [
        TAB + BASIC + "#columns:Front\tBack\tX\n#deck column:1\nD1\tb\tt\n", TAB + BASIC + "#columns:Front\tX\tBack\tY\n#deck column:1\nD2\tx\tb\tt\n",
        TAB + BASIC + "#columns:Front\tBack\n#guid column:1\nG1\tb\n", TAB + BASIC + "#columns:X\tBack\tFront\n#deck column:2\nx\tD3\tf1\n",
        TAB + BASIC + "#columns:X\tFront\tBack\n#deck column:2\nf2\tD4\tb\n", TAB + BASIC + "#columns:X\tY\tBack\n#deck column:1\nD5\ty\tb\n",
        TAB + BASIC + "#columns:X\tBack\n#tags column:1\nf3\tb\n", TAB + BASIC + "#columns:Back\tX\nb1\tt\n", TAB + BASIC + "#columns:Back\tFront\tBack\nb\tf4\tb2\n",
        TAB + BASIC + "#columns:Front\tFront\tBack\n#deck column:1\nD6\tf5\tb\n", TAB + BASIC + "#columns:Front\tBack\tBack\n#deck column:3\nf6\tb\tD7\n",
        TAB + BASIC + "#columns:Front\tX\tBack\n#tags column:1\nf7\tx\tb\n", TAB + BASIC + "#columns:Back\tFront\tD\tX\n#deck column:3\nb\tf8\tD8\tt\n",
    ],
    # A column that is something else is the first field, too, if no other is left in the text.
    "first field": [
        TAB + BASIC + "  \tspaces\n", TAB + BASIC + "\u00a0\tno break\n", TAB + BASIC + " \n", TAB + BASIC + "#guid column:1\nG1\nG2\n", TAB + BASIC + "#guid column:1\nG1\n",
        TAB + BASIC + "#tags column:1\nt1 t2\n", TAB + BASIC + "#deck column:1\nD1\n", TAB + "#notetype column:1\nBasic\n",
        TAB + BASIC + "#guid column:1\n#tags column:2\nG3\tt3\n", TAB + BASIC + "#guid column:2\n#tags column:1\nt4\tG4\n", TAB + BASIC + "#guid column:1\n#deck column:2\n#tags column:3\nG5\tD2\tt5\n",
        TAB + BASIC + "#guid column:1\nG6\nG7\tx\n", TAB + BASIC + "#guid column:1\nG8\tx\nG9\n", TAB + BASIC + "#tags column:2\na\tt6\n", TAB + BASIC + "#tags column:1\n\tb\n\n",
        TAB + "#notetype column:1\n#guid column:2\nBasic\tG10\n", TAB + BASIC + "#columns:Back\tFront\ny\n", TAB + BASIC + "#columns:Back\tFront\nz\t\n",
        TAB + BASIC + "#guid column:2\n#tags column:3\nc\tG11\tt7\n", TAB + BASIC + "#guid column:1\n#columns:\tX\tFront\nG11\tx\n",
    ],
    # The library remembers both lines for the next import.
    "matches": [
        TAB + BASIC + "#deck:D1\na\tb\n", TAB + BASIC + "#if matches:keep current\na\tc\nd\te\n", TAB + BASIC + "#if matches:keep both\na\tf\n",
        TAB + BASIC + UPDATE + "d\tg\n", TAB + BASIC + UPDATE + IN_DECK + "#deck:D2\nd\th\n",
        TAB + BASIC + UPDATE + IN_DECK + "#deck:D2\nd\ti\n", TAB + BASIC + UPDATE + "#match scope:notetype\n#deck:D2\nd\tj\n",
        TAB + BASIC + "#guid column:1\nG\tk\tl\n", TAB + BASIC + "#guid column:1\n#if matches:keep both\nG\tm\tn\n", TAB + BASIC + "#guid column:1\n#if matches:keep current\nG\to\tp\n",
        TAB + BASIC + UPDATE + IN_DECK + "#guid column:1\n#deck:D3\nG\tq\tr\n",
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
