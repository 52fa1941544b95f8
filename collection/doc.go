// Package collection is one room for every user's Anki collection: it finds
// and opens the files, answers what a sync asks of them, merges what a client
// sends, checks and swaps whole uploads, hands out downloads, and keeps the
// previous file whenever one is replaced.
//
// The stored file is schema 18 (docs/collection-format.md). Schema 11, which
// clients before 2023 speak, is an edge format: files are converted on private
// copies, objects are converted by package schema.
//
// A [Store] serves many users at once. Every user has a lock of his own and no
// lock is held across users; a sync is one SQLite transaction that Start opens
// and Finish commits.
//
// Programs read and change a collection as a client does with [Store.View] and
// [Store.Edit]: a [Txn] adds notes, moves cards, studies decks, and so on. It
// writes what a client would leave behind, with the server's usn, so that every
// device gets it with its next sync.
//
// The package may import schema, scheduling, rendering, search, sqlite, filestate and
// database/sql. It must never know of HTTP, of request encodings or of
// configuration files.
package collection
