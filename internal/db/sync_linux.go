package db

import (
	"os"
	"syscall"
)

// syncData brings a file's content to the disk, and of what is known about it only
// what is needed to read that.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
