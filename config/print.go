package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Value is one key as it stands, for Values.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"` // "(hidden)" for a secret that is set
	Source string `json:"source"`
}

// Values are all keys with their values, in the order of the shipped file.
func (c *Config) Values() []Value {
	out := make([]Value, len(table))
	for i := range table {
		k := &table[i]
		text := k.get(c)
		if k.secret() && text != "" {
			text = hidden
		}
		out[i] = Value{Key: k.name, Value: text, Source: c.Source(k.name)}
	}
	return out
}

// Print writes the configuration in force in the form of an ankisyncd.conf,
// with the source of each value above it and secrets hidden. Without secrets,
// reading it back gives the same configuration.
func (c *Config) Print(w io.Writer) error {
	b := bufio.NewWriter(w)
	if c.File != "" {
		fmt.Fprintf(b, "# file: %s\n", c.File)
	} else {
		fmt.Fprintf(b, "# no file; built-in defaults\n")
	}
	for _, u := range c.Users {
		fmt.Fprintf(b, "# user: %s (%s)\n", u.Name, u.Source)
	}
	fmt.Fprintf(b, "[%s]\n", syncApp)
	for _, v := range c.Values() {
		fmt.Fprintf(b, "# %s", oneLine(v.Source))
		if isPath(v.Key) && v.Value != "" {
			fmt.Fprintf(b, ": %s", oneLine(Abs(v.Value)))
		}
		b.WriteString("\n")
		if v.Value == hidden {
			b.WriteString("#") // must not be taken for the secret
		}
		fmt.Fprintf(b, "%s =", v.Key)
		if v.Value != "" {
			fmt.Fprintf(b, " %s", escape(v.Value))
		}
		b.WriteString("\n")
	}
	return b.Flush()
}

// isPath reports keys whose relative values count from the working directory.
func isPath(key string) bool {
	switch key {
	case "data_root", "auth_db_path", "session_db_path", "tls_cert", "tls_key":
		return true
	}
	return false
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// escape writes a value so that the file's reader gets it back.
func escape(v string) string {
	v = strings.ReplaceAll(v, "%", "%%")
	return strings.ReplaceAll(v, "\n", "\n\t")
}
