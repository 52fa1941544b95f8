package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestStripVectors(t *testing.T) {
	var vectors []struct {
		Field, Stored, Sfld string
		Csum                uint32
	}
	b, err := os.ReadFile(filepath.Join("..", "testdata", "schema", "strip.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 36 {
		t.Fatalf("%d vectors, want at least 36", len(vectors))
	}
	for _, v := range vectors {
		if got := CleanField(v.Field); got != v.Stored {
			t.Errorf("CleanField(%q) = %q, want %q", v.Field, got, v.Stored)
		}
		if got := SortField([]string{v.Stored}, 0); got != v.Sfld {
			t.Errorf("SortField(%q) = %q, want %q", v.Stored, got, v.Sfld)
		}
		if got := Checksum(v.Stored); got != v.Csum {
			t.Errorf("Checksum(%q) = %d, want %d", v.Stored, got, v.Csum)
		}
	}
}
