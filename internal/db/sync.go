package db

import (
	"os"
	"sync"
)

// walSync brings the write-ahead log to the disk, for all commits that wait at once:
// a commit that comes while the disk is busy shares the next round. SQLite itself
// would sync for each commit, with the writer held.
type walSync struct {
	path string

	mu   sync.Mutex
	file *os.File
	next *round // begins after now; nil: nobody waits for it yet
	busy bool
}

type round struct {
	done chan struct{}
	err  error
}

// wait returns when what was written before it is on the disk.
func (s *walSync) wait() error {
	s.mu.Lock()
	r := s.next
	if r == nil {
		r = &round{done: make(chan struct{})}
		s.next = r
	}
	if !s.busy {
		s.busy = true
		go s.rounds()
	}
	s.mu.Unlock()
	<-r.done
	return r.err
}

func (s *walSync) rounds() {
	for {
		s.mu.Lock()
		r := s.next
		s.next = nil
		if r == nil {
			s.busy = false
			s.mu.Unlock()
			return
		}
		// The log is there while the writer's connection is, which has written to it.
		if s.file == nil {
			s.file, r.err = os.OpenFile(s.path, os.O_RDWR, 0)
		}
		f := s.file
		s.mu.Unlock()
		if r.err == nil {
			r.err = syncData(f)
		}
		close(r.done)
	}
}

// close is for when nothing waits any more.
func (s *walSync) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
