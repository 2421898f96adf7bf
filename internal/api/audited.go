package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"atrium/internal/audit"
	"atrium/internal/authz"
)

// audited tells whether what the operation does belongs in the audit log: every
// change but a person's own conversations.
func (o Op) audited() bool {
	if o.Needs.IsPublic() || o.Needs.Resource == authz.Thread || o.Needs.Resource == authz.Response {
		return false
	}
	return o.Needs.Action != authz.View && o.Needs.Action != authz.Use || o.Method() == http.MethodDelete
}

// entry is what the gate knows of an act before it is done.
func entry(ctx context.Context, o Op, p *authz.Principal, r *http.Request) audit.Entry {
	e := audit.Entry{
		OrgID: p.OrgID, UserID: p.UserID, Actor: p.Email, Carrier: string(p.Carrier), Address: RemoteIP(ctx), RequestID: RequestID(ctx),
		Action: o.ID, Resource: string(o.Needs.Resource),
	}
	path := map[string]any{}
	for part := range strings.SplitSeq(o.Path(), "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			path[name] = r.PathValue(name)
			e.ResourceID = r.PathValue(name)
		}
	}
	if len(path) > 0 {
		e.Detail = map[string]any{"path": path}
	}
	return e
}

// tell adds what was sent to the entry.
func tell(ctx context.Context, in any) {
	if body := reflect.ValueOf(in).Elem().FieldByName("Body"); body.IsValid() && body.CanInterface() {
		audit.Tell(ctx, "body", body.Interface())
	}
}
