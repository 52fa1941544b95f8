package sync

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/offheap"
)

// Answers to an upload other than "OK" are shown to the user as they are
// (docs/protocol.md §6.9); the status is 200 all the same.
const (
	uploadOK       = "OK"
	uploadCorrupt  = "Your upload was corrupt. Please use Check Database, or restore from backup."
	uploadTooLarge = "collection exceeds size limit"
	uploadSchema   = "Your collection was made by a version of Anki that this server does not know. Please update the server."
	uploadTooSlow  = "The server could not check your collection in time. What it had before is still there. Please tell whoever runs it."
	uploadNoSpace  = "The server's disk is full, so it could not store your collection. What it had before is still there. Please tell whoever runs it."
	uploadFailed   = "The server could not store your collection. What it had before is still there. Please tell whoever runs it."
)

// upload replaces the user's collection.
func (s *Server) upload(w *responder, c *call) error {
	body := &endReader{r: c.payload, end: make(chan struct{})}
	if c.noPayload {
		body.r = strings.NewReader("")
	}
	done := make(chan error, 1)
	go func() {
		// A goroutine of its own needs a recovery of its own.
		defer func() {
			if p := recover(); p != nil {
				s.logPanic(c, p)
				done <- errPanic
			}
		}()
		var packed func() *offheap.Bytes
		if c.kept != nil {
			packed = c.kept.packed
		}
		err := s.o.Collections.UploadPacked(c.r.Context(), c.session.User, body, packed)
		if s.holdUpload != nil {
			s.holdUpload()
		}
		done <- err
	}()
	early, err := s.awaitUpload(w, c, body, done)
	text, known := uploadText(err)
	if err != nil {
		s.o.Log.Warn("upload refused", "user", c.session.User, "client", logText(c.client, maxLoggedClient), "err", logText(err.Error(), maxLoggedError))
	}
	if early != nil {
		// The status is out already: the text must say it, whatever it is.
		if known {
			err = nil
		} else {
			text = unknownUploadText(err)
		}
		if ferr := early.finish(text); ferr != nil {
			return errors.Join(ferr, err)
		}
		w.told = true
		return err
	}
	if !known {
		return err
	}
	// Whatever is left of the body is read, or the client would see a broken
	// connection instead of the answer.
	_, _ = io.CopyN(io.Discard, body, s.o.MaxUploadBytes)
	// A damaged stream ends before its request does.
	_, _ = io.CopyN(io.Discard, c.r.Body, s.o.MaxUploadBytes)
	return w.bytes(c, []byte(text))
}

// uploadText is the answer to an upload, if it is one that the client shows.
func uploadText(err error) (text string, known bool) {
	switch {
	case err == nil:
		return uploadOK, true
	case errors.Is(err, collection.ErrTooLarge):
		return uploadTooLarge, true
	case errors.Is(err, collection.ErrTooSlow):
		return uploadTooSlow, true
	case errors.Is(err, collection.ErrUnsupportedSchema):
		return uploadSchema, true
	case errors.Is(err, collection.ErrCorrupt), errors.Is(err, errBadStream):
		return uploadCorrupt, true
	}
	return "", false
}

// unknownUploadText is what there is to say instead of a status.
func unknownUploadText(err error) string {
	if collection.NoSpace(err) {
		return uploadNoSpace
	}
	return uploadFailed
}

// When a slow check's answer begins and goes on, in units of KeepAlive after the
// body's end. Clients of protocol 11 give up after 30 s without progress, and
// what counts is, one after the other: the last byte that they hand to their
// sockets, the head of the answer, and each byte of its text (not of the
// compressed stream around it). "OK" is all the text there is, so this gives
// three times 30 s. What waits in the sockets then takes a slow machine a while
// to read, before anything here begins.
const (
	answerBegins = 2
	answerSpeaks = 7
)

// awaitUpload waits for an upload to be checked and stored. If that takes long
// the answer is begun early, and kept alive.
func (s *Server) awaitUpload(w *responder, c *call, body *endReader, done <-chan error) (*earlyAnswer, error) {
	select {
	case err := <-done:
		return nil, err
	case <-body.end:
	}
	ended := time.Now()
	t := time.NewTicker(s.o.KeepAlive) // drops ticks where there is no time for them
	defer t.Stop()
	var early *earlyAnswer
	for {
		select {
		case err := <-done:
			return early, err
		case <-t.C:
			passed := time.Since(ended)
			if !c.zstd() || passed < answerBegins*s.o.KeepAlive {
				continue // older clients wait for an hour
			}
			if early == nil {
				early = newEarlyAnswer(w)
			}
			if !early.spoken && passed >= answerSpeaks*s.o.KeepAlive {
				early.speak()
			} else {
				early.keepAlive()
			}
		}
	}
}

// earlyAnswer is a 200 whose text is not known yet: a zstd frame of empty
// blocks, one that has the first letter of "OK", and the last that has the rest.
type earlyAnswer struct {
	w      *responder
	spoken bool // the first letter is out
}

func newEarlyAnswer(w *responder) *earlyAnswer {
	w.Header().Set("Content-Type", "application/octet-stream")
	// The length of the likely text. Clients show progress by it, no more.
	w.Header().Set(originalSizeHeader, "2")
	// Magic number, no optional fields, the smallest window.
	_, _ = w.Write([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00})
	return &earlyAnswer{w: w}
}

// block sends text as it is, not compressed.
func (e *earlyAnswer) block(text string, last bool) error {
	_, err := e.w.Write(append(appendBlockHeader(nil, len(text), last), text...))
	return err
}

// keepAlive sends an empty block, for proxies.
func (e *earlyAnswer) keepAlive() {
	_ = e.block("", false)
	e.w.flush()
}

// speak sends the letter with which every answer from now on begins.
func (e *earlyAnswer) speak() {
	e.spoken = true
	_ = e.block(uploadOK[:1], false)
	e.w.flush()
}

// uploadOutcome stands before an error's text when the first letter is out.
const uploadOutcome = "Outcome: "

// finish sends the text, or what is missing of it.
func (e *earlyAnswer) finish(text string) error {
	if e.spoken {
		if text != uploadOK {
			text = uploadOutcome + text
		}
		text = text[1:]
	}
	return e.block(text, true)
}

// endReader closes end once, when its reader has no more.
type endReader struct {
	r     io.Reader
	end   chan struct{}
	ended bool
}

func (e *endReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && !e.ended {
		e.ended = true
		close(e.end)
	}
	return n, err
}
