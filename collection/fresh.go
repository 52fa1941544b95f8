package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Fresh makes a new, empty schema-18 collection at path, as a current client
// would (docs/collection-format.md §10); the file must not be there or be
// empty. The first day starts at 4 am in now's time zone.
func Fresh(ctx context.Context, path string, now time.Time) (err error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Create: true, Exclusive: true, Journal: "delete"})
	if err != nil {
		return fmt.Errorf("fresh collection: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = sqlite.InTx(ctx, db, func(tx *sql.Tx) error { return fillFresh(ctx, tx, now) })
	if err != nil {
		return fmt.Errorf("fresh collection: %w", err)
	}
	return nil
}

// rolloverHour is when a day ends.
const rolloverHour = 4

// firstDay is the start of the day that now is in.
func firstDay(now time.Time) time.Time {
	y, m, d := now.Add(-rolloverHour * time.Hour).Date()
	return time.Date(y, m, d, rolloverHour, 0, 0, 0, now.Location())
}

func fillFresh(ctx context.Context, tx convTx, now time.Time) error {
	if err := convExec(ctx, tx, ddlBase+ddlTables+ddlProtobuf+ddlTags+ddlGraves18); err != nil {
		return err
	}
	err := convExec(ctx, tx, `INSERT INTO col (id, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags)
		VALUES (1, ?, 0, ?, ?, 0, 0, 0, '', '', '', '', '')`, firstDay(now).Unix(), now.UnixMilli(), schemaCurrent)
	if err != nil {
		return err
	}
	err = convExec(ctx, tx, `INSERT INTO deck_config (id, name, mtime_secs, usn, config) VALUES (1, 'Default', 0, 0, ?)`,
		schema.DefaultDeckConfig().Encode())
	if err != nil {
		return err
	}
	err = writeDeck(ctx, tx, &schema.Deck{
		ID: 1, Name: "Default",
		Common: schema.DeckCommon{StudyCollapsed: true, BrowserCollapsed: true},
		Kind:   schema.DeckKind{Normal: &schema.NormalDeck{ConfigID: 1}},
	})
	if err != nil {
		return err
	}
	for i, nt := range stockNotetypes() {
		nt.ID = now.UnixMilli() + int64(i)
		if err := writeNotetype(ctx, tx, nt); err != nil {
			return err
		}
	}
	return writeFreshConfig(ctx, tx, now)
}

// freshConfig is §4.4 as a new collection has it.
var freshConfig = []struct{ key, val string }{
	{"activeDecks", "[1]"},
	{"addToCur", "true"},
	{"collapseTime", "1200"},
	{"creationOffset", "null"}, // a server has no offset of its own
	{"curDeck", "1"},
	{"dayLearnFirst", "false"},
	{"dueCounts", "true"},
	{"estTimes", "true"},
	{"newSpread", "0"},
	{"nextPos", "1"},
	{"sched2021", "true"},
	{"schedVer", "2"},
	{"sortBackwards", "false"},
	{"sortType", `"noteFld"`},
	{"timeLim", "0"},
}

func writeFreshConfig(ctx context.Context, tx convTx, now time.Time) error {
	const insert = `INSERT INTO config (KEY, usn, mtime_secs, val) VALUES (?, ?, ?, ?)`
	for _, c := range freshConfig {
		if err := convExec(ctx, tx, insert, c.key, 0, 0, []byte(c.val)); err != nil {
			return err
		}
	}
	return convExec(ctx, tx, insert, "curModel", -1, now.Unix(), strconv.AppendInt(nil, now.UnixMilli(), 10))
}

const (
	stockCard = `.card {
    font-family: arial;
    font-size: 20px;
    line-height: 1.5;
    text-align: center;
    color: black;
    background-color: white;
}
`
	stockClozeCSS = stockCard + `.cloze {
    font-weight: bold;
    color: blue;
}
.nightMode .cloze {
    color: lightblue;
}
`
	stockOcclusionCSS = `#image-occlusion-canvas {
    --inactive-shape-color: #ffeba2;
    --active-shape-color: #ff8e8e;
    --inactive-shape-border: 1px #212121;
    --active-shape-border: 1px #212121;
    --highlight-shape-color: #ff8e8e00;
    --highlight-shape-border: 1px #ff8e8e;
}

.card {
    font-family: arial;
    font-size: 20px;
    text-align: center;
    color: black;
    background-color: white;
}
`
	stockLatexPre = `\documentclass[12pt]{article}
\special{papersize=3in,5in}
\usepackage[utf8]{inputenc}
\usepackage{amssymb,amsmath}
\pagestyle{empty}
\setlength{\parindent}{0in}
\begin{document}
`
	stockLatexPost = `\end{document}`

	stockAnswer        = "{{FrontSide}}\n\n<hr id=answer>\n\n{{Back}}"
	stockReverseAnswer = "{{FrontSide}}\n\n<hr id=answer>\n\n{{Front}}"

	stockOcclusionQuestion = "{{#Header}}<div>{{Header}}</div>{{/Header}}\n" +
		"<div style=\"display: none\">{{cloze:Occlusion}}</div>\n" +
		"<div id=\"err\"></div>\n" +
		"<div id=\"image-occlusion-container\">\n" +
		"    {{Image}}\n" +
		"    <canvas id=\"image-occlusion-canvas\"></canvas>\n" +
		"</div>\n" +
		"<script>\ntry {\n    anki.imageOcclusion.setup();\n} catch (exc) {\n" +
		"    document.getElementById(\"err\").innerHTML = `Error loading image occlusion. Is your Anki version up to date?<br><br>${exc}`;\n" +
		"}\n</script>\n"
	stockOcclusionAnswer = stockOcclusionQuestion + "\n<div><button id=\"toggle\">Toggle Masks</button></div>\n" +
		"{{#Back Extra}}<div>{{Back Extra}}</div>{{/Back Extra}}\n"
)

// stockNotetypes are the six that every client makes, in order. Fields and
// templates have random ids, by which clients tell them from namesakes.
func stockNotetypes() []*schema.Notetype {
	any1 := func(ord uint32, fields ...uint32) schema.CardRequirement {
		return schema.CardRequirement{CardOrd: ord, Kind: schema.RequireAny, FieldOrds: fields}
	}
	front := schema.TemplateConfig{QFormat: "{{Front}}", AFormat: stockAnswer}
	back := schema.TemplateConfig{QFormat: "{{Back}}", AFormat: stockReverseAnswer}
	maybeBack := schema.TemplateConfig{QFormat: "{{#Add Reverse}}{{Back}}{{/Add Reverse}}", AFormat: stockReverseAnswer}
	typed := schema.TemplateConfig{QFormat: "{{Front}}\n\n{{type:Back}}", AFormat: "{{Front}}\n\n<hr id=answer>\n\n{{type:Back}}"}

	basic := stockNotetype("Basic", 1, []string{"Front", "Back"}, any1(0, 0))
	addTemplates(basic, stockTemplate{"Card 1", front})
	reversed := stockNotetype("Basic (and reversed card)", 2, []string{"Front", "Back"}, any1(0, 0), any1(1, 1))
	addTemplates(reversed, stockTemplate{"Card 1", front}, stockTemplate{"Card 2", back})
	optional := stockNotetype("Basic (optional reversed card)", 3, []string{"Front", "Back", "Add Reverse"}, any1(0, 0),
		schema.CardRequirement{CardOrd: 1, Kind: schema.RequireAll, FieldOrds: []uint32{1, 2}})
	addTemplates(optional, stockTemplate{"Card 1", front}, stockTemplate{"Card 2", maybeBack})
	typing := stockNotetype("Basic (type in the answer)", 4, []string{"Front", "Back"}, any1(0, 0, 1))
	addTemplates(typing, stockTemplate{"Card 1", typed})

	cloze := stockNotetype("Cloze", 5, []string{"Text", "Back Extra"}, any1(0, 0))
	addTemplates(cloze, stockTemplate{"Cloze", schema.TemplateConfig{QFormat: "{{cloze:Text}}", AFormat: "{{cloze:Text}}<br>\n{{Back Extra}}"}})
	cloze.Config.Kind, cloze.Config.CSS = schema.KindCloze, stockClozeCSS
	occlusion := stockNotetype("Image Occlusion", 6, []string{"Occlusion", "Image", "Header", "Back Extra", "Comments"}, any1(0, 0, 1, 2))
	addTemplates(occlusion, stockTemplate{"Image Occlusion", schema.TemplateConfig{QFormat: stockOcclusionQuestion, AFormat: stockOcclusionAnswer}})
	occlusion.Config.Kind, occlusion.Config.CSS = schema.KindCloze, stockOcclusionCSS
	for _, nt := range []*schema.Notetype{cloze, occlusion} {
		for i := range nt.Fields {
			tag := uint32(i)
			nt.Fields[i].Config.Tag = &tag
			last := i == len(nt.Fields)-1
			nt.Fields[i].Config.PreventDeletion = !last // all but the free text
		}
	}
	return []*schema.Notetype{basic, reversed, optional, typing, cloze, occlusion}
}

func randomID() *int64 {
	id := int64(rand.Uint64())
	return &id
}

func stockNotetype(name string, kind int32, fields []string, reqs ...schema.CardRequirement) *schema.Notetype {
	nt := &schema.Notetype{Name: name, Config: schema.NotetypeConfig{
		CSS: stockCard, LatexPre: stockLatexPre, LatexPost: stockLatexPost, Reqs: reqs, OriginalStockKind: kind,
	}}
	for i, f := range fields {
		nt.Fields = append(nt.Fields, schema.Field{Ord: uint32(i), Name: f, Config: schema.FieldConfig{FontName: "Arial", FontSize: 20, ID: randomID()}})
	}
	return nt
}

type stockTemplate struct {
	name   string
	config schema.TemplateConfig
}

func addTemplates(nt *schema.Notetype, templates ...stockTemplate) {
	for i, t := range templates {
		t.config.ID = randomID()
		nt.Templates = append(nt.Templates, schema.Template{Ord: uint32(i), Name: t.name, Config: t.config})
	}
}
