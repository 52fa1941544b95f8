//go:build !unix

package media

// notSyncable reports whether an fsync of a folder failed because the system
// has no such thing; Windows has not.
func notSyncable(error) bool { return true }
