package osname_test

import (
	"testing"

	"github.com/ankisyncd/ankisyncd/osname"
)

func TestOnWindows(t *testing.T) {
	for name, want := range map[string]bool{
		"alice": true, "bob@example.com": true, "zoë": true, "console": true, ".hidden": true, "a b": true, "a.txt": true, "com10": true,
		"alice.": false, "alice ": false, "con": false, "CON.png": false, "NUL.txt": false, "AUX .txt": false, "com1": false, "COM1": false,
		"a?": false, "é?": false, "a<b": false, "a:b": false, "a\tb": false, "...": false,
	} {
		if osname.OnWindows(name) != want {
			t.Error(name)
		}
	}
}
