package api

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestOnlyTrustedProxiesSayWhomTheySpeakFor(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, c := range map[string]struct {
		peer string
		said []string
		want string
	}{
		"nobody speaks":                  {"192.0.2.1:5", nil, "192.0.2.1"},
		"anybody may say anything":       {"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		"a proxy speaks":                 {"10.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7"},
		"what came before is not taken":  {"10.0.0.1:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"two proxies":                    {"10.0.0.1:5", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"two headers":                    {"10.0.0.1:5", []string{"198.51.100.7", "10.0.0.2"}, "198.51.100.7"},
		"a proxy that says nothing":      {"10.0.0.1:5", nil, "10.0.0.1"},
		"a proxy that says nonsense":     {"10.0.0.1:5", []string{"unknown"}, "10.0.0.1"},
		"all are proxies":                {"10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"with a port":                    {"10.0.0.1:5", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"of the newer kind":              {"[2001:db8::1]:5", []string{"2a00:1::9"}, "2a00:1::9"},
		"written in the other kind":      {"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"a peer without address":         {"@", []string{"198.51.100.7"}, ""},
		"a zone is the server's own say": {"[fe80::1%eth0]:5", nil, "fe80::1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		for _, s := range c.said {
			r.Header.Add("X-Forwarded-For", s)
		}
		if got := remote(r, trusted); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
