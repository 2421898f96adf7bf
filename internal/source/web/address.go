package web

import (
	"net"
	"net/url"
	"strings"
)

const maxAddress = 2000

// tracking are query fields that say who sent the visitor, not what the page is.
var tracking = map[string]bool{"gclid": true, "fbclid": true, "msclkid": true, "mc_cid": true, "mc_eid": true}

// normal writes an address in one way, so that each page has one key; nil when
// it is none that can be fetched.
func normal(u *url.URL) *url.URL {
	n := *u
	n.Scheme, n.Host = strings.ToLower(n.Scheme), strings.ToLower(n.Host)
	if n.Scheme != "http" && n.Scheme != "https" || n.Hostname() == "" || n.User != nil || n.Opaque != "" {
		return nil
	}
	if host, port, err := net.SplitHostPort(n.Host); err == nil && (n.Scheme == "http" && port == "80" || n.Scheme == "https" && port == "443") {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		n.Host = host
	}
	n.Fragment, n.RawFragment, n.ForceQuery = "", "", false
	if n.Path == "" {
		n.Path = "/"
	}
	if n.RawQuery != "" {
		kept := ""
		for field := range strings.SplitSeq(n.RawQuery, "&") {
			name, _, _ := strings.Cut(strings.ToLower(field), "=")
			if field == "" || strings.HasPrefix(name, "utm_") || tracking[name] {
				continue
			}
			if len(kept) > 0 {
				kept += "&"
			}
			kept += field
		}
		n.RawQuery = kept
	}
	if strings.Contains(n.Path, "/.") {
		n = *n.JoinPath() // without dot segments
	}
	if len(n.String()) > maxAddress {
		return nil
	}
	return &n
}

// parse reads an address and writes it in one way; nil when it cannot be fetched.
func parse(s string) *url.URL {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return nil
	}
	return normal(u)
}

// resolve is an address as it stands in a page.
func resolve(base *url.URL, ref string) *url.URL {
	u, err := base.Parse(strings.TrimSpace(ref))
	if err != nil {
		return nil
	}
	return normal(u)
}

// Within tells whether a walk that starts at an address may come by another.
func Within(start, address string) bool {
	from, to := parse(start), parse(address)
	return from != nil && to != nil && site(from) == site(to)
}

// site is what addresses of one site have in common.
func site(u *url.URL) string { return strings.TrimPrefix(u.Host, "www.") }
