//go:build !linux

package nowait

import "net"

// Conn is for systems that have it.
type Conn struct{ net.Conn }

// Socket returns nil: there is none.
func Socket(net.Conn) *Conn { return nil }
