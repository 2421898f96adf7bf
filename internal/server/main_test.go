package server_test

import (
	"testing"

	"atrium/internal/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }
