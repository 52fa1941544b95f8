package sync

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// Defaults of Options.
const (
	DefaultMaxMessageBytes = 100 << 20
	DefaultMaxUploadBytes  = collection.DefaultMaxUploadBytes
	DefaultKeepAlive       = 5 * time.Second
)

// Options are the settings of a Server. Auth, Collections and Media must be
// set; the zero value of the rest is usable.
type Options struct {
	Auth        *auth.Store
	Collections *collection.Store
	Media       *media.Store

	// BaseURL and MediaURL are the paths below which the collection's and the
	// media steps are; empty means "/sync/" and "/msync/". Requests are
	// recognised below any prefix, and where misconfigured clients send them.
	BaseURL, MediaURL string
	// MaxMessageBytes limits a JSON message, before and after decompression;
	// 0 means DefaultMaxMessageBytes. (One that cannot be taken piece by piece
	// has a lower limit, maxWholeMessage.)
	MaxMessageBytes int64
	// GiveBack is called when a whole collection has left garbage that is not
	// needed soon; it must not take long. nil: the garbage collector sees to it
	// some day.
	GiveBack func()
	// MaxUploadBytes limits the body of an upload as it is sent; 0 means
	// DefaultMaxUploadBytes. (What it unpacks to is limited by the store.)
	MaxUploadBytes int64
	// MaxMediaZipBytes limits the body of uploadChanges as it is sent; 0 means
	// what media.Store.MaxZipBytes says.
	MaxMediaZipBytes int64
	// KeepAlive is how often a client whose upload is being checked gets a sign
	// of life; 0 means DefaultKeepAlive.
	KeepAlive time.Duration
	// TempDir is where requests are spooled whose sender is not yet known;
	// empty means the system's. It should not be a memory disk.
	TempDir string
	// ClientAddr tells the address of the client, for throttling and logs (the
	// zero Addr if there is none); nil means the peer's.
	ClientAddr func(*http.Request) netip.Addr
	// Observe, if set, is called after every request.
	Observe func(Observation)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets a line for each request; nil discards them.
	Log *slog.Logger
}

// Observation is what happened in one request.
type Observation struct {
	Step   string // as on the wire; "" if the URL was none of ours
	User   string
	Client string // the client's own name and version
	Proto  int    // 11, or 10 for all of the multipart protocols
	Status int
	In     int64 // bytes of the body as received
	Out    int64 // bytes of the body as sent
	Dur    time.Duration
	// Err is the cause of a status that is not 200.
	Err error
}

// Server is the handler of the sync protocol. It sets no deadlines: how long a
// body may stand still is for the http.Server that it is mounted on to say.
type Server struct {
	o       Options
	steps   map[string]step
	idForms idForms
	// What lies in spools of users, and of those who are not known yet; and what
	// the latter hold in memory, bytes.
	spooled, strangers spoolShares
	strangersHold      atomic.Int64
	memory             *budget // what large messages may take, bytes

	holdUpload func() // tests: called when it is known what became of an upload
	// The next two are tests' to change.
	mediaUSN      func(ctx context.Context, user string) (int32, error) // of Options.Media
	mediaPatience time.Duration
	pages         aheadPages
	mediaPage     int // changes in an answer of mediaChanges
}

// New returns a Server.
func New(o Options) *Server {
	if o.BaseURL == "" {
		o.BaseURL = "/sync/"
	}
	if o.MediaURL == "" {
		o.MediaURL = "/msync/"
	}
	if o.MaxMessageBytes == 0 {
		o.MaxMessageBytes = DefaultMaxMessageBytes
	}
	if o.MaxUploadBytes == 0 {
		o.MaxUploadBytes = DefaultMaxUploadBytes
	}
	if o.MaxMediaZipBytes == 0 {
		o.MaxMediaZipBytes = 128 << 20
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = DefaultKeepAlive
	}
	if o.ClientAddr == nil {
		o.ClientAddr = peerAddr
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, memory: newBudget(largeMemory), mediaPage: media.MaxChanges, mediaUSN: o.Media.LastUSN, mediaPatience: mediaPatience}
	// An upload may come before the key of its sender. Beside one there is room for
	// a message of somebody else's.
	largest := max(o.MaxUploadBytes, o.MaxMediaZipBytes, o.MaxMessageBytes) + formOverhead
	s.spooled = newSpoolShares(2*largest, largest)
	s.strangers = newSpoolShares(largest+o.MaxMessageBytes, largest)
	s.steps = s.table()
	return s
}

// step is one call of the protocol. A small one gets the decoded message and
// returns the value to encode; the others stream.
type step struct {
	name  string
	media bool
	// anonymous: no host key is needed.
	anonymous bool
	// get: GET is allowed, with the fields in the query.
	get bool
	// limit of the decoded message in bytes; 0 means Options.MaxMessageBytes.
	limit int64
	// message handles a step whose request and answer are JSON.
	message func(ctx context.Context, c *call, body []byte) (any, error)
	// large handles a message that is not small, as a stream; where it is nil
	// message gets the whole of it.
	large func(ctx context.Context, c *call, body *scanner) (any, error)
	// lost, if set, is told that message's answer could not be sent.
	lost func(c *call)
	// stream handles the others.
	stream func(w *responder, c *call) error
}

// mayBeLarge reports whether the step's messages may be more than small.
func (st *step) mayBeLarge() bool { return st.message != nil && st.limit == 0 }

// smallMessage limits the messages that say little, in decoded bytes; nobody
// counts what those take.
const smallMessage = 1 << 20

func (s *Server) table() map[string]step {
	all := []step{
		{name: "hostKey", anonymous: true, limit: smallMessage, message: s.hostKey},
		{name: "meta", limit: smallMessage, message: s.meta},
		{name: "start", message: s.start},
		{name: "applyGraves", message: s.applyGraves},
		{name: "applyChanges", message: s.applyChanges},
		{name: "chunk", limit: smallMessage, message: s.chunk, lost: s.chunkLost},
		{name: "applyChunk", message: s.applyChunk, large: s.applyLargeChunk},
		{name: "sanityCheck2", limit: smallMessage, message: s.sanityCheck},
		{name: "finish", limit: smallMessage, message: s.finish},
		{name: "abort", limit: smallMessage, message: s.abort},
		{name: "upload", stream: s.upload},
		{name: "download", limit: smallMessage, stream: s.download},
		{name: "begin", media: true, get: true, limit: smallMessage, message: s.mediaBegin},
		{name: "mediaChanges", media: true, limit: smallMessage, message: s.mediaChanges},
		{name: "uploadChanges", media: true, stream: s.uploadChanges},
		{name: "downloadFiles", media: true, limit: smallMessage, stream: s.downloadFiles},
		{name: "mediaSanity", media: true, limit: smallMessage, message: s.mediaSanity},
	}
	m := make(map[string]step, len(all))
	for _, st := range all {
		m[st.name] = st
	}
	return m
}

// Handles reports whether r is a request of the sync protocol, for programs
// that have something else to say about the rest.
func (s *Server) Handles(r *http.Request) bool {
	_, where := s.resolve(r.URL.Path)
	return where != elsewhere
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.o.Now()
	x := &struct { // in one piece
		call
		responder
		own  http.Request
		body countingReader
	}{
		// In a copy: net/http looks for its own body in its own request, to know
		// whether an answer has to wait for the rest of it.
		own:       *r,
		body:      countingReader{r: r.Body},
		responder: responder{ResponseWriter: w},
	}
	x.own.Body = &x.body
	c, rw, body := &x.call, &x.responder, &x.body
	c.s, c.r, c.addr = s, &x.own, s.o.ClientAddr(r)
	err := s.serve(rw, c)
	if err != nil {
		rw.fail(c, err)
	}
	s.report(Observation{
		Step: c.step.name, User: c.session.User, Client: c.client, Proto: c.proto(), Status: rw.status,
		In: body.n, Out: rw.n, Dur: s.o.Now().Sub(start), Err: err,
	}, c)
	if c.step.name == "upload" && s.o.GiveBack != nil {
		s.o.GiveBack()
	}
	if rw.abort {
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) report(o Observation, c *call) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("step", o.Step), slog.String("user", logText(o.User, auth.MaxUserName)), slog.Int("status", o.Status),
		slog.String("client", logText(o.Client, maxLoggedClient)), slog.String("addr", addrText(c.addr)),
		slog.Int64("in", o.In), slog.Int64("out", o.Out), slog.Duration("dur", o.Dur),
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("err", logText(o.Err.Error(), maxLoggedError)))
		level = slog.LevelWarn
		if o.Status >= 500 && o.Status != http.StatusNotImplemented {
			level = slog.LevelError
		}
	}
	ctx := c.r.Context()
	if log := s.o.Log.Handler(); log.Enabled(ctx, level) {
		r := slog.NewRecord(time.Now(), level, "sync request", 0) // LogAttrs would look for the line of code
		r.AddAttrs(attrs...)
		_ = log.Handle(ctx, r) // nobody to tell
	}
	if s.o.Observe != nil {
		s.o.Observe(o)
	}
}

// Limits of what a line of the log takes from a request, in bytes: two hundred
// bytes of zstd can unpack to a name of a megabyte, before anybody has logged in.
const (
	maxLoggedClient = 200
	maxLoggedError  = 2 << 10
)

// logText is as much of a text as a line of the log takes.
func logText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// serve answers one request. A panic in it is that request's failure only.
func (s *Server) serve(w *responder, c *call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // this very value, by contract
				panic(p)
			}
			s.logPanic(c, p)
			err = errPanic
		}
	}()
	name, where := s.resolve(c.r.URL.Path)
	st, known := s.steps[name]
	if where == elsewhere || !known {
		return errNotFound
	}
	c.step = st
	if c.r.Method != http.MethodPost && (!st.get || c.r.Method != http.MethodGet) {
		w.Header().Set("Allow", http.MethodPost)
		return errMethod
	}
	// Old desktop clients do not reopen a connection that was closed while
	// they waited for their user (docs/protocol.md §10): they get a new one
	// for each request.
	if isPython2(c.r) {
		w.Header().Set("Connection", "close")
	}
	if err := c.read(); err != nil {
		return err
	}
	defer c.close()
	if st.stream != nil {
		return st.stream(w, c)
	}
	answer, err := c.answer()
	if err != nil {
		return err
	}
	err = w.json(c, answer)
	if err != nil && st.lost != nil {
		st.lost(c)
	}
	return err
}

// isPython2 is true of the desktop clients of the 2.0 line.
func isPython2(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "Python-httplib2") }

// addrText is an address for the log; a unix socket has none.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

var errPanic = errors.New("panic")

func (s *Server) logPanic(c *call, p any) {
	s.o.Log.Error("panic", "step", c.step.name, "user", c.session.User, "panic", p, "stack", string(debug.Stack()))
}

// peerAddr is the address of the other end of the connection.
func peerAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a unix socket
	}
	return ap.Addr().Unmap()
}
