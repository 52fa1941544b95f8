package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// Defaults of Options.
const (
	DefaultMaxBodyBytes   = 16 << 20
	DefaultMaxImportBytes = 64 << 20
	DefaultMaxAnswerBytes = 64 << 20
	DefaultMaxMediaBytes  = media.DefaultMaxFileBytes
)

// MaxPreload is how many whole objects one answer holds at most. Lists of ids
// have no such limit.
const MaxPreload = 10_000

// maxReviews is how many reviews one answer holds at most.
const maxReviews = 100_000

// banner is what the original answered to GET /; programs look for it.
const banner = "AnkiServer 2.0.6"

// Users says for whom a collection may be made, and whose is not served;
// *auth.Store is one.
type Users interface {
	// HasUser reports whether there is an account of this name.
	HasUser(ctx context.Context, name string) (bool, error)
	// KeptOut reports whether there is one that is not let in: whose the cards
	// in its folder are is not known. It is called with every request.
	KeptOut(ctx context.Context, name string) (bool, error)
}

// Options are the settings of an API. Collections is required, the rest has
// usable zero values.
type Options struct {
	// Collections are those that the API works on.
	Collections *collection.Store
	// Users may have a collection that does not exist yet: it is made by their
	// first call. Existing collections are served whether or not there is an
	// account. nil means that none are made.
	Users Users
	// AllowedHosts are the addresses ("10.0.0.7", "::1"), networks
	// ("10.0.0.0/8") or "localhost" that may call; "*" is everybody. Empty
	// means this machine only. See CheckHosts.
	AllowedHosts []string
	// ServerNames are further names under which programs without a token may
	// address the API, see the guard against DNS rebinding in docs/rest-api.md.
	ServerNames []string
	// AllowedOrigins are the origins ("https://study.example.org") of web pages
	// that may call from a browser (CORS). Empty means none but the API's own.
	AllowedOrigins []string
	// Token, if set, must come with every call as a bearer token.
	Token string
	// ClientAddr says from where a request comes. nil means the address of the
	// connection; headers are then not believed. An invalid address, that of a
	// unix socket, counts as this machine.
	ClientAddr func(*http.Request) netip.Addr
	// MaxBodyBytes limits the body of a call; 0 means DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// MaxImportBytes limits the body of import_file, and separately what its
	// package holds after decompression; 0 means DefaultMaxImportBytes.
	MaxImportBytes int64
	// MaxAnswerBytes limits the notes and cards of one answer, with all that is
	// rendered and repeated in them; 0 means DefaultMaxAnswerBytes.
	MaxAnswerBytes int64
	// Media are the media files; with nil, those of imported packages are left out,
	// and there are no calls for them.
	Media MediaStore
	// MaxMediaBytes limits a media file that is stored by itself; 0 means
	// DefaultMaxMediaBytes.
	MaxMediaBytes int64
	// TempDir is where import_file unpacks; "" is the system's.
	TempDir string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets one line for each failed call; nil discards it.
	Log *slog.Logger
}

// API is the http.Handler. It is safe for concurrent use.
type API struct {
	o     Options
	guard *guard
	large gate // for bodies
	huge  gate // likewise
	out   gate // for packages that are written

	maxReviews, maxEdited, maxExported, maxTextRows int // smaller in tests

	mu    sync.Mutex
	state map[string]*userState // by user
}

// userState is what the original kept in the memory of its process: nothing
// that may not be lost.
type userState struct {
	language string
	// last is when the last call came.
	last time.Time
	// handed are the cards that next_card gave out since the last reset, with
	// their mod (epoch s) then; handedOn is the day on which it did.
	handed   map[int64]int64
	handedOn uint32
}

// New makes an API.
func New(o Options) *API {
	if o.MaxBodyBytes <= 0 {
		o.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if o.MaxImportBytes <= 0 {
		o.MaxImportBytes = DefaultMaxImportBytes
	}
	if o.MaxAnswerBytes <= 0 {
		o.MaxAnswerBytes = DefaultMaxAnswerBytes
	}
	if o.MaxMediaBytes <= 0 {
		o.MaxMediaBytes = DefaultMaxMediaBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ClientAddr == nil {
		o.ClientAddr = peerAddr
	}
	return &API{
		o: o, guard: newGuard(o), large: make(gate, maxLarge), huge: make(gate, maxHuge), out: make(gate, maxExports),
		maxReviews: maxReviews, maxEdited: maxEdited, maxExported: maxPackageFiles, maxTextRows: maxTextRows,
		state: map[string]*userState{},
	}
}

// peerAddr is the address of the connection, invalid for a unix socket.
func peerAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if a.guard.preflight(w, r) {
		return
	}
	v, err := a.serve(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if s, ok := v.(stream); ok {
		a.send(w, r, s)
		return
	}
	a.reply(w, v)
}

// serve finds out what is asked for, and by whom, and does it.
func (a *API) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := a.guard.admit(w, r); err != nil {
		return nil, err
	}
	if r.URL.Path == "/" || r.URL.Path == "" {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return nil, &httpError{status: http.StatusMethodNotAllowed, allow: http.MethodGet}
		}
		return plain(banner), nil
	}
	rt, err := parseURL(r.URL)
	if err == nil && rt.isFile() {
		if err := a.checkName(rt.user); err != nil {
			return nil, err
		}
		return a.serveFile(w, r, rt)
	}
	if r.Method != http.MethodPost {
		return nil, &httpError{status: http.StatusMethodNotAllowed, allow: http.MethodPost}
	}
	if r.URL.Path == "/list_collections" {
		return a.listCollections(r.Context())
	}
	if err != nil {
		return nil, err
	}
	if err := a.checkName(rt.user); err != nil {
		return nil, err
	}
	op, ok := operations[rt.kind+"/"+rt.op]
	if !ok {
		return nil, errNotFound
	}
	body, leave, err := a.readBody(w, r, a.bodyLimit(rt.op))
	defer leave()
	if err != nil {
		return nil, err
	}
	p, err := parseParams(body)
	if err != nil {
		return nil, err
	}
	if err := a.ensure(r.Context(), rt.user); err != nil {
		return nil, err
	}
	c := &call{a: a, route: rt, p: p}
	c.arrive()
	v, err := op.run(r.Context(), c)
	if err != nil && op.void && isBadInput(err) {
		// The original had answered before it tried, so callers expect 200.
		a.o.Log.Warn("call without an answer failed", "user", rt.user, "op", rt.kind+"/"+rt.op, "err", err)
		return nil, nil
	}
	return v, err
}

func (a *API) bodyLimit(op string) int64 {
	if op == "import_file" {
		return a.o.MaxImportBytes
	}
	return a.o.MaxBodyBytes
}

// plain is an answer that is no JSON.
type plain string

// reply writes an answer: nothing at all as empty text, the rest as JSON.
func (a *API) reply(w http.ResponseWriter, v any) {
	if _, ok := v.(sent); ok {
		return
	}
	text, isPlain := v.(plain)
	if v == nil || isPlain {
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		_, _ = w.Write([]byte(text))
		return
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Only a number that is not finite gets here.
		a.o.Log.Error("answer cannot be encoded", "err", err)
		writeError(w, errInternal)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(strings.TrimSuffix(b.String(), "\n")))
}

// call is one request to one collection.
type call struct {
	a *API
	route
	p params

	bytes int64 // of the objects that were made for the answer
}

func (c *call) now() time.Time { return c.a.o.Now() }

// with runs f on the state of the call's user, alone.
func (c *call) with(f func(*userState)) {
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	s := c.a.state[c.user]
	if s == nil {
		s = &userState{handed: map[int64]int64{}}
		c.a.state[c.user] = s
	}
	f(s)
}
