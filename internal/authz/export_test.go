package authz

// RoleActions is what a role may do to a resource at all, before rows are looked at.
func RoleActions(r Role, on Resource) []Action { return roleActions(r, on) }
