package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/media"
)

// maxMediaPage is how many files list_media names at most, and mediaPage how many
// if the call does not say.
const (
	maxMediaPage = 10_000
	mediaPage    = 1000
)

// listMedia names the media files by name, a page at a time.
func listMedia(ctx context.Context, c *call) (any, error) {
	if c.a.o.Media == nil {
		return nil, errNotFound
	}
	limit, err := c.p.count("limit", mediaPage)
	if err != nil {
		return nil, err
	}
	if limit < 1 || limit > maxMediaPage {
		return nil, badRequest("limit is a number from 1 to %d", maxMediaPage)
	}
	after, err := c.p.str("after", "")
	if err != nil {
		return nil, err
	}
	list, err := c.a.o.Media.List(ctx, c.user, after, limit)
	if err != nil {
		return nil, err
	}
	files := make([]object, len(list))
	for i, e := range list {
		files[i] = object{"name": e.Name, "size": e.Size, "sha1": e.Sum, "usn": e.USN}
		if e.Size < 0 {
			files[i]["size"] = nil
		}
	}
	out := object{"files": files, "next": nil}
	if len(list) == limit {
		out["next"] = list[limit-1].Name
	}
	return out, nil
}

// mediaDelete deletes a file; one that is not there is none to delete.
func mediaDelete(ctx context.Context, c *call) (any, error) {
	if c.a.o.Media == nil {
		return nil, errNotFound
	}
	usn, err := c.a.o.Media.Delete(ctx, c.user, c.id)
	if err != nil {
		return nil, mediaError(err)
	}
	return object{"usn": usn}, nil
}

// mediaError makes faults of a file or its name faults of the caller.
func mediaError(err error) error {
	if errors.Is(err, media.ErrBadRequest) {
		return &httpError{status: http.StatusBadRequest, detail: "The file is empty or too large, or its name cannot be used", cause: err}
	}
	return err
}

// isFile is true of a path that names a media file itself, which is no call: it is
// fetched with GET and stored with PUT.
func (rt route) isFile() bool { return rt.kind == "media" && rt.op == "index" }

// serveFile sends or stores a media file.
func (a *API) serveFile(w http.ResponseWriter, r *http.Request, rt route) (any, error) {
	if a.o.Media == nil {
		return nil, errNotFound
	}
	if err := a.letIn(r.Context(), rt.user); err != nil {
		return nil, err
	}
	switch {
	case r.Method == http.MethodPut:
		return a.putFile(w, r, rt)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return a.getFile(w, r, rt)
	}
	return nil, &httpError{status: http.StatusMethodNotAllowed, allow: "GET, HEAD, PUT"}
}

// putFile stores the body under a name, over what is there. Devices get it when
// they sync media next.
func (a *API) putFile(w http.ResponseWriter, r *http.Request, rt route) (any, error) {
	if why := media.CheckNewName(rt.id); why != "" {
		return nil, badRequest("The name %s", why)
	}
	if r.ContentLength > a.o.MaxMediaBytes {
		return nil, &http.MaxBytesError{Limit: a.o.MaxMediaBytes}
	}
	if err := a.ensure(r.Context(), rt.user); err != nil {
		return nil, err
	}
	usn, err := a.o.Media.Put(r.Context(), rt.user, rt.id, fileBody{http.MaxBytesReader(w, r.Body, a.o.MaxMediaBytes)})
	if err != nil {
		return nil, mediaError(err)
	}
	return object{"usn": usn}, nil
}

// getFile sends a file. It is one that somebody found on the internet: whatever it
// is, it must not run as a page of this origin, which may call the API.
func (a *API) getFile(w http.ResponseWriter, r *http.Request, rt route) (any, error) {
	f, err := a.o.Media.OpenFile(r.Context(), rt.user, rt.id)
	if err != nil {
		return nil, mediaError(err)
	}
	defer func() { _ = f.Close() }()
	kind, shown := contentType(rt.id)
	disposition := "attachment"
	if shown {
		disposition = "inline"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", disposition+"; filename*=UTF-8''"+strings.ReplaceAll(url.QueryEscape(rt.id), "+", "%20"))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", fmt.Sprintf("%q", f.Sum))
	http.ServeContent(w, r, "", time.Time{}, f)
	return sent{}, nil
}

// sent is an answer that is on its way already.
type sent struct{}

// fileBody is a body that is read while it is stored: a connection that breaks is
// no fault of the server.
type fileBody struct{ r io.Reader }

func (b fileBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = bodyError(err)
	}
	return n, err
}

// contentTypes are those of files in collections, by extension. They are ours, since
// what a machine says of an extension depends on what is installed there. Scripts
// are plain text: no page shall run them by this address.
var contentTypes = map[string]string{
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif",
	".bmp": "image/bmp", ".ico": "image/x-icon", ".tif": "image/tiff", ".tiff": "image/tiff",
	".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".spx": "audio/ogg", ".wav": "audio/wav",
	".flac": "audio/flac", ".m4a": "audio/mp4", ".aac": "audio/aac", ".3gp": "audio/3gpp",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mov": "video/quicktime", ".mkv": "video/x-matroska",
	".avi": "video/x-msvideo", ".mpg": "video/mpeg", ".mpeg": "video/mpeg", ".flv": "video/x-flv", ".swf": "application/x-shockwave-flash",
	".ttf": "font/ttf", ".otf": "font/otf", ".woff": "font/woff", ".woff2": "font/woff2",
	".css": "text/css; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".js": "text/plain; charset=utf-8", ".mjs": "text/plain; charset=utf-8",
	".json": "application/json", ".pdf": "application/pdf", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8",
}

// contentType is what a file is by its name, and whether a browser that opens it by
// itself may show it: images, sounds and videos, but no documents.
func contentType(name string) (kind string, shown bool) {
	ext := strings.ToLower(path.Ext(name))
	kind, ok := contentTypes[ext]
	if !ok {
		return "application/octet-stream", false
	}
	family, _, _ := strings.Cut(kind, "/")
	return kind, ext != ".svg" && (family == "image" || family == "audio" || family == "video")
}
