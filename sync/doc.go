// Package sync speaks the Anki sync protocol, versions 8 to 11, over HTTP: it
// decodes requests in both encodings, checks who asks, calls the stores and
// encodes the answers (docs/protocol.md).
//
// One step of the protocol is one file, named for the step: meta.go, start.go,
// chunk.go …, media_begin.go … . request.go decodes (request_header.go those of
// protocol 11, request_form.go the older ones), response.go encodes, errors.go
// chooses status codes, path.go tells which step a URL means.
//
// The package may import auth, collection and media. It never touches SQL or
// files of users, and knows nothing of configuration: a [Server] gets Options
// and is an http.Handler that any program can mount on its own mux. Where the
// standard library's sync is needed too, importers call this one ankisync.
package sync
