package server

import "atrium/internal/db"

// DB lets tests write what they need beside the operations.
func (s *Server) DB() *db.DB { return s.db }

// Roomy is roomy.
var Roomy = roomy
