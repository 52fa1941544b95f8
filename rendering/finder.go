package rendering

import "strings"

// finder finds one needle in one text for positions that mostly rise. A miss
// or a far hit is remembered, so that asking at every position of a hostile
// text stays linear.
type finder struct {
	text, needle string
	from, at     int // the last answer: at is the first hit at or after from
	asked        bool
}

// next returns the first hit at or after pos, or -1.
func (f *finder) next(pos int) int {
	if f.asked && pos >= f.from && (f.at < 0 || pos <= f.at) {
		return f.at
	}
	f.asked, f.from, f.at = true, pos, -1
	if pos <= len(f.text) {
		if i := strings.Index(f.text[pos:], f.needle); i >= 0 {
			f.at = pos + i
		}
	}
	return f.at
}

// budget is how many bytes one Render may still read and write.
type budget struct{ left int }

func (b *budget) spend(n int) { b.left -= n }
func (b *budget) spent() bool { return b.left < 0 }

// buffer is a strings.Builder that stops growing when the budget is spent; the
// caller asks the budget once at the end instead of at every write.
type buffer struct {
	strings.Builder
	budget *budget
}

func (w *buffer) add(s string) {
	w.budget.spend(len(s))
	if !w.budget.spent() {
		w.WriteString(s)
	}
}

// lowerASCII lower-cases A to Z only, so that offsets stay those of s.
func lowerASCII(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
