package rendering

import (
	"slices"
	"strings"
	"testing"
)

func TestMediaRefs(t *testing.T) {
	for html, want := range map[string][]string{
		`plain`:                                nil,
		`<img src="a b.jpg">`:                  {"a b.jpg"},
		`<IMG class=x SRC='a.jpg' alt="">`:     {"a.jpg"},
		`<img src=a.jpg>`:                      {"a.jpg"},
		`<img src=a.jpg width=3>`:              {"a.jpg"},
		`<img alt="a > b" src="c.jpg">`:        {"c.jpg"},
		`<img alt="it's" src="c.jpg">`:         {"c.jpg"},
		`<img alt=">`:                          nil,
		`<img datasrc="x" src="y">`:            {"y"},
		`<image src="x"><imgx src="y">`:        nil,
		`<object data="a.svg"></object>`:       {"a.svg"},
		`<video><source src=v.mp4></video>`:    {"v.mp4"},
		`<audio src="x.mp3"><audio src=x.mp3>`: {"x.mp3"},
		`<img src="a&amp;b.jpg">[sound:c&amp;d.mp3]<img src="https://x/y">`: {"a&b.jpg", "https://x/y", "c&d.mp3"},
		`[sound:a.mp3][sound:][sound:b`:                                     {"a.mp3"},
		`<p src="x">`:                                                       nil,
		`<img src="">`:                                                      {`""`}, // so read clients that attribute
		`<img src="a.jpg"`:                                                  nil,
		// Quotes that are not in pairs hide no tag.
		`<img alt="5" 6" src="a.jpg"><img src="b.jpg">`:                 {"a.jpg", "b.jpg"},
		`<img src="c.jpg" title="x"y"> <img src="d.jpg">`:               {"c.jpg", "d.jpg"},
		`<img alt=it's src="e.jpg"> it's <img src="f.jpg">`:             {"e.jpg", "f.jpg"},
		`<img src="g.jpg" alt="a > b" data="h.jpg"> <img src=i.jpg>`:    {"g.jpg", "i.jpg"},
		`<img alt="><img src='j.jpg'>`:                                  {"j.jpg"},
		`<img title="` + strings.Repeat("x", 20<<10) + `" src="k.jpg">`: {"k.jpg"},
	} {
		if got := MediaRefs(html); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", html, got, want)
		}
	}
}

func TestRenameMedia(t *testing.T) {
	names := map[string]string{"a.jpg": "a-1.jpg", "b&c.png": "b&c-1.png", "x": "y", "d.mp3": "d-1.mp3"}
	for html, want := range map[string]string{
		`a.jpg <img src="a.jpg"> "a.jpg"`:          `a.jpg <img src="a-1.jpg"> "a.jpg"`,
		`<img alt="a.jpg" SRC=a.jpg>`:              `<img alt="a-1.jpg" SRC=a-1.jpg>`,
		`<img src='a.jpg' title='a.jpg' x=3>`:      `<img src='a-1.jpg' title='a-1.jpg' x=3>`,
		`<img src="b&amp;c.png"><img src=b&c.png>`: `<img src="b&amp;c-1.png"><img src=b&c-1.png>`,
		`[sound:d.mp3][sound:a.mp3]`:               `[sound:d-1.mp3][sound:a.mp3]`,
		`<video src=x>xx<img src="other.jpg">`:     `<video src=y>xx<img src="other.jpg">`,
		`<img src="a.jpg" alt="[sound:d.mp3]">`:    `<img src="a-1.jpg" alt="[sound:d-1.mp3]">`,
		`<img src="a.jpg"`:                         `<img src="a.jpg"`, // no tag, in clients neither
		`<img alt="5" 6" src="a.jpg"><img src=x>`:  `<img alt="5" 6" src="a-1.jpg"><img src=y>`,
		`<img src=x alt="x"y"> <img src='a.jpg'>`:  `<img src=y alt="y"y"> <img src='a-1.jpg'>`,
		`<img alt=it's src=x> it's <img src=x>`:    `<img alt=it's src=y> it's <img src=y>`,
		``:                                         ``,
	} {
		if got := RenameMedia(html, names); got != want {
			t.Errorf("%s: got %s, want %s", html, got, want)
		}
	}
}

func TestStaticMedia(t *testing.T) {
	got := StaticMedia(
		`@import "_a.css"; @import url( "_b.css" ); x{src: url(_c.ttf)} y{src:url( _d.ttf )} .e_f{} "g_h"`,
		`<img src=_i.png><script src="_j.js"></script>[sound:_k.mp3]<img data=_l.svg > _m '_n.js' "_`,
		``,
	)
	want := []string{"_a.css", "_b.css", "_c.ttf", "_d.ttf", "_i.png", "_j.js", "_k.mp3", "_l.svg", "_n.js"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
