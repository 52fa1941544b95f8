package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// passwordReader asks for passwords. At a terminal it asks twice, without echo
// (the originals asked once: a slip of the finger locked the user out).
// Otherwise it reads one line of standard input for each, as they did, so that
// "echo secret | ankisyncd adduser name" works; the prompt then goes to standard
// error, never to standard output.
type passwordReader struct {
	stdin  io.Reader
	stderr io.Writer
	lines  *bufio.Reader
	// single: only one password is asked for, so a second equal line may
	// follow, from scripts that answer a question asked twice.
	single bool
}

var errPasswordsDiffer = errors.New("the two passwords differ")

// maxPassword bounds a password's length in bytes.
const maxPassword = 4096

func (p *passwordReader) read(prompt string) (string, error) {
	if f, ok := p.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return p.readTerminal(f, prompt)
	}
	fmt.Fprint(p.stderr, prompt)
	if p.lines == nil {
		p.lines = bufio.NewReader(p.stdin)
	}
	line, err := p.line()
	fmt.Fprintln(p.stderr)
	if err != nil {
		return "", err
	}
	// Only what has arrived already: waiting for more could be for ever.
	if p.single && p.lines.Buffered() > 0 {
		again, err := p.line()
		if err == nil && again != line {
			return "", errPasswordsDiffer
		}
	}
	return line, nil
}

// line reads one line without its line break; the last may lack it.
func (p *passwordReader) line() (string, error) {
	var b strings.Builder
	for {
		c, err := p.lines.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && b.Len() == 0:
			return "", errors.New("no password on standard input")
		case err != nil && !errors.Is(err, io.EOF):
			return "", fmt.Errorf("read password: %w", err)
		case err != nil || c == '\n':
			return strings.TrimSuffix(b.String(), "\r"), nil
		}
		if b.Len() >= maxPassword {
			return "", fmt.Errorf("password is longer than %d bytes", maxPassword)
		}
		b.WriteByte(c)
	}
}

// readTerminal asks twice, on the terminal itself if it can be opened.
func (p *passwordReader) readTerminal(stdin *os.File, prompt string) (string, error) {
	var out io.Writer = p.stderr
	if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		defer tty.Close() //nolint:errcheck // nothing is buffered
		out = tty
	}
	var answers [2]string
	for i, text := range []string{prompt, "Repeat password: "} {
		fmt.Fprint(out, text)
		b, err := term.ReadPassword(int(stdin.Fd()))
		fmt.Fprintln(out)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		answers[i] = string(b)
	}
	if answers[0] != answers[1] {
		return "", errPasswordsDiffer
	}
	return answers[0], nil
}
