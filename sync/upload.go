package sync

import (
	"errors"
	"io"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
)

// Answers to an upload other than "OK" are shown to the user as they are
// (docs/protocol.md §6.9); the status is 200 all the same.
const (
	uploadOK       = "OK"
	uploadCorrupt  = "Your upload was corrupt. Please use Check Database, or restore from backup."
	uploadTooLarge = "collection exceeds size limit"
	uploadSchema   = "Your collection was made by a version of Anki that this server does not know. Please update the server."
)

// upload replaces the user's collection.
func (s *Server) upload(w *responder, c *call) error {
	r := c.payload
	if c.noPayload {
		r = strings.NewReader("")
	}
	err := s.o.Collections.Upload(c.r.Context(), c.session.User, r)
	if err == nil {
		return w.bytes(c, []byte(uploadOK))
	}
	text := ""
	switch {
	case errors.Is(err, collection.ErrTooLarge):
		text = uploadTooLarge
	case errors.Is(err, collection.ErrUnsupportedSchema):
		text = uploadSchema
	case errors.Is(err, collection.ErrCorrupt):
		text = uploadCorrupt
	default:
		return err
	}
	s.o.Log.Warn("upload refused", "user", c.session.User, "client", c.client, "err", err)
	// Whatever is left of the body is read, or the client would see a broken
	// connection instead of the answer.
	_, _ = io.CopyN(io.Discard, r, s.o.MaxUploadBytes)
	return w.bytes(c, []byte(text))
}
