//go:build unix

package retrieval

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile writes parts to a file in dir, one behind the other, and gives what it holds.
// The file has no name any more then: it needs no descriptor, and a crash leaves nothing.
func mapFile(dir string, parts ...[]byte) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "index-*")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	size := 0
	for _, p := range parts {
		n, err := f.Write(p)
		if err != nil {
			return nil, err
		}
		size += n
	}
	mapped, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	// Best pieces lie anywhere; what stands beside them is not read ahead.
	_ = unix.Madvise(mapped, unix.MADV_RANDOM)
	return mapped, nil
}

func unmap(mapped []byte) { _ = unix.Munmap(mapped) }
