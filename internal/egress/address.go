package egress

import (
	"net/netip"
	"strings"
)

// refusedV4 are the IPv4 networks that are not the public internet, with the word for people.
var refusedV4 = prefixes(map[string]string{
	"0.0.0.0/8":       "unspecified",
	"10.0.0.0/8":      "private",
	"100.64.0.0/10":   "carrier-shared",
	"127.0.0.0/8":     "loopback",
	"169.254.0.0/16":  "link-local",
	"172.16.0.0/12":   "private",
	"192.0.0.0/24":    "reserved",
	"192.0.2.0/24":    "documentation",
	"192.88.99.0/24":  "reserved",
	"192.168.0.0/16":  "private",
	"198.18.0.0/15":   "benchmarking",
	"198.51.100.0/24": "documentation",
	"203.0.113.0/24":  "documentation",
	"224.0.0.0/4":     "multicast",
	"240.0.0.0/4":     "reserved",
})

// refusedV6 are the parts of 2000::/3 that carry another address inside or lead
// nowhere. All of IPv6 outside 2000::/3 is refused without a list.
var refusedV6 = prefixes(map[string]string{
	"2001::/23":     "reserved", // Teredo, ORCHID, benchmarking
	"2001:db8::/32": "documentation",
	"2002::/16":     "6to4",
	"3fff::/20":     "documentation",
})

// metadata are the addresses where clouds hand out credentials. A network on the
// allow-list does not open them; only the address itself does.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"): true, // AWS, Google, Azure, OpenStack and others
	netip.MustParseAddr("169.254.170.2"):   true, // AWS containers
	netip.MustParseAddr("169.254.170.23"):  true, // AWS pods
	netip.MustParseAddr("168.63.129.16"):   true, // Azure's host, in public space
	netip.MustParseAddr("100.100.100.200"): true, // Alibaba
	netip.MustParseAddr("192.0.0.192"):     true, // Oracle
	netip.MustParseAddr("fd00:ec2::254"):   true, // AWS
	netip.MustParseAddr("fd00:ec2::23"):    true, // AWS pods
	netip.MustParseAddr("fd20:ce::254"):    true, // Google
}

var (
	globalV6 = netip.MustParsePrefix("2000::/3")
	uniqueV6 = netip.MustParsePrefix("fc00::/7")
	nat64    = netip.MustParsePrefix("64:ff9b::/96")
)

type network struct {
	prefix netip.Prefix
	kind   string
}

func prefixes(m map[string]string) []network {
	var out []network
	for p, kind := range m {
		out = append(out, network{netip.MustParsePrefix(p), kind})
	}
	return out
}

// special says what kind of address a is when it is not one of the public
// internet; public addresses give "".
func special(a netip.Addr) string {
	a = a.WithZone("").Unmap()
	if metadata[a] {
		return "cloud metadata"
	}
	if a.Is4() {
		return kindIn(refusedV4, a)
	}
	switch {
	case a.IsUnspecified():
		return "unspecified"
	case a.IsLoopback():
		return "loopback"
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsMulticast():
		return "multicast"
	case uniqueV6.Contains(a):
		return "private"
	case nat64.Contains(a):
		return special(embedded(a))
	case !globalV6.Contains(a):
		return "reserved"
	}
	return kindIn(refusedV6, a)
}

func kindIn(list []network, a netip.Addr) string {
	for _, n := range list {
		if n.prefix.Contains(a) {
			return n.kind
		}
	}
	return ""
}

// embedded is the IPv4 address in the last four bytes of a NAT64 address.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// allowed tells whether the operator's list opens a special address.
func allowed(list []netip.Prefix, a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if a.Is6() && nat64.Contains(a) {
		a = embedded(a)
	}
	for _, p := range list {
		if p.Contains(a) && (!metadata[a] || p.IsSingleIP()) {
			return true
		}
	}
	return false
}

// oddNumber tells whether a host is a number that some programs read as an
// address though it is not written as one: 127.1, 0x7f000001, 2130706433, 0177.0.0.1.
func oddNumber(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" {
		return true
	}
	if h := strings.ToLower(last); strings.HasPrefix(h, "0x") {
		return strings.Trim(h[2:], "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
