// Package arch holds the house's plan as a test: which packages there are, and
// which of them may import which.
//
// A room is a folder of internal/ with everything below it. Rooms stand in
// rings, and an import goes inward only:
//
//	ring 0  the platform; knows no capability
//	ring 1  things with several implementations
//	ring 2  the capabilities, ranked; an import goes only to a lower rank:
//	        org < user < permission < feature < notify < document < corpus <
//	        guardrail < tool < agent < thread < response < workflow <
//	        evaluation < analytics
//	ring 3  the edges; they do not know each other
//	server  puts it all together; cli is the command line over it
//	cmd     the program
//
// A capability that needs something above it declares a one-method interface,
// or an event, and server connects the two. A new room is added to the list in
// rooms_test.go at its place; a room that goes is taken out of it.
package arch
