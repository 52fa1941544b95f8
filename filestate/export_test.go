package filestate

import "reflect"

// Quickly is the look of Glance.Again on a local file system, for tests on others.
var Quickly = quickly

// IsQuick reports whether look is that one.
func IsQuick(look func(path string) State) bool {
	return reflect.ValueOf(look).Pointer() == reflect.ValueOf(quickly).Pointer()
}
