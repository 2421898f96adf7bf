//go:build !planted

// Package planted holds bugs that are put in on purpose, to see that the tests
// find them. Only a build with the tag planted has any; scripts/planted.sh
// runs the suite once a bug and demands that it fails.
package planted

// Bug tells whether a bug is in: never, in this build.
func Bug(Name) bool { return false }
