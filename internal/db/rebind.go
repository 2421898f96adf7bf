package db

import (
	"strconv"
	"strings"
	"sync"
)

// rebound keeps the texts already rewritten. Texts with a list of varying length
// would fill it, so it is emptied when it has grown too large.
var rebound = struct {
	sync.RWMutex
	texts map[string]string
}{texts: map[string]string{}}

// rebind turns ? marks into $1, $2, …; marks inside quotes and comments stay.
func rebind(query string) string {
	rebound.RLock()
	out, ok := rebound.texts[query]
	rebound.RUnlock()
	if ok {
		return out
	}
	out = number(query)
	rebound.Lock()
	if len(rebound.texts) >= 4096 {
		clear(rebound.texts)
	}
	rebound.texts[query] = out
	rebound.Unlock()
	return out
}

func number(query string) string {
	var b strings.Builder
	b.Grow(len(query) + 16)
	n := 0
	for i := 0; i < len(query); i++ {
		c := query[i]
		end := i + 1
		switch {
		case c == '?':
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			continue
		case c == '\'' || c == '"':
			end = after(query, i+1, string(c))
		case strings.HasPrefix(query[i:], "--"):
			end = after(query, i+2, "\n")
		case strings.HasPrefix(query[i:], "/*"):
			end = after(query, i+2, "*/")
		}
		b.WriteString(query[i:end])
		i = end - 1
	}
	return b.String()
}

// after is the place behind the next mark, or the end. A doubled quote inside quotes
// reads as one text ending and the next beginning, which comes to the same.
func after(s string, from int, mark string) int {
	if i := strings.Index(s[from:], mark); i >= 0 {
		return from + i + len(mark)
	}
	return len(s)
}
