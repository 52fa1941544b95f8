package sync

import "strings"

// place says below which of our paths a URL is.
type place int

const (
	elsewhere place = iota // not a sync request
	below                  // below the collection's or the media path
)

// resolve tells which step a URL's path means. Clients are configured by hand:
// doubled and trailing slashes, a prefix that a proxy did not strip, "/hostKey"
// at the root and "/sync/msync/begin" all reach their step. Nothing is ever
// redirected: a redirected POST arrives as a GET or not at all.
func (s *Server) resolve(path string) (name string, p place) {
	if len(path) > 1024 {
		return "", elsewhere
	}
	rest := path
	for _, base := range []string{s.o.MediaURL, s.o.BaseURL} {
		if strings.HasPrefix(path, base) {
			rest, p = path[len(base):], below
			break
		}
	}
	if p == below && rest != "." && rest != ".." && rest != "" && !strings.Contains(rest, "/") {
		return rest, below // as nearly always
	}
	var parts []string
	for _, part := range strings.Split(rest, "/") {
		switch part {
		case "":
		case ".", "..":
			return "", elsewhere
		default:
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "", p
	}
	name = parts[len(parts)-1]
	if p == below && len(parts) == 1 {
		return name, below
	}
	// Below some other prefix only names that are steps are ours, or those
	// that follow "sync" or "msync".
	_, known := s.steps[name]
	if known && (len(parts) == 1 || isSyncPart(parts[len(parts)-2])) {
		return name, below
	}
	if len(parts) > 1 && isSyncPart(parts[len(parts)-2]) {
		return name, below
	}
	return name, p
}

func isSyncPart(s string) bool { return s == "sync" || s == "msync" }
