package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// remote walks X-Forwarded-For from its end, where the nearest proxy wrote, for
// as long as trusted proxies speak; what stands before them anybody could have sent.
func remote(r *http.Request, proxies []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	at := peer.Addr().Unmap()
	trusted := func(p netip.Prefix) bool { return p.Contains(at) }
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, said := range slices.Backward(chain) {
		if !slices.ContainsFunc(proxies, trusted) {
			break
		}
		next, err := forwarded(strings.TrimSpace(said))
		if err != nil {
			break
		}
		at = next.Unmap()
	}
	return at.WithZone("").String()
}

// forwarded reads an address, with a port or without.
func forwarded(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), nil
	}
	return netip.ParseAddr(s)
}
