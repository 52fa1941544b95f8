// Package api is the RESTful API of the first Anki server for programs,
// dsnopek's AnkiServer, call for call: the same paths, bodies, answers, status
// codes and quirks (docs/compat.md §6), so that what was written for it goes on
// working. docs/rest-api.md shows every call and lists, with reasons, where this
// package does something else.
//
// It is a front room: it speaks HTTP and the JSON of that API, and leaves the
// collections to package collection. It may import auth, collection, media,
// rendering, scheduling, search and schema. It must never know SQL, where files
// lie, configuration files or the sync protocol; package sync is its peer.
//
// Fields of notes are HTML that somebody else wrote. The package passes it on as
// data, and neither executes nor fetches anything that it refers to.
package api
