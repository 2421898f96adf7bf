package planted

// Name is a bug.
type Name string

const (
	Tenant    Name = "tenant"    // rows of every organization are reached
	Gate      Name = "gate"      // what the role and the key's scopes say is not asked
	Scopes    Name = "scopes"    // an API key may do all that its owner may
	Suspended Name = "suspended" // who was suspended goes on
	Cache     Name = "cache"     // what was revoked goes on for a while
	Reuse     Name = "reuse"     // a token that was replaced may be used again
	Resume    Name = "resume"    // a stream is continued for anybody
	Body      Name = "body"      // ids in bodies are believed
	Audit     Name = "audit"     // changes are not told of
	Owned     Name = "owned"     // what is one person's own is everybody's
)
