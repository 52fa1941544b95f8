package sync

import (
	"encoding/json"
	"io"
)

type downloadFilesRequest struct {
	Files []string `json:"files"`
}

// downloadFiles sends files as a zip, as many of those asked for as fit
// (docs/protocol.md §7).
func (s *Server) downloadFiles(w *responder, c *call) error {
	body, _, err := c.head() // it is always small
	if err != nil {
		return err
	}
	var req downloadFilesRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return bad("downloadFiles", err)
	}
	d, err := s.o.Media.PrepareZip(c.r.Context(), c.session.User, req.Files)
	if err != nil {
		return err
	}
	defer d.Close()
	return w.stream(c, d.Size(), d.Packed(), func(dst io.Writer) error {
		_, err := d.WriteTo(dst)
		return err
	})
}
