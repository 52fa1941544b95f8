// Package rendering turns a note, a notetype and a card into what a client
// shows: the HTML of both sides with its sound and speech tags taken out, and
// it says which cards a note should have. It follows
// docs/scheduling-and-rendering.md §5 and docs/collection-format.md §8, and
// means to be equal, byte for byte, to the newest desktop client.
//
// It is pure: no SQL, no HTTP, no files, no clock; of ours it imports only
// schema. It never sanitizes: fields and templates are HTML with scripts in
// it, and whoever shows the result must do so in a sandbox.
//
// All of it is foreign input, so every pass over it is linear, nothing recurses
// deeper than the ten levels that a cloze may nest, and Render gives up with
// ErrTooLarge when templates and filters would multiply a field without bound.
package rendering
