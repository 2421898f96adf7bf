package extract

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// isolation is how a worker is started at a level: the next level gives up what
// the machine did not allow. last is set when no namespace is left.
func isolation(level int) (attr *syscall.SysProcAttr, last bool) {
	attr = &syscall.SysProcAttr{Setpgid: true}
	const own = unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWPID
	switch level {
	case 0:
		attr.Cloneflags = own
	case 1:
		attr.Cloneflags = own | unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	default:
		return attr, true
	}
	return attr, false
}

// memory is what the worker and the processes below it hold now, in bytes, or
// zero when it is gone.
func (w *worker) memory() int64 { return treeMemory(w.cmd.Process.Pid, 0) }

func treeMemory(pid, depth int) int64 {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/statm")
	if err != nil || depth > 8 {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return 0
	}
	sum := pages * int64(os.Getpagesize())
	tasks, err := os.ReadDir(dir + "/task")
	if err != nil {
		return sum
	}
	for _, t := range tasks {
		kids, err := os.ReadFile(dir + "/task/" + t.Name() + "/children")
		if err != nil {
			continue
		}
		for k := range strings.FieldsSeq(string(kids)) {
			if n, err := strconv.Atoi(k); err == nil {
				sum += treeMemory(n, depth+1)
			}
		}
	}
	return sum
}

const (
	// dataLimit stops a process that grows too fast for the pool to see.
	dataLimit = 1 << 30
	// cpuLimit ends, in seconds, a worker that lost its pool in a loop.
	cpuLimit = 7200
	nobody   = 65534
)

// confine gives up all rights that reading a file does not need, for this
// process and its helpers. What the machine does not offer is left out: each
// wall stands alone.
func confine(helpers map[string]string) Protections {
	var p Protections
	p.Limits = true
	for _, l := range []struct {
		what int
		max  uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_NOFILE, 256},
		{unix.RLIMIT_DATA, dataLimit},
		{unix.RLIMIT_CPU, cpuLimit},
	} {
		// The type of the fields is not the same on every system.
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.max, Max: l.max}); err != nil {
			p.Limits = false
		}
	}
	// Helpers whose worker died come back to this process, where the pool finds them.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	// Opened while root may: the program may lie where nobody else may look.
	self, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		self = -1
	}
	defer func() { _ = unix.Close(self) }()
	p.User = os.Getuid() != 0
	if !p.User {
		_ = syscall.Setgroups(nil)
		if syscall.Setgid(nobody) == nil && syscall.Setuid(nobody) == nil {
			p.User = true
		}
	}
	p.Files = len(os.Args) > 2 && os.Args[len(os.Args)-1] == confined || landlock(helpers, self) == nil
	p.Calls = seccomp() == nil
	return p
}

// confined is the last argument of a worker that was started anew inside its walls.
const confined = "confined"

// landlock leaves the process able to read libraries and fonts and to run the
// helpers, and nothing else of the file system or the network.
//
// The rules bind the calling thread. A program without cgo can call for all its
// threads; one with cgo binds one thread and starts itself again from there.
func landlock(helpers map[string]string, self int) error {
	fd, err := ruleset(helpers)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	_, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if e == 0 {
		_, _, e = syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(fd), 0, 0)
	}
	if e == 0 {
		return nil
	}
	if e != unix.ENOTSUP || self < 0 {
		return e
	}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	allowHandle(fd, self, unix.LANDLOCK_ACCESS_FS_READ_FILE|unix.LANDLOCK_ACCESS_FS_EXECUTE)
	if _, _, e := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(fd), 0, 0); e != 0 {
		return e
	}
	argv, err := syscall.SlicePtrFromStrings(append(slices.Clip(os.Args), confined))
	if err != nil {
		return err
	}
	none := [1]byte{}
	envv := [1]*byte{}
	_, _, e = unix.Syscall6(unix.SYS_EXECVEAT, uintptr(self), uintptr(unsafe.Pointer(&none[0])),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), unix.AT_EMPTY_PATH, 0)
	return e
}

// ruleset lists what stays allowed.
func ruleset(helpers map[string]string) (int, error) {
	abi, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return -1, e
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: 1<<13 - 1} // all that the first version knows
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size += unsafe.Sizeof(attr.Handled_access_net)
	}
	if abi >= 6 { // no signals to, and no sockets of, processes outside
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size += unsafe.Sizeof(attr.Scoped)
	}
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if e != 0 {
		return -1, e
	}
	const look = unix.LANDLOCK_ACCESS_FS_READ_FILE
	for _, dir := range []string{
		"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/usr/local/share", "/etc/fonts",
	} {
		allow(int(fd), dir, look|unix.LANDLOCK_ACCESS_FS_READ_DIR)
	}
	for _, file := range []string{"/etc/ld.so.cache", "/dev/urandom"} {
		allow(int(fd), file, look)
	}
	allow(int(fd), "/dev/null", look|unix.LANDLOCK_ACCESS_FS_WRITE_FILE)
	for _, path := range helpers {
		allow(int(fd), path, look|unix.LANDLOCK_ACCESS_FS_EXECUTE)
	}
	for _, pattern := range []string{"/lib*/ld-*.so*", "/lib/*/ld-*.so*", "/usr/lib*/ld-*.so*"} {
		loaders, _ := filepath.Glob(pattern)
		for _, path := range loaders {
			allow(int(fd), path, look|unix.LANDLOCK_ACCESS_FS_EXECUTE)
		}
	}
	return int(fd), nil
}

// allow adds a rule; what does not exist needs none.
func allow(ruleset int, path string, access uint64) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	allowHandle(ruleset, fd, access)
}

func allowHandle(ruleset, fd int, access uint64) {
	attr := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, _ = unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
}

// widen lets a program write on while nobody reads; it goes without where the
// system allows no more.
func widen(pipe int) { _, _ = unix.FcntlInt(uintptr(pipe), unix.F_SETPIPE_SZ, 1<<20) }
