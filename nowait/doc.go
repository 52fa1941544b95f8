// Package nowait makes system calls that cannot wait, without telling Go's
// scheduler of them.
//
// Before an ordinary system call the scheduler makes ready for one that blocks.
// For the first one after a rest it wakes a thread to watch over it, which costs
// more than reading a socket in which data are. Where each request of thousands
// is a handful of such calls that is a quarter of the processor time
// (docs/performance.md). In turn, while a call made here waited, a machine with
// one processor would stand still, and every garbage collection. So there are only
// calls that do not wait: on sockets, which are nonblocking, and looks at files of
// this machine's own disks that were looked at a moment ago, and so are in memory.
//
// It is at the bottom: it may import nothing of ours. Where the system has no such
// calls, or they were not tried, Socket, Local and the rest say that there are
// none, and their users do it the ordinary way.
package nowait

import "time"

// Moment is how long ago a file may have been looked at for the next look to
// find it in memory still.
const Moment = time.Second
