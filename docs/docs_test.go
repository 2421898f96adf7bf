package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// link is a Markdown link that is not a picture, to somewhere in this repository.
var link = regexp.MustCompile(`(?:^|[^!])\[[^\]]*\]\(([^)\s:]+)\)`)

func TestEveryLinkBetweenPagesLeadsSomewhere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, page := range pages {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			links++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			} else if anchor != "" && !anchors(read(t, target))[anchor] {
				t.Errorf("%s links to %s, but %s has no such heading", page, m[1], target)
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links were found in %d pages; is the pattern right?", links, len(pages))
	}
}

func TestTheHandbookCanBeQuoted(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(FS, "*.md")
	if err != nil || len(names) < 10 {
		t.Fatalf("the embedded handbook is %v, %v", names, err)
	}
	for _, name := range names {
		b, err := FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if !strings.HasPrefix(text, "# ") {
			t.Errorf("%s does not begin with its title", name)
		}
		for _, section := range strings.Split(text, "\n## ")[1:] {
			heading, body, _ := strings.Cut(section, "\n")
			if strings.TrimSpace(body) == "" {
				t.Errorf("%s: the section %q says nothing", name, heading)
			}
		}
	}
}

// setting is a row of a table of settings.
var setting = regexp.MustCompile("\\| .*`(?:ATRIUM|OPENAI|ANTHROPIC)_[A-Z_]+`.*\\|.*\\|")

func TestTheHandbookNamesEverySetting(t *testing.T) {
	t.Parallel()
	handbook := settings(read(t, "operations.md"))
	want := append(configured(read(t, "../internal/server/config.go")), "OPENAI_API_KEY", "ANTHROPIC_API_KEY")
	slices.Sort(want)
	if diff := cmp.Diff(want, handbook); diff != "" {
		t.Errorf("operations.md and the server's Config differ (-Config +handbook):\n%s", diff)
	}
	readme := settings(read(t, "../README.md"))
	if len(readme) < 15 {
		t.Errorf("the README's table has only %d settings", len(readme))
	}
	for _, name := range readme {
		if !slices.Contains(handbook, name) {
			t.Errorf("the README names the setting %s, which the handbook does not", name)
		}
	}
}

var koanfTag = regexp.MustCompile("(\\S+) +`koanf:\"([a-z_]+)\"`")

// configured are the variables that the server's Config reads, found in its
// source: this package is below the server and may not import it.
func configured(source string) []string {
	config, model, _ := strings.Cut(source, "type Model struct")
	model, sso, _ := strings.Cut(model, "type SSO struct")
	var names []string
	for _, m := range koanfTag.FindAllStringSubmatch(config, -1) {
		if m[1] == "SSO" {
			for _, f := range koanfTag.FindAllStringSubmatch(sso, -1) {
				if f[2] != "tenant" || m[2] == "sso_microsoft" { // others have none
					names = append(names, "ATRIUM_"+strings.ToUpper(m[2]+"_"+f[2]))
				}
			}
			continue
		}
		if m[1] != "Model" {
			names = append(names, "ATRIUM_"+strings.ToUpper(m[2]))
			continue
		}
		for _, f := range koanfTag.FindAllStringSubmatch(model, -1) {
			if m[2] != "llm" && strings.HasSuffix(f[2], "_price") {
				continue // vectors and scores cost nothing in an answer
			}
			names = append(names, "ATRIUM_"+strings.ToUpper(m[2]+"_"+f[2]))
		}
	}
	return names
}

// settings are the names in the first column of a table of settings.
func settings(text string) []string {
	var names []string
	for _, row := range setting.FindAllString(text, -1) {
		first := strings.Split(row, "|")[1]
		names = append(names, regexp.MustCompile(`[A-Z]+_[A-Z_]+`).FindAllString(first, -1)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// anchors are the headings of a page as links name them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for line := range strings.Lines(text) {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r > 127:
				return r
			}
			return -1
		}, strings.ToLower(strings.TrimSpace(heading)))
		found[slug] = true
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
