// The program fetches the weights that tests need, once.
package main

import (
	"context"
	"fmt"
	"os"

	"atrium/internal/embed/local/localtest"
)

func main() {
	if _, err := localtest.Find(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "the weights for the tests:", err)
		os.Exit(1)
	}
}
