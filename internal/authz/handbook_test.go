package authz_test

import (
	"fmt"
	"strings"
	"testing"

	"atrium/docs"
	"atrium/internal/authz"
)

// The handbook prints the table of roles; it has to be the one that decides.
func TestTheHandbookTellsWhatRolesMayDo(t *testing.T) {
	t.Parallel()
	page, err := docs.FS.ReadFile("people.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range authz.Resources() {
		row := "| " + strings.ReplaceAll(string(r), "_", " ") + " |"
		for _, role := range authz.Roles() {
			row += " " + inWords(authz.RoleActions(role, r)) + " |"
		}
		if !strings.Contains(string(page), row+"\n") {
			t.Errorf("docs/people.md lacks the line\n%s", row)
		}
	}
}

func inWords(actions []authz.Action) string {
	switch len(actions) {
	case 0:
		return "nothing"
	case len(authz.Actions()):
		return "everything"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(actions), " ", ", "), "[]")
}
