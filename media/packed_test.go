package media

import "testing"

func TestPacked(t *testing.T) {
	for _, c := range []struct {
		name    string
		members []member
		want    bool
	}{
		{"pictures and sounds", []member{{name: "a.jpg", size: 9}, {name: "b.mp3", size: 9}}, true},
		{"drawings", []member{{name: "a.SVG", size: 9}, {name: "b.jpg", size: 8}}, false},
		{"no extension", []member{{name: "a", size: 9}}, true},
		{"mostly pictures", []member{{name: "a.txt", size: 8}, {name: "b.png", size: 9}}, true},
		{"nothing", nil, true},
	} {
		if got := (&Download{members: c.members}).Packed(); got != c.want {
			t.Errorf("%s: Packed = %v", c.name, got)
		}
	}
}
