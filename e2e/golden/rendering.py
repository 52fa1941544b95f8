#!/usr/bin/env python3
"""Record how the real library renders cards, for the tests of package rendering.

Usage: <python of a desktop client> e2e/golden/rendering.py [output.json]

Writes rendering/testdata/odd.json unless told otherwise. The cases are the odd
ones: what a specification forgets. Needs the `anki` package, no network.
"""

import json
import os
import sys
import tempfile

from anki.buildinfo import version
from anki.collection import Collection

Q, A = "{{Front}}", "{{FrontSide}}<hr>{{Back}}"
CQ, CA = "{{cloze:Text}}", "{{cloze:Text}}<br>{{Back Extra}}"

CASES = []


def normal(name, qfmt=Q, afmt=A, front="front", back="back", extra="", **more):
    fields = {"Front": front, "Back": back, "Extra": extra}
    CASES.append(dict(id=name, qfmt=qfmt, afmt=afmt, fields=fields, cloze=False, **more))


def cloze(name, text, qfmt=CQ, afmt=CA, extra="more", **more):
    fields = {"Text": text, "Back Extra": extra}
    CASES.append(dict(id=name, qfmt=qfmt, afmt=afmt, fields=fields, cloze=True, **more))


def templates():
    normal("unclosed section", "{{#Front}}x")
    normal("unclosed section, back", afmt="{{#Back}}x{{Back}}")
    normal("unclosed inner section", "{{#Front}}{{#Back}}{{/Back}}")
    normal("wrong close", "{{#Front}}{{#Back}}{{Front}}{{/Front}}{{/Back}}")
    normal("stray close", "{{Front}}{{/Front}}")
    normal("stray close html", "{{Front}}{{/<b>'\"&}}")
    normal("unknown field", "{{Front}} {{Nope}}")
    normal("unknown field with filters", "{{Front}} {{text:hint:Nope}}")
    normal("unknown field in hidden section", "{{Front}}{{#Extra}}{{Nope}}{{/Extra}}")
    normal("unknown field in shown negation", "{{Front}}{{^Extra}}{{Nope}}{{/Extra}}")
    normal("unknown condition", "{{Front}}{{#Nope}}x{{/Nope}}")
    normal("unknown negated condition", afmt="{{Back}}{{^Nope}}x{{/Nope}}")
    normal("filter in condition", "{{Front}}{{#text:Front}}x{{/text:Front}}")
    normal("empty tag", "{{Front}}{{}}")
    normal("empty tag with filter", "{{Front}}[{{text:}}][{{:}}][{{foo:}}]")
    normal("blank tag", "{{Front}}{{  }}")
    normal("one sign tag, back", afmt="{{/}}{{Back}}")
    normal("one sign tag", "{{Front}}{{#}}")
    normal("static only", "static text")
    normal("unclosed tag, then tag", "{{Front}} {{Back {{Back}}")
    normal("stray closing", "}} {{Front}} }} }")
    normal("single braces", "{Front} {{Front}} { {Front} }")
    normal("four braces", "{{{{Front}}}}")
    normal("space in section", "{{# Front }}x{{Front}}{{/  Front }}")
    normal("space around filter", "{{ text:Front }}")
    normal("space before colon", "{{text :Front}}")
    normal("comment unclosed", "{{Front}}<!-- {{Back}}")
    normal("comment in section", "{{#Front}}<!-- {{/Front}} -->{{Front}}{{/Front}}")
    normal("comment in tag", "{{Front}}{{<!-- x -->}}")
    normal("comment short", "{{Front}}<!-->{{Back}}--><!---->")
    normal("newline in tag", "{{\nFront\n}}")
    normal("alt delimiters", "{{=<% %>=}}<%#Front%>{{Front}}<%Front%><%/Front%><%^Back%>n<%/Back%>")
    normal("alt delimiters after space", " \n{{=<% %>=}} <%Front%> ")
    normal("alt delimiters twice", "{{=<% %>=}}{{=<% %>=}}<%Front%>")
    normal("alt delimiters not first", "x{{=<% %>=}}<%Front%>{{Front}}")
    normal("alt delimiters error", "{{=<% %>=}}<%#Front%><%Front%>")
    normal("nested same section", "{{#Front}}a{{#Front}}b{{/Front}}c{{Front}}{{/Front}}")
    normal("section and negation", "{{#Extra}}a{{/Extra}}{{^Extra}}b{{/Extra}}{{Front}}")
    normal("negated shows field", "{{^Extra}}{{Front}}{{/Extra}}")
    normal("negated hides field", "{{^Front}}{{Back}}{{/Front}}")
    normal("emoji field", front="日本 🙂 é", back="ü")
    normal("c1 on a normal card", "{{Front}}{{#c1}}one{{/c1}}{{^c2}}not two{{/c2}}{{c1}}")
    normal("c conditions", "{{Front}}{{#c+1}}p{{/c+1}}{{^c99}}n{{/c99}}{{^c4294967296}}x{{/c4294967296}}")
    normal("browser formats", bqfmt="B:{{Front}}", bafmt="BA:{{Back}} {{FrontSide}}", browser=True)
    normal("browser front only", bqfmt="B:{{Front}}", browser=True)
    normal("browser front static", bqfmt="static", browser=True)
    normal("browser front error", bqfmt="{{Nope}}", browser=True)
    normal("browser back error", bafmt="{{#Back}}", browser=True)
    normal("browser blank", front="", browser=True)
    normal("frontside on front", "{{Front}}{{FrontSide}}")
    normal("frontside filtered", afmt="{{text:FrontSide}}{{hint:FrontSide}}|{{Back}}", front="<b>x</b>")
    normal("blank with special field", "{{Deck}}{{Front}}", front="")
    normal("blank with tags", "{{Tags}}{{Front}}", front="")
    normal("blank with tags set", "{{Tags}}{{Front}}", front="", tags=["t"])
    normal("blank static", "static {{Front}}", front="")
    normal("blank type", "{{type:Front}}", front="")
    normal("blank with sound", "[sound:a.mp3]{{Front}}", front="")
    normal("blank in section", "{{#Front}}{{Back}}{{/Front}}", front="")
    normal("special fields", "{{Front}}|{{Tags}}|{{Type}}|{{Deck}}|{{Subdeck}}|{{Card}}|{{CardFlag}}",
           tags=["b", "a::b", "c"], deck="X::Y Z", flag=0)
    normal("special conditions", "{{Front}}{{#Tags}}T{{/Tags}}{{#CardFlag}}F{{/CardFlag}}{{#CardID}}I{{/CardID}}")
    for i, empty in enumerate(["<br><BR/><br />", "<div>\n</div>", "<div class=a></div>", "\u00a0", "<p></p>",
                               "<br/ >", "<br  />", "&#32;", "</br></div>", "<brx>", "\t\v\f\r\n", "<", "<br"]):
        normal(f"emptiness {i}", "{{Front}}{{#Extra}}shown{{/Extra}}{{^Extra}}hidden{{/Extra}}", extra=empty)
    normal("several templates", extra_templates=[["{{Extra}}{{Card}}", "x"], ["{{#Back}}{{Extra}}{{/Back}}", "y"],
                                                 ["{{^Extra}}{{Front}}{{/Extra}}", "z"], ["{{#Tags}}{{Back}}{{/Tags}}", "z"]])
    normal("several templates, second card", ord=1,
           extra_templates=[["{{Back}}{{#c2}}two{{/c2}}", "{{Front}} {{Card}} {{FrontSide}}"]])
    normal("duplicate fronts", extra_templates=[["{{Front}}", "x"]])
    normal("all required", "{{#Front}}{{#Back}}{{Extra}}{{/Back}}{{/Front}}", extra="e")
    normal("any required", "{{#Front}}{{Front}}{{/Front}}{{^Front}}{{Back}}{{/Front}}{{Extra}}")
    normal("mixed required", "{{#Front}}{{Back}}{{/Front}}{{#Front}}{{Extra}}{{/Front}}")
    normal("required by special", "{{#Tags}}{{Front}}{{/Tags}}")
    normal("required under special", "{{#Tags}}{{Back}}{{/Tags}}{{#Front}}{{Extra}}{{/Front}}", extra="e")


def filters():
    normal("text filter entities", "{{text:Front}}", front="a&nbsp;b &amp;lt; &lang;&#233;&#xe9;&euro;&Eacute;")
    for i, bad in enumerate(["a & b&lt;", "&apos;&lt;", "&lt", "&#;&lt;", "&#X41;&lt;", "&#xD800;&lt;", "&#128;&#0000065;",
                             "&foo;&lt;", "&AMP;", "\u00a0x", "&#160;", "&&lt;"]):
        normal(f"entities {i}", "[{{text:Front}}]", front=bad)
    for i, html in enumerate(["a<b", "a<b>c<>d", "<style>a</style>b<STYLE x>c</Style >d</STYLE>e", "<script>a<b",
                              "<style a>b", "<!-- a <b> -->c<!-- d", "<!-->b-->c", "<\n>e", "<scripty>a</script>b",
                              "<!-- <style> --> x </style>", "a > b < c > d", "<style>\n<b></style><<b>>"]):
        normal(f"strip {i}", "[{{text:Front}}]", front=html)
    normal("hint blank", "{{Front}}{{hint:Extra}}", extra=" \n ")
    normal("hint nbsp char", "{{Front}}{{hint:Extra}}", extra="\u00a0")
    normal("hint nbsp entity", "{{Front}}{{hint:Extra}}", extra="&nbsp;")
    normal("hint twice", "{{hint:hint:Front}}")
    for n in (63, 64, 65, 1019, 1020, 1024, 2043, 2044, 5000, 9000):
        normal(f"hint of {n}", "{{hint:Front}}", front="é" * (n // 2) + "x" * (n % 2))
    normal("hint text", "{{hint:text:Front}} {{text:hint:Front}}", front="<b>a</b>")
    normal("type variants", "{{Front}}{{type:text:Front}}{{text:type:Front}}{{type:foo:bar:Front}}{{type:cloze:Front}}{{type:nc:Front}}")
    normal("type chains", "{{Front}}{{type:nc:cloze:Front}}{{foo:type:Front}}{{type:type:Front}}{{type-cloze:Front}}{{type-nc:Front}}")
    normal("unknown filter first", "{{foo:text:Front}}", front="<b>a</b>")
    normal("unknown filter last", "{{text:foo:Front}}", front="<b>a</b>")
    normal("unknown filter between", "{{text:foo:furigana:Front}}", front="<b>a</b> b[c]")
    normal("case of filter", "{{Text:Front}}{{TEXT:Front}}", front="<b>a</b>")
    normal("empty filters", "{{::text::Front}}", front="<b>a</b>")
    for i, ruby in enumerate(["a[b]", " a[b]", "  a[b]", "x a[b]c[d] e[f]", "[a]", "[[a]", "a[]", "a[]]", "a[b", "a[b\nc] d[e]",
                              "<b>a</b>[b]", "a>b[c]", "a[sound:x] b[c]", "a[b c>d]e", "a\nb[c]", "a&nbsp;b[c]&nbsp;d", "a[b[c]d]e[f]",
                              "漢字[かん じ]仮名[かな]", "[sound:a.mp3] b[c]", "a[b][c][d]", "a\u00a0b[c]", "a  [b]", "é[ü]x", "a[\n] b[c]", "a[b] [c] d[e]"]):
        normal(f"furigana {i}", "{{furigana:Front}}|{{kana:Front}}", "{{kanji:Front}}", front=ruby)
    normal("ruby chains", "{{kana:furigana:Front}}|{{furigana:kanji:Front}}|{{hint:furigana:Front}}", front="a[b] c[d]")
    for i, opts in enumerate(["en_US", "en_US voices=A,B", "en_US speed=0.8 foo=bar", "en_US cloze_blank=xx", 'en_US x="a b"',
                              "", " ", "en_US  speed=abc", "en_US speed=1e1", "en_US voices=", "en_US =x", "en_US x", 'en_US x="a',
                              'en_US cloze_blank="so so" speed=.5', "en_US lang=de_DE speed=1 speed=2"]):
        normal(f"tts {i}", "{{Front}} {{tts %s:Front}}" % opts, front="a<br>b<div>c</div>[...] <p>d</p><p x=y>e&lt;</p>")
    normal("tts needs a space", "{{tts:Front}}")
    normal("tts of furigana", "{{tts ja_JP:kana:Front}}", front="a[b]")
    normal("tts in FrontSide", "{{tts en_US:Front}}", "{{FrontSide}}{{tts en_US:Back}}")
    normal("sounds", front="[sound:a&amp;b.mp3][sound:][sound:c d.mp3][sound:x/y.mp3] [sound:e\nf.mp3] [sound:g", back="[sound:h].mp3]")
    normal("directives", front="[anki:foo bar=baz]x[sound:y.mp3][/anki:foo] [anki:foo  a=\"b c\" ]x[/anki:foo] [anki:foo\ta=\"b\"]x[/anki:foo] [sound:z.mp3]")
    normal("directives odd", front="[anki:tts]a[/anki:tts] [anki:tts lang=x]b[/anki:foo] [anki:tts lang=x][sound:c.mp3][/anki:tts] [anki:]x[/anki:]")
    normal("directives nested", front="[anki:tts lang=a]b[anki:tts lang=c]d[/anki:tts]e[/anki:tts] [anki:play:q:0]")


def clozes():
    cloze("nested with hints", "{{c1::a {{c2::b::h2}} c::h1}} d")
    cloze("nested with hints, inner", "{{c1::a {{c2::b::h2}} c::h1}} d", ord=1)
    cloze("nested same number", "{{c1::a {{c1::b}} c}}")
    cloze("nested three", "{{c1::a{{c2::b{{c3::c}}d}}e}}", ord=1)
    cloze("nested three, deepest", "{{c1::a{{c2::b{{c3::c}}d}}e}}", ord=2)
    cloze("nested twelve", "".join("{{c%d::%d " % (i % 3 + 1, i) for i in range(12)) + "x" + "}}" * 12)
    cloze("nested twelve, second", "".join("{{c%d::%d " % (i % 3 + 1, i) for i in range(12)) + "x" + "}}" * 12, ord=1)
    cloze("stray closers", "a }} {{c1::b}} }} {{c")
    cloze("unclosed after", "{{c1::b}} {{c2::x")
    cloze("number list", "{{c1,3::a}} {{c2::b}} {{c3,1,3::c}}", ord=2)
    cloze("number list odd", "{{c,1,::a}} {{c1,99999::b}} {{c::c}} {{c,::d}}")
    cloze("number zero", "{{c0::a}} {{c1::b}}")
    cloze("number zero alone", "{{c0::a}}")
    cloze("leading zeros", "{{c01::a}} {{c1::b}}")
    cloze("high numbers", "{{c500::a}} {{c501::b}} {{c1000::c}} {{c65535::d}} {{c65536::e}}", ord=499)
    cloze("space in opener", "{{ c1::a}} {{c1 ::b}} {{c1::c}} {{c1:d}}")
    cloze("triple braces", "{{{c1::a}}} {{c1::{b}}} {{c1::{{d}} e}}")
    cloze("hint empty", "{{c1::a::}} {{c1::::h}} {{c1::::}}")
    cloze("hint html", "{{c1::<b>a</b>::<i>h</i>}}")
    cloze("hint after nested", "{{c1::a{{c2::b}}c::h}} x")
    cloze("hint before nested", "{{c1::a::h{{c2::b}}c}} x")
    cloze("hints twice", "{{c1::a::h{{c2::b}}c::i}} x")
    cloze("attribute escapes", "{{c1::a&b <x y=\"z\"> 'q' é ÿ\u0100 日本 _-./\t}}")
    cloze("mathjax", r"\({{c1::x^2}}\) \[{{c1::y::h}} {{c2::z}}\] {{c1::w}}")
    cloze("mathjax in cloze", r"{{c1::a \(x\) b}} \[<b>y</b>\)")
    cloze("mathjax unclosed", r"\( {{c1::x}} \\( y")
    cloze("mathjax entities", r"\(&lt;{{c1::x}}&amp;\)")
    cloze("text of cloze", "{{c1::<b>a</b>::<i>h</i>}} &amp; {{c2::b}}", qfmt="{{text:cloze:Text}}{{cloze:Text}}")
    cloze("cloze of text", "{{c1::<b>a</b>}}", qfmt="{{cloze:text:Text}}")
    cloze("cloze-only", "{{c1::a}} b {{c1::c {{c1::d}}::h}} {{c2::e}}", qfmt="{{cloze:Text}}|{{cloze-only:Text}}", afmt="{{cloze:Text}}|{{cloze-only:Text}}")
    cloze("cloze-only, none", "{{c1::a}}", qfmt="{{cloze:Text}}|{{cloze-only:Back Extra}}")
    cloze("tts of cloze-only", "{{c1::a}} {{c1::b}}", qfmt="{{cloze:Text}}{{tts en_US:cloze-only:Text}}", afmt="{{cloze:Text}}{{tts en_US:cloze-only:Text}}")
    cloze("tts of cloze", "{{c1::a}} b {{c2::c}}", qfmt="{{cloze:Text}}{{tts en_US:cloze:Text}}{{tts en_US cloze_blank=hmm:cloze:Text}}")
    cloze("without cloze filter", "{{c1::a}} b", qfmt="{{Text}}", afmt="{{Text}}")
    cloze("filter on plain field", "{{c1::a}}", qfmt="{{cloze:Text}}[{{cloze:Back Extra}}]")
    cloze("number only in other field", "plain", extra="{{c2::x}}", ord=1)
    cloze("number not in this field", "{{c1::a}}", extra="{{c2::x}}", ord=1)
    cloze("conditions", "{{c1::a}} {{c2::b}}", qfmt="{{#c1}}1{{/c1}}{{#c2}}2{{/c2}}{{^c1}}n1{{/c1}}{{cloze:Text}}{{c2}}", ord=1)
    cloze("cloze of nothing", "", ord=0)
    cloze("line breaks", "{{c1::a\nb::h\ni}}\n{{c2::c}}")
    cloze("cloze sounds", "{{c1::[sound:a.mp3]::[sound:h.mp3]}} {{c2::[sound:b.mp3]}}")
    cloze("furigana in cloze", "{{c1::漢字[かんじ]}} 仮名[かな]", qfmt="{{furigana:cloze:Text}}", afmt="{{cloze:furigana:Text}}")
    shapes = ["rect:left=.1:top=.2:width=0:height=.4", "ellipse:left=.1:rx=0:ry=.5:angle=30:fill=#ff0000",
              "polygon:points=0,0 1,1  2 3,4,5:oi=1", "text:text=a\\:b\\\\c \"<&é:scale=1.5:fs=.3", "star:left=1",
              "rect", "rect:", ":left=1", "rect:left=:top=1", "rect:left=1:top", "rect:left=1:a:b=2:top=3",
              "text:text=a\\x:left=1", "text:text=a\\", "rect:left=1:left=2:unknown=3:oi=0", "rect:left=a\"b:top=<x>", "polygon:points=1 2:left=1",
              "text:text=\\::left=1"]
    for i, shape in enumerate(shapes):
        cloze(f"occlusion {i}", "{{c1::image-occlusion:%s}}<br>{{c2::image-occlusion:%s}}" % (shape, shape))
    cloze("occlusion zero", "{{c0::image-occlusion:rect:left=1}}{{c1::image-occlusion:rect:left=2}}")
    cloze("occlusion with text", "{{c1::image-occlusion:rect:left=1{{c2::x}}}} {{c1::x image-occlusion:rect}} {{c1,2::image-occlusion:rect:left=2}}")


LATEX = [
    "[latex]é\x7f\x80ü\xad–\t\"'<>&a_b[/latex]", "[LaTeX]a<br/>b<br />c<BR>d<div>e</div>f[/LATEX]", "[$]a[/$$]b[/$]",
    "[$$]a[/$]b[/$$]", "[$][/$]", "[latex][/latex]x[/latex]", "[latex]a", "[$]a\nb[/$]", "[latex]a&nbsp;b &foo; c[/latex]",
    "[$][$]x[/$][/$] [$$]y[/$$]", "[[$]x[/$]]", "[latex]a[$]b[/$]c[/latex]", "[$]x[/$][$]x[/$]", "[latex]a &lt; b&nbsp;c[/latex]",
    "[$]<b>x</b>[/$]", "[$]é[/$]", "[/latex][latex] [/latex]",
]

TYPING = [
    "{{c1::a}}", "{{c1::a}} {{c1::a}}", "{{c1::a}} {{c1::b}} {{c1::a}}", "{{c2::x}}", "{{c1::a::h}}", "{{c1::a {{c1::b}}}}",
    "{{c1::a {{c2::b}} c}}", "", "{{c1::}} {{c1::}}", "{{c1,2::x}} {{c2::y}}",
]


def av_tags(tags):
    return [dict(kind=type(t).__name__, **t.__dict__) for t in tags]


def record(col, case):
    """Adds what the library makes of the case to it."""
    for key, default in (("tags", []), ("deck", "Default"), ("ord", 0), ("flag", 0)):
        case.setdefault(key, default)
    mm = col.models
    name = f"nt {case['id']}"
    nt = mm.new(name)
    nt["type"] = 1 if case["cloze"] else 0
    for field in case["fields"]:
        mm.add_field(nt, mm.new_field(field))
    formats = [[case["qfmt"], case["afmt"]], *case.get("extra_templates", [])]
    for i, (qfmt, afmt) in enumerate(formats):
        t = mm.new_template(f"Card {i + 1}")
        t["qfmt"], t["afmt"] = qfmt, afmt
        if i == 0:
            t["bqfmt"], t["bafmt"] = case.get("bqfmt", ""), case.get("bafmt", "")
        mm.add_template(nt, t)
    try:
        mm.add_dict(nt)
    except Exception as e:
        case["check"] = str(e)
        # the clients save such a notetype when it comes by sync or import
        broken = nt["tmpls"]
        nt["tmpls"] = [dict(broken[0], qfmt="{{cloze:%s}}" % list(case["fields"])[0], afmt="{{cloze:%s}}" % list(case["fields"])[0])]
        mm.add_dict(nt)
        nt = mm.by_name(name)
        for i, t in enumerate(broken):
            t["ord"] = i if i == 0 else None
        nt["tmpls"] = broken
        mm.update_dict(nt, skip_checks=True)
    nt = mm.by_name(name)
    case["req"] = nt.get("req", [])
    note = col.new_note(nt)
    for field, text in case["fields"].items():
        note[field] = text
    note.tags = list(case["tags"])
    col.add_note(note, col.decks.id(case["deck"]))
    note.load()
    case["tags"] = note.tags
    case["fields"] = dict(note.items())
    cards = sorted(note.cards(), key=lambda c: c.ord)
    case["card_ords"] = [c.ord for c in cards]
    card = next(c for c in cards if c.ord == case["ord"])
    col.set_user_flag_for_cards(case["flag"], [card.id])
    card.load()
    out = card.render_output(reload=True, browser=case.get("browser", False))
    case["question"], case["answer"] = out.question_text, out.answer_text
    case["question_av"], case["answer_av"] = av_tags(out.question_av_tags), av_tags(out.answer_av_tags)
    report = {n.note_id: set(n.card_ids) for n in col.get_empty_cards().notes}
    case["empty_ords"] = [c.ord for c in cards if c.id in report.get(note.id, ())]
    col.remove_notes([note.id])


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../../rendering/testdata/odd.json")
    templates(), filters(), clozes()
    assert len({c["id"] for c in CASES}) == len(CASES), "two cases of one name"
    with tempfile.TemporaryDirectory() as folder:
        col = Collection(os.path.join(folder, "collection.anki2"))
        for case in CASES:
            record(col, case)
        latex = []
        for text in LATEX:
            for svg in (False, True):
                out = col._backend.extract_latex(text=text, svg=svg, expand_clozes=False)
                latex.append(dict(text=text, svg=svg, out=out.text, latex=[[l.filename, l.latex_body] for l in out.latex]))
        typing = [dict(text=t, number=n, out=col._backend.extract_cloze_for_typing(text=t, ordinal=n)) for t in TYPING for n in (1, 2)]
        strip = [dict(text=c["fields"]["Front"], out=col._backend.strip_av_tags(c["fields"]["Front"]))
                 for c in CASES if c["id"].startswith(("sounds", "directives")) and not c["cloze"]]
        col.close()
    with open(path, "w", encoding="utf8") as f:
        json.dump(dict(anki=version, cases=CASES, latex=latex, typing=typing, strip_av=strip), f, ensure_ascii=False, indent=1)
        f.write("\n")
    print(len(CASES), "cases", len(latex), "latex", len(typing), "typing")


main()
