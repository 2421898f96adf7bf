package web

import (
	"bytes"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

// directives are what a page says to robots.
type directives struct{ noindex, nofollow bool }

func (d *directives) add(o directives) {
	d.noindex, d.nofollow = d.noindex || o.noindex, d.nofollow || o.nofollow
}

// readDirectives reads a list such as "noindex, nofollow".
func readDirectives(list string) directives {
	var d directives
	for word := range strings.SplitSeq(strings.ToLower(list), ",") {
		switch strings.TrimSpace(word) {
		case "noindex":
			d.noindex = true
		case "nofollow":
			d.nofollow = true
		case "none":
			d.noindex, d.nofollow = true, true
		}
	}
	return d
}

// headerDirectives reads X-Robots-Tag, whose values may be for one robot only.
func headerDirectives(values []string) directives {
	var d directives
	for _, v := range values {
		name, rest, named := strings.Cut(v, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !named || strings.ContainsAny(name, ", ") || name == "unavailable_after" || strings.HasPrefix(name, "max-"):
			d.add(readDirectives(v))
		case name == robot:
			d.add(readDirectives(rest))
		}
	}
	return d
}

// leads is what a page says of where to go.
type leads struct {
	links     []*url.URL
	canonical *url.URL
	says      directives
}

const maxLinks = 2_000

// parsePage looks for links. It reads tokens and builds no tree, so a page of
// endless depth costs no more than its length.
func parsePage(text []byte, declared string, at *url.URL) leads {
	var out leads
	contentType := "text/html"
	if declared != "" {
		contentType += "; charset=" + declared
	}
	r, err := charset.NewReader(bytes.NewReader(text), contentType)
	if err != nil {
		return out
	}
	base := at
	seen := map[string]bool{at.String(): true}
	z := html.NewTokenizer(r)
	z.SetMaxBuf(1 << 20)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.StartTagToken, html.SelfClosingTagToken:
		default:
			continue
		}
		name, more := z.TagName()
		tag := atom.Lookup(name)
		switch tag {
		case atom.A, atom.Area, atom.Base, atom.Link, atom.Meta:
		default:
			continue
		}
		a := attributes(z, more)
		switch tag {
		case atom.Base:
			if u, err := at.Parse(a["href"]); err == nil && a["href"] != "" {
				base = u
			}
		case atom.Meta:
			if n := strings.ToLower(a["name"]); n == "robots" || n == robot {
				out.says.add(readDirectives(a["content"]))
			}
		case atom.Link:
			if hasWord(a["rel"], "canonical") && out.canonical == nil && a["href"] != "" {
				out.canonical = resolve(base, a["href"])
			}
		default:
			if a["href"] == "" || hasWord(a["rel"], "nofollow") || len(out.links) >= maxLinks {
				continue
			}
			if u := resolve(base, a["href"]); u != nil && !seen[u.String()] {
				seen[u.String()] = true
				out.links = append(out.links, u)
			}
		}
	}
}

func attributes(z *html.Tokenizer, more bool) map[string]string {
	out := map[string]string{}
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		if _, twice := out[string(k)]; !twice {
			out[string(k)] = string(v)
		}
	}
	return out
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}
