// The program fetches a PostgreSQL with the extension vector for the tests, once,
// where the machine has none.
package main

import (
	"context"
	"fmt"
	"os"

	"atrium/internal/db/dbtest"
)

func main() {
	if _, err := dbtest.FetchPostgres(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "the PostgreSQL for the tests:", err)
		os.Exit(1)
	}
}
