package nowait

import "syscall"

const statCall = syscall.SYS_NEWFSTATAT
