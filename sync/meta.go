package sync

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

type metaRequest struct {
	Version *int   `json:"v"`
	Client  string `json:"cv"`
}

// plain reads a message as clients write it; false is for encoding/json to read.
func (r *metaRequest) plain(body string) bool {
	return plainObject(body, func(m member) bool {
		switch m.key {
		case "v":
			r.Version = &m.number
			return !m.isText
		case "cv":
			r.Client = m.text
			return m.isText
		}
		return false
	})
}

type metaResponse struct {
	Mod      int64  `json:"mod"` // ms
	SCM      int64  `json:"scm"` // ms
	USN      int32  `json:"usn"`
	TS       int64  `json:"ts"` // s
	Msg      string `json:"msg"`
	Cont     bool   `json:"cont"`
	HostNum  int    `json:"hostNum"`
	Empty    bool   `json:"empty"`
	MediaUSN int32  `json:"media_usn"`
	// MUSN is the same number; clients before 2.0.32 fail without it.
	MUSN  int32  `json:"musn"`
	UName string `json:"uname"`
}

// appendJSON is json.Marshal by hand: no other answer is asked for as often.
func (r *metaResponse) appendJSON(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"mod":`...), r.Mod, 10)
	b = strconv.AppendInt(append(b, `,"scm":`...), r.SCM, 10)
	b = strconv.AppendInt(append(b, `,"usn":`...), int64(r.USN), 10)
	b = strconv.AppendInt(append(b, `,"ts":`...), r.TS, 10)
	b = appendString(append(b, `,"msg":`...), r.Msg)
	b = strconv.AppendBool(append(b, `,"cont":`...), r.Cont)
	b = strconv.AppendInt(append(b, `,"hostNum":`...), int64(r.HostNum), 10)
	b = strconv.AppendBool(append(b, `,"empty":`...), r.Empty)
	b = strconv.AppendInt(append(b, `,"media_usn":`...), int64(r.MediaUSN), 10)
	b = strconv.AppendInt(append(b, `,"musn":`...), int64(r.MUSN), 10)
	b = appendString(append(b, `,"uname":`...), r.UName)
	return append(b, '}')
}

// meta tells a client the state of its collection (docs/protocol.md §6.1). It
// does not disturb a running sync: on the official server the status check of
// one device ends the sync of another.
func (s *Server) meta(ctx context.Context, c *call, body []byte) (any, error) {
	var req metaRequest
	if !req.plain(string(body)) {
		req = metaRequest{}
		if err := json.Unmarshal(body, &req); err != nil {
			return nil, bad("meta", err)
		}
	}
	if req.Version == nil {
		return nil, badf("meta: no protocol version")
	}
	if req.Client != "" {
		c.client = req.Client
	}
	if *req.Version < minProtocol || *req.Version > maxProtocol || tooOld(req.Client) {
		return nil, errTooOld
	}
	if req.Client != "" && !c.zstd() {
		s.idForms.note(c.operation(), textIDs(req.Client))
	}
	s.o.Auth.Seen(c.session, c.addr, c.client)
	user := c.session.User
	m, err := s.o.Collections.Meta(ctx, user)
	if err != nil {
		return nil, err
	}
	musn := s.metaMediaUSN(ctx, c)
	r := metaResponse{
		Mod: m.Mod, SCM: m.SCM, USN: int32(m.USN), TS: s.o.Now().Unix(), Cont: true,
		Empty: m.Empty, MediaUSN: musn, MUSN: musn, UName: user,
	}
	r.Cont, r.Msg = mayContinue(*req.Version, m)
	return encodedJSON(r.appendJSON(make([]byte, 0, 256))), nil
}

// mediaPatience is how long meta waits for the media usn. Opening a database of
// media may mean to read all files; and one that cannot be opened is no reason not
// to sync reviews.
const mediaPatience = 5 * time.Second

// noMediaUSN is none that a client can have, not even one without media: from
// 23.10 on it then asks for what changed, in a step that waits, or says what is
// wrong; earlier ones ask for the usn itself (docs/protocol.md §7.2).
const noMediaUSN = -1

// metaMediaUSN is the user's media usn, or noMediaUSN if it cannot be told soon.
func (s *Server) metaMediaUSN(ctx context.Context, c *call) int32 {
	user := c.session.User
	if usn, ok := s.o.Media.KnownUSN(user); ok {
		return usn
	}
	return s.askMediaUSN(ctx, c, user)
}

// askMediaUSN is metaMediaUSN where it takes more than a look; apart, so that
// what it needs is allocated only then.
func (s *Server) askMediaUSN(ctx context.Context, c *call, user string) int32 {
	ctx, cancel := context.WithTimeout(ctx, s.mediaPatience)
	defer cancel()
	type answer struct {
		usn int32
		err error
	}
	told := make(chan answer, 1)
	ask := s.mediaUSN
	go func() { // opening goes on though nobody waits any more
		defer func() {
			if p := recover(); p != nil {
				s.logPanic(c, p)
				told <- answer{err: errPanic}
			}
		}()
		usn, err := ask(ctx, user)
		told <- answer{usn, err}
	}()
	var a answer
	select {
	case a = <-told:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	if a.err != nil {
		s.o.Log.Warn("media usn not known", "user", user, "err", a.err)
		return noMediaUSN
	}
	return a.usn
}

// mayContinue refuses clients that would harm the collection: those that know
// nothing of its scheduler or of its way to tell the day. Somebody who has
// nothing stored yet may upload with any client.
func mayContinue(version int, m collection.Meta) (cont bool, msg string) {
	switch {
	case !m.Exists:
		return true, ""
	case version < 9 && m.SchedVer >= 2:
		return false, "Your client does not support the v2 scheduler. Please use a newer version of Anki."
	case version < 10 && m.NewTimezone:
		return false, "Your client does not support the new timezone handling. Please use Anki 2.1.22 or later."
	}
	return true, ""
}
