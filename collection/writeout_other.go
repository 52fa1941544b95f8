//go:build !linux

package collection

import "os"

func writeOut(*os.File, int64, int64) {}
