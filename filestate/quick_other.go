//go:build !linux || !(amd64 || arm64)

package filestate

// No look is quick here.
const moment = 0

func quickly(path string) State { return Of(path) }
