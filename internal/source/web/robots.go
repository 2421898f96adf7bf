package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// robots are the rules of a robots.txt (RFC 9309) for one robot. They are read
// here and not by a library, because the known one ranks patterns by the length
// of the regular expressions it makes of them, lets the first of two equal rules
// win, and throws a file away for one bad line.
type robots struct {
	rules    []rule
	delay    time.Duration
	sitemaps []string
}

type rule struct {
	pattern string
	allow   bool
}

const (
	maxRobots     = 500 << 10 // bytes that are read, as the RFC asks at least
	maxRules      = 5_000
	maxCrawlDelay = 30 * time.Second
)

// parseRobots reads the groups that name the robot, or those for all.
func parseRobots(text, robot string) robots {
	var named, all, out robots
	var found bool
	var into []*robots // the groups the lines belong to
	agents := true     // the last line named a robot
	for line := range strings.Lines(strings.TrimPrefix(text, "\uFEFF")) {
		line, _, _ = strings.Cut(line, "#")
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "user-agent":
			if !agents {
				into = nil
			}
			agents = true
			name, _, _ := strings.Cut(strings.ToLower(value), "/")
			switch name {
			case "*":
				into = append(into, &all)
			case robot:
				into, found = append(into, &named), true
			}
			continue
		case "allow", "disallow":
			for _, r := range into {
				if value != "" && len(r.rules) < maxRules {
					r.rules = append(r.rules, rule{escape(value), strings.EqualFold(strings.TrimSpace(key), "allow")})
				}
			}
		case "crawl-delay":
			if s, err := strconv.ParseFloat(value, 64); err == nil && s > 0 {
				for _, r := range into {
					r.delay = time.Duration(min(s, maxCrawlDelay.Seconds()) * float64(time.Second))
				}
			}
		case "sitemap":
			if len(out.sitemaps) < 100 {
				out.sitemaps = append(out.sitemaps, value)
			}
			continue // stands for itself and ends no group
		}
		agents = false
	}
	group := all
	if found {
		group = named
	}
	group.sitemaps = out.sitemaps
	return group
}

// allows tells whether the robot may fetch an address: the longest pattern that
// matches decides, and of two equally long ones the one that allows.
func (r robots) allows(u *url.URL) bool {
	path := pathOf(u)
	if path == "/robots.txt" {
		return true
	}
	best, ok := -1, true
	for _, x := range r.rules {
		if l := len(x.pattern); (l > best || l == best && x.allow) && matches(x.pattern, path) {
			best, ok = l, x.allow
		}
	}
	return ok
}

// pathOf is what patterns are compared with: path and query, escaped.
func pathOf(u *url.URL) string {
	p := u.EscapedPath()
	if p == "" {
		p = "/"
	}
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	return escape(p)
}

// escape writes a path in one way: letters, digits and marks as they are, other
// bytes as %XX.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				if d := byte(n); plain(d) {
					b.WriteByte(d)
				} else {
					b.WriteString("%" + strings.ToUpper(s[i+1:i+3]))
				}
				i += 2
				continue
			}
		}
		if c > ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// matches tells whether a pattern fits the beginning of a path: * is anything,
// and $ at its end is the path's end. It takes at most the product of both
// lengths, whatever the pattern.
func matches(pattern, path string) bool {
	pattern, whole := strings.CutSuffix(pattern, "$")
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(path, parts[0]) {
		return false
	}
	path = path[len(parts[0]):]
	for i, p := range parts[1:] {
		if whole && i == len(parts)-2 {
			return strings.HasSuffix(path, p)
		}
		at := strings.Index(path, p)
		if at < 0 {
			return false
		}
		path = path[at+len(p):]
	}
	return !whole || path == ""
}

// Filter chooses paths by patterns: those that fit one of Include, or all when
// there is none, without those that fit one of Exclude.
type Filter struct {
	Include, Exclude []string
}

func (f Filter) takes(u *url.URL) bool {
	path := pathOf(u)
	fits := func(p string) bool { return matches(escape(p), path) }
	return (len(f.Include) == 0 || slices.ContainsFunc(f.Include, fits)) && !slices.ContainsFunc(f.Exclude, fits)
}
