// Package filestate tells whether a file is still the one that was seen before,
// in the state in which it was seen. Every status check of every device asks
// this of several files, so it does without os.Stat and what that allocates.
//
// It is at the bottom: it may import nothing of ours, and knows no file's
// meaning.
package filestate

// Found reports whether there is such a file.
func (a State) Found() bool { return a.found }

// Size is the file's, in bytes.
func (a State) Size() int64 { return a.size }
